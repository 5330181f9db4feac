// The Go programs of the comparison, in one module because each would bring the whole Go runtime: maps, sorting and
// strings, SHA-256 of the standard library, a prime sieve of goroutines, garbage. Without fmt, which doubles the size.
//
//	go.wasm NAME [AMOUNT]
package main

import (
	"container/heap"
	"crypto/sha256"
	"hash/crc32"
	"math/bits"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// A small generator of test data (xorshift), the same on every machine.
type noise uint32

func (n *noise) next() uint32 {
	x := uint32(*n)
	x ^= x << 13
	x ^= x >> 17
	x ^= x << 5
	*n = noise(x)
	return x
}

// FNV-1a with 64 bits.
type sum uint64

func (s *sum) number(value uint64) {
	for range 8 {
		*s = (*s ^ sum(value&0xff)) * 0x100000001b3
		value >>= 8
	}
}

func (s *sum) text(text string) {
	for i := range len(text) {
		*s = (*s ^ sum(text[i])) * 0x100000001b3
	}
}

type point struct{ x, y int32 }

// Maps with numbers, texts and structures as keys; a game of life on a map.
func maps(times int, n *noise, s *sum) {
	for range times {
		numbers := map[uint64]int{}
		for range 3000 {
			numbers[uint64(n.next()%2000)<<32]++
		}
		for key := uint64(0); key < 2000; key += 3 {
			s.number(uint64(numbers[key<<32]))
			delete(numbers, key<<32)
		}
		words := make(map[string][]int)
		for i := range 1500 {
			key := "key-" + strconv.Itoa(int(n.next()%500))
			words[key] = append(words[key], i)
		}
		keys := make([]string, 0, len(words))
		for key := range words {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			s.text(key)
			s.number(uint64(len(words[key])))
		}
		alive := map[point]bool{}
		for range 200 {
			alive[point{int32(n.next() % 20), int32(n.next() % 20)}] = true
		}
		for range 3 {
			around := map[point]int{}
			for p := range alive {
				for dx := int32(-1); dx <= 1; dx++ {
					for dy := int32(-1); dy <= 1; dy++ {
						if dx != 0 || dy != 0 {
							around[point{p.x + dx, p.y + dy}]++
						}
					}
				}
			}
			next := map[point]bool{}
			for p, count := range around {
				if count == 3 || count == 2 && alive[p] {
					next[p] = true
				}
			}
			alive = next
		}
		s.number(uint64(len(alive)))
	}
}

type item struct {
	name  string
	price int64
	tags  []string
}

type queue []*item

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].price < q[j].price }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(*item)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// Sorting by interface, by function and by generics, a heap, and strings built, split, joined and replaced.
func sorting(times int, n *noise, s *sum) {
	for range times {
		items := make([]*item, 1200)
		for i := range items {
			var b strings.Builder
			for range 2 + n.next()%3 {
				b.WriteString([]string{"ka", "lem", "ti", "ros", "bu"}[n.next()%5])
			}
			items[i] = &item{b.String(), int64(n.next() % 100000), []string{"a" + strconv.Itoa(i%7), "b"}}
		}
		sort.Slice(items, func(i, j int) bool {
			if items[i].name != items[j].name {
				return items[i].name < items[j].name
			}
			return items[i].price < items[j].price
		})
		var line strings.Builder
		for _, it := range items[:200] {
			line.WriteString(it.name + "=" + strconv.FormatInt(it.price, 10) + ";" + strings.Join(it.tags, ",") + "\n")
		}
		text := strings.ToUpper(strings.ReplaceAll(line.String(), "ka", "qa"))
		for _, l := range strings.Split(text, "\n") {
			if name, rest, ok := strings.Cut(l, "="); ok {
				price, _, _ := strings.Cut(rest, ";")
				value, err := strconv.ParseInt(price, 10, 64)
				if err == nil {
					s.number(uint64(value))
				}
				s.number(uint64(strings.Index(name, "ROS") + strings.Count(rest, ",")))
			}
		}
		q := make(queue, 0, len(items))
		for _, it := range items {
			heap.Push(&q, it)
		}
		for range 500 {
			s.number(uint64(heap.Pop(&q).(*item).price))
		}
		values := make([]int64, 4000)
		for i := range values {
			values[i] = int64(n.next()) - 1<<31
		}
		slices.Sort(values)
		at, found := slices.BinarySearch(values, 0)
		s.number(uint64(at))
		if found {
			s.number(1)
		}
		s.number(uint64(values[len(values)/2]))
	}
}

// A number of 512 bits, the low digit first.
type wide [8]uint64

