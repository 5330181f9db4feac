package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
)

func numGC() uint32 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.NumGC
}

// Each of these stops what it stands in; a deferred call catches it and the program goes on.
func recovered([]string) error {
	var (
		none  *plant
		empty []int
		table map[string]int
		any   any = "text"
		zero  int
	)
	for _, failing := range []func(){
		func() { fmt.Println(none.Name) },
		func() { fmt.Println(empty[3]) },
		func() { table["x"] = 1 },
		func() { fmt.Println(any.(int)) },
		func() { fmt.Println(1 / zero) },
		func() { close((chan int)(nil)) },
		func() { panic(fmt.Errorf("wrapped: %w", fs.ErrInvalid)) },
	} {
		catch(failing)
	}
	err := fmt.Errorf("outer: %w", errors.Join(errors.New("first"), fs.ErrClosed))
	fmt.Printf("errors.Is: %t, %t\n", errors.Is(err, fs.ErrClosed), errors.Is(err, fs.ErrExist))
	return nil
}

func catch(failing func()) {
	defer func() {
		cause := recover()
		_, isRuntime := cause.(runtime.Error)
		fmt.Printf("recovered (runtime error: %t): %v\n", isRuntime, cause)
	}()
	failing()
}

func exit(args []string) error {
	if len(args) != 1 {
		return errors.New("name an exit code")
	}
	code, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	defer fmt.Println("this must not be printed")
	fmt.Println("leaving with", code)
	os.Exit(code)
	return nil
}

func panics([]string) error {
	defer fmt.Println("deferred calls run before the program dies")
	var weights []int
	fmt.Println("the fourth weight is", weights[fourth()])
	return nil
}

//go:noinline
func fourth() int { return 3 }

func deadlock([]string) error {
	fmt.Println("waiting for a message that nobody sends")
	<-make(chan int)
	return nil
}
