// An HTTP server of Go's standard library, on a socket that it was given: descriptor 3.
//
//	teff run --tcp-listen 127.0.0.1:8080 http-server-go.wasm
//
// It knows / (a greeting), /echo (sends back what it was sent), /slow (waits for a tenth of a second, and
// others are served meanwhile) and /hash?n=N (SHA-256, N times over).
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

func greet(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	fmt.Fprintln(w, "Hello from Go in a sandbox.")
}

func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	// HTTP/1 clients that read only after they have sent all are served too.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	w.Write(body)
}

func slow(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(100 * time.Millisecond):
		fmt.Fprintln(w, "at last")
	case <-r.Context().Done():
	}
}

func hash(w http.ResponseWriter, r *http.Request) {
	times, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || times < 0 || times > 10000 {
		http.Error(w, "n must be a number up to 10000", http.StatusBadRequest)
		return
	}
	var sum [sha256.Size]byte
	for range times {
		sum = sha256.Sum256(sum[:])
	}
	fmt.Fprintf(w, "%x\n", sum)
}

func main() {
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "no socket to listen on as descriptor 3 (teff run --tcp-listen ADDRESS:PORT):", err)
		os.Exit(1)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", greet)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/slow", slow)
	mux.HandleFunc("/hash", hash)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, server.Serve(listener))
	os.Exit(1)
}
