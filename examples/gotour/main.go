// Gotour is one Go program with a subcommand for each part of Go that a WebAssembly runtime must carry:
// the scheduler, channels and timers, maps, sorting and JSON, the garbage collector, files, and panics.
//
//	teff run examples/gotour.wasm hello
//	teff run --dir examples/data::/data examples/gotour.wasm walk /data
//
// Everything it prints is the same on every run: no addresses, no durations, no order left to chance.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
)

type stop struct {
	name, what string
	run        func(args []string) error
}

func stops() []stop {
	return []stop{
		{"hello", "greet, with the arguments and $GREETING", hello},
		{"shout", "copy stdin to stdout in upper case", shout},
		{"goroutines", "worker pools, pipelines, select, mutexes, contexts", goroutines},
		{"collections", "maps, slices, sorting, generics, strings, times", collections},
		{"json", "decode stdin or a built-in document, encode it again", jsonTour},
		{"gc", "allocate far more than is kept, and recurse deeply", garbage},
		{"sleep", "time.Sleep, timers and tickers", sleep},
		{"walk DIR", "a directory tree with sizes and checksums", walk},
		{"files DIR", "create, append, seek, stat, rename, remove in DIR", files},
		{"errors", "panics that are recovered, and errors.Is", recovered},
		{"exit CODE", "os.Exit after a deferred call that must not run", exit},
		{"panic", "a panic that nobody recovers", panics},
		{"deadlock", "all goroutines wait for ever", deadlock},
	}
}

func main() {
	if len(os.Args) < 2 {
		fmt.Println("usage: gotour STOP [ARGS...]")
		for _, s := range stops() {
			fmt.Printf("  %-12s %s\n", s.name, s.what)
		}
		return
	}
	for _, s := range stops() {
		name, _, _ := strings.Cut(s.name, " ")
		if name != os.Args[1] {
			continue
		}
		if err := s.run(os.Args[2:]); err != nil {
			fmt.Fprintf(os.Stderr, "gotour %s: %v\n", name, err)
			os.Exit(1)
		}
		return
	}
	fmt.Fprintf(os.Stderr, "gotour: no stop is called %q\n", os.Args[1])
	os.Exit(1)
}

func hello(args []string) error {
	greeting, given := os.LookupEnv("GREETING")
	if !given {
		greeting = "Hello"
	}
	if len(args) == 0 {
		args = []string{"gopher"}
	}
	fmt.Printf("%s, %s!\n", greeting, strings.Join(args, " and "))
	fmt.Printf("This is %s on %s/%s with %d processor.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	return nil
}

func shout([]string) error {
	lines, letters := 0, 0
	in, out := bufio.NewScanner(os.Stdin), bufio.NewWriter(os.Stdout)
	for in.Scan() {
		lines++
		letters += len([]rune(in.Text()))
		fmt.Fprintln(out, strings.ToUpper(in.Text()))
	}
	fmt.Fprintf(out, "(%d lines, %d characters)\n", lines, letters)
	if err := out.Flush(); err != nil {
		return err
	}
	return in.Err()
}
