// A Go program of one line: what it costs to start Go.
package main

import "fmt"

func main() {
	fmt.Println("Hello from Go")
}
