package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

func goroutines([]string) error {
	pool()
	fmt.Println("primes:", sieve(15))
	pingPong()
	counters()
	return contexts()
}

// A pool of workers takes jobs from one channel and hands the results back by another.
func pool() {
	type result struct{ job, value int }
	jobs, results := make(chan int), make(chan result, 4)
	var workers sync.WaitGroup
	for range 5 {
		workers.Go(func() {
			for job := range jobs {
				steps := 0
				for n := job; n != 1; steps++ {
					if n%2 == 0 {
						n /= 2
					} else {
						n = 3*n + 1
					}
				}
				results <- result{job, steps}
			}
		})
	}
	go func() {
		for job := 1; job <= 1000; job++ {
			jobs <- job
		}
		close(jobs)
		workers.Wait()
		close(results)
	}()

	count, longest := 0, result{}
	for r := range results {
		count++
		if r.value > longest.value || (r.value == longest.value && r.job < longest.job) {
			longest = r
		}
	}
	fmt.Printf("pool: %d results, the longest chain starts at %d with %d steps\n", count, longest.job, longest.value)
}

// Every prime found adds a goroutine that filters its multiples out of an unbuffered chain.
func sieve(count int) []int {
	done := make(chan struct{})
	defer close(done)
	source := make(chan int)
	go func() {
		for n := 2; ; n++ {
			select {
			case source <- n:
			case <-done:
				return
			}
		}
	}()
	var primes []int
	numbers := source
	for len(primes) < count {
		prime := <-numbers
		primes = append(primes, prime)
		filtered := make(chan int)
		go func(in <-chan int) {
			for {
				select {
				case n := <-in:
					if n%prime == 0 {
						continue
					}
					select {
					case filtered <- n:
					case <-done:
						return
					}
				case <-done:
					return
				}
			}
		}(numbers)
		numbers = filtered
	}
	return primes
}

func pingPong() {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for n := range ping {
			pong <- n + 1
		}
		close(pong)
	}()
	n := 0
	for range 10_000 {
		ping <- n
		n = <-pong
	}
	close(ping)
	_, open := <-pong
	fmt.Printf("ping pong: %d exchanges, then the channel is open: %t\n", n, open)
}

func counters() {
	var (
		group   sync.WaitGroup
		mutex   sync.Mutex
		byMutex = map[int]int{}
		atomics atomic.Int64
		once    sync.Once
		firsts  int
	)
	for id := range 100 {
		group.Go(func() {
			for range 50 {
				mutex.Lock()
				byMutex[id%10]++
				mutex.Unlock()
				atomics.Add(1)
			}
			once.Do(func() { firsts++ })
		})
	}
	group.Wait()
	fmt.Printf("counters: %d under the mutex in slot 7, %d atomic, %d first\n", byMutex[7], atomics.Load(), firsts)
}

func contexts() error {
	cause := errors.New("enough waited")
	ctx, cancel := context.WithTimeoutCause(context.Background(), 20*time.Millisecond, cause)
	defer cancel()
	select {
	case <-ctx.Done():
		fmt.Printf("context: %v, because: %v\n", ctx.Err(), context.Cause(ctx))
	case <-time.After(time.Minute):
		return errors.New("the timeout of a context never came")
	}
	return nil
}

func sleep([]string) error {
	start := time.Now()
	time.Sleep(30 * time.Millisecond)
	fmt.Println("slept at least 30 ms:", time.Since(start) >= 30*time.Millisecond)

	// The shorter sleep ends first, whatever was started first.
	order := make(chan string)
	for _, sleeper := range []struct {
		name string
		time time.Duration
	}{{"slow", 150}, {"middle", 80}, {"quick", 10}} {
		go func() {
			time.Sleep(sleeper.time * time.Millisecond)
			order <- sleeper.name
		}()
	}
	fmt.Println("woken:", <-order, <-order, <-order)

	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	stopped := time.AfterFunc(time.Hour, func() { fmt.Println("an hour passed") })
	for range 3 {
		<-ticker.C
	}
	fmt.Println("three ticks, and the timer of an hour was stopped:", stopped.Stop())
	fmt.Println("all of it took less than a minute:", time.Since(start) < time.Minute)
	return nil
}

// Keeps 1 in 64 of what it allocates, so that the collector must run; and grows one goroutine's stack.
func garbage([]string) error {
	type node struct {
		left, right *node
		label       [4]int
	}
	var grow func(depth int) *node
	grow = func(depth int) *node {
		if depth == 0 {
			return &node{label: [4]int{1}}
		}
		return &node{left: grow(depth - 1), right: grow(depth - 1)}
	}
	var sum func(n *node) int
	sum = func(n *node) int {
		if n == nil {
			return 0
		}
		return n.label[0] + sum(n.left) + sum(n.right)
	}
	var kept []*node
	for i := range 256 {
		if tree := grow(9); i%64 == 0 {
			kept = append(kept, tree)
		}
	}
	leaves := 0
	for _, tree := range kept {
		leaves += sum(tree)
	}
	fmt.Printf("kept %d trees with %d leaves; collections ran: %t\n", len(kept), leaves, numGC() > 0)

	var deep func(n int) int
	deep = func(n int) int {
		if n == 0 {
			return 0
		}
		return deep(n-1) + 1
	}
	fmt.Println("recursion depth:", deep(20_000))
	return nil
}