func (a *wide) times(b *wide) (product wide) {
	for i, digit := range a {
		var carry uint64
		for j := 0; i+j < len(product); j++ {
			high, low := bits.Mul64(digit, b[j])
			var c uint64
			low, c = bits.Add64(low, carry, 0)
			high += c
			product[i+j], c = bits.Add64(product[i+j], low, 0)
			carry = high + c
		}
	}
	return product
}

// SHA-256 and CRC-32 of the standard library, and powers of numbers of 512 bits: 64-bit arithmetic.
func hashing(times int, n *noise, s *sum) {
	data := make([]byte, 8192)
	for i := range data {
		data[i] = byte(n.next())
	}
	power, base := wide{1}, wide{3, 5, 7, 11, 13, 17, 19, 23}
	for i := range times {
		digest := sha256.Sum256(data)
		copy(data, digest[:])
		s.text(string(digest[:]))
		s.number(uint64(crc32.ChecksumIEEE(data)))
		base[i%8] ^= power[0]
		for range 20 {
			power = power.times(&base)
			base = base.times(&base)
			base[0] |= 1
		}
		x, y := uint64(n.next())<<32|uint64(n.next()), uint64(1)
		for range 2000 {
			high, low := bits.Mul64(x, y|1)
			x = bits.RotateLeft64(high^low, int(y%64)) + 0x9e3779b97f4a7c15
			y += uint64(bits.OnesCount64(x) + bits.LeadingZeros64(y))
		}
		s.number(x)
	}
	for _, digit := range power {
		s.number(digit)
	}
}

func generate(out chan<- int) {
	for i := 2; ; i++ {
		out <- i
	}
}

func filter(in <-chan int, out chan<- int, prime int) {
	for {
		if i := <-in; i%prime != 0 {
			out <- i
		}
	}
}

// The prime sieve in which each prime is a goroutine, and workers that share a queue: the scheduler.
func channels(times int, n *noise, s *sum) {
	in := make(chan int)
	go generate(in)
	for range times {
		prime := <-in
		s.number(uint64(prime))
		out := make(chan int)
		go filter(in, out, prime)
		in = out
	}
	jobs, results := make(chan int, 8), make(chan int, 8)
	for range 4 {
		go func() {
			for job := range jobs {
				results <- job * job % 1009
			}
		}()
	}
	go func() {
		for i := range times * 20 {
			jobs <- i
		}
		close(jobs)
	}()
	total := 0
	for range times * 20 {
		total += <-results
	}
	s.number(uint64(total))
}

type node struct {
	left, right *node
	value       uint32
}

func grow(n *noise, depth int) *node {
	if depth == 0 {
		return &node{value: n.next()}
	}
	return &node{grow(n, depth-1), grow(n, depth-1), n.next()}
}

func (t *node) total() uint64 {
	if t == nil {
		return 0
	}
	return uint64(t.value) + t.left.total()*3 + t.right.total()
}

// Garbage: trees and slices that are dropped, beside one that lives; interfaces and closures.
func garbage(times int, n *noise, s *sum) {
	old := grow(n, 12)
	var shapes []func() uint64
	for i := range times {
		s.number(grow(n, 11).total())
		rows := make([][]byte, 200)
		for k := range rows {
			rows[k] = make([]byte, 1+n.next()%400)
			rows[k][len(rows[k])/2] = byte(k)
			s.number(uint64(len(rows[k])))
		}
		shapes = append(shapes, func() uint64 { return uint64(len(rows[i%200])) + uint64(rows[i%200][0]) })
		if len(shapes) > 10 {
			shapes = shapes[5:]
		}
		for _, f := range shapes {
			s.number(f())
		}
	}
	s.number(old.total())
}

func main() {
	programs := []struct {
		name  string
		usual int
		run   func(int, *noise, *sum)
	}{
		{"maps", 30, maps},
		{"sorting", 30, sorting},
		{"hashing", 320, hashing},
		{"channels", 180, channels},
		{"garbage", 110, garbage},
	}
	if len(os.Args) < 2 {
		os.Stderr.WriteString("usage: go.wasm maps|sorting|hashing|channels|garbage [AMOUNT]\n")
		os.Exit(2)
	}
	for _, p := range programs {
		if p.name != os.Args[1] {
			continue
		}
		times := p.usual
		if len(os.Args) > 2 {
			times, _ = strconv.Atoi(os.Args[2])
		}
		n, s := noise(2463534242), sum(0xcbf29ce484222325)
		p.run(times, &n, &s)
		os.Stdout.WriteString("go-" + p.name + " " + strconv.Itoa(times) + ": " + strconv.FormatUint(uint64(s), 16) + "\n")
		return
	}
	os.Stderr.WriteString("go.wasm: no program is called " + os.Args[1] + "\n")
	os.Exit(2)
}
