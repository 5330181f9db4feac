;; What containers in the tests do, one export each: `/tool.wasm#environ`. A result is the exit status. Paths are the first
;; argument, from the root on.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $fd_prestat_dir_name (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))

  ;; 0: an iovec; 16: results; 32: a newline; 48: words; 128: digits; 256: a subscription; 320: an event; 384: a name;
  ;; 1024: pointers to strings; 8192: strings; 65536: a buffer of 64 KiB.
  (memory (export "memory") 2)
  (data (i32.const 32) "\n")
  (data (i32.const 48) "stopping\n")
  (data (i32.const 60) "ready\n")
  (data (i32.const 70) "no more\n")

  (func $print (param $from i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $from))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))))

  (func $print_number (param $number i32)
    (local $at i32)
    (local.set $at (i32.const 144))
    (i32.store8 (i32.const 144) (i32.const 10))
    (loop $more
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (br_if $more (local.get $number)))
    (call $print (local.get $at) (i32.sub (i32.const 145) (local.get $at))))

  (func $length (param $string i32) (result i32)
    (local $end i32)
    (local.set $end (local.get $string))
    (block $done
      (loop $more
        (br_if $done (i32.eqz (i32.load8_u (local.get $end))))
        (local.set $end (i32.add (local.get $end) (i32.const 1)))
        (br $more)))
    (i32.sub (local.get $end) (local.get $string)))

  ;; Each on its line.
  (func $print_strings (param $count i32)
    (local $number i32) (local $string i32)
    (block $done
      (loop $more
        (br_if $done (i32.eq (local.get $number) (local.get $count)))
        (local.set $string
          (i32.load (i32.add (i32.const 1024) (i32.shl (local.get $number) (i32.const 2)))))
        (call $print (local.get $string) (call $length (local.get $string)))
        (call $print (i32.const 32) (i32.const 1))
        (local.set $number (i32.add (local.get $number) (i32.const 1)))
        (br $more))))

  ;; Does a path begin with the directory's name at 384, and go on after it? The root is without a name here.
  (func $lies_in (param $path i32) (param $length i32) (result i32)
    (local $at i32)
    (loop $more
      (if (i32.lt_u (local.get $at) (local.get $length))
        (then
          (if (i32.ne
                (i32.load8_u (i32.add (i32.const 384) (local.get $at)))
                (i32.load8_u (i32.add (local.get $path) (local.get $at))))
            (then (return (i32.const 0))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $more))))
    (i32.eq (i32.load8_u (i32.add (local.get $path) (local.get $length))) (i32.const 47)))

  ;; Opens the first argument in the directory that it lies deepest in, in a new descriptor at 16.
  (func $open (param $flags i32) (param $rights i64) (result i32)
    (local $path i32) (local $directory i32) (local $best i32) (local $length i32) (local $longest i32)
    (drop (call $args_get (i32.const 1024) (i32.const 8192)))
    (local.set $path (i32.load (i32.const 1028)))
    (local.set $directory (i32.const 3))
    (block $done
      (loop $more
        (br_if $done (call $fd_prestat_get (local.get $directory) (i32.const 16)))
        (local.set $length (i32.load (i32.const 20)))
        (drop (call $fd_prestat_dir_name (local.get $directory) (i32.const 384) (local.get $length)))
        (if (i32.eq (local.get $length) (i32.const 1)) (then (local.set $length (i32.const 0))))
        (if (i32.and
              (i32.ge_u (local.get $length) (local.get $longest))
              (call $lies_in (local.get $path) (local.get $length)))
          (then
            (local.set $longest (local.get $length))
            (local.set $best (local.get $directory))))
        (local.set $directory (i32.add (local.get $directory) (i32.const 1)))
        (br $more)))
    (local.set $path (i32.add (local.get $path) (i32.add (local.get $longest) (i32.const 1))))
    (call $path_open (local.get $best) (i32.const 0) (local.get $path) (call $length (local.get $path))
      (local.get $flags) (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 16)))

  (func $wait (param $nanoseconds i64)
    (i32.store8 (i32.const 264) (i32.const 0))
    (i32.store (i32.const 272) (i32.const 1))
    (i64.store (i32.const 280) (local.get $nanoseconds))
    (drop (call $poll_oneoff (i32.const 256) (i32.const 320) (i32.const 1) (i32.const 16))))

  (func (export "arguments")
    (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
    (drop (call $args_get (i32.const 1024) (i32.const 8192)))
    (call $print_strings (i32.load (i32.const 16))))

  (func (export "environ")
    (drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
    (drop (call $environ_get (i32.const 1024) (i32.const 8192)))
    (call $print_strings (i32.load (i32.const 16))))

  (func (export "answer") (result i32) (i32.const 42))

  ;; Prints a file; the result is WASI's error code.
  (func (export "read") (result i32)
    (local $error i32) (local $file i32)
    (local.set $error (call $open (i32.const 0) (i64.const 2)))
    (if (local.get $error) (then (return (local.get $error))))
    (local.set $file (i32.load (i32.const 16)))
    (block $done
      (loop $more
        (i32.store (i32.const 0) (i32.const 65536))
        (i32.store (i32.const 4) (i32.const 65536))
        (local.set $error (call $fd_read (local.get $file) (i32.const 0) (i32.const 1) (i32.const 16)))
        (br_if $done (i32.or (local.get $error) (i32.eqz (i32.load (i32.const 16)))))
        (call $print (i32.const 65536) (i32.load (i32.const 16)))
        (br $more)))
    (local.get $error))

  ;; Creates a file with "ready" in it; the result is WASI's error code.
  (func (export "write") (result i32)
    (local $error i32)
    (local.set $error (call $open (i32.const 1) (i64.const 64)))
    (if (local.get $error) (then (return (local.get $error))))
    (i32.store (i32.const 0) (i32.const 60))
    (i32.store (i32.const 4) (i32.const 6))
    (call $fd_write (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 20)))

  ;; Writes a file without an end; when that fails, the result is WASI's error code.
  (func (export "fill") (result i32)
    (local $error i32) (local $file i32)
    (local.set $error (call $open (i32.const 1) (i64.const 64)))
    (if (local.get $error) (then (return (local.get $error))))
    (local.set $file (i32.load (i32.const 16)))
    (call $print (i32.const 60) (i32.const 6))
    (i32.store (i32.const 0) (i32.const 65536))
    (i32.store (i32.const 4) (i32.const 65536))
    (loop $more
      (local.set $error (call $fd_write (local.get $file) (i32.const 0) (i32.const 1) (i32.const 16)))
      (br_if $more (i32.eqz (local.get $error))))
    (local.get $error))

  ;; Opens the first argument again and again, 10,000 times or until it is refused; says how often; stays.
  (func (export "descriptors")
    (local $count i32)
    (block $done
      (loop $more
        (br_if $done (call $open (i32.const 0) (i64.const 2)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $count) (i32.const 10000)))))
    (call $print_number (local.get $count))
    (call $print (i32.const 70) (i32.const 8))
    (loop $stay (call $wait (i64.const 1000000000)) (br $stay)))

  ;; Grows and touches memory until that is refused; says how many pages there are; stays.
  (func (export "bomb")
    (local $page i32)
    (block $done
      (loop $more
        (local.set $page (memory.grow (i32.const 1)))
        (br_if $done (i32.eq (local.get $page) (i32.const -1)))
        (i64.store (i32.shl (local.get $page) (i32.const 16)) (i64.const 1))
        (i64.store offset=4096 (i32.shl (local.get $page) (i32.const 16)) (i64.const 1))
        (br $more)))
    (call $print_number (memory.size))
    (call $print (i32.const 70) (i32.const 8))
    (loop $stay (call $wait (i64.const 1000000000)) (br $stay)))

  ;; Writes lines of 64 bytes for ever.
  (func (export "flood")
    (local $at i32)
    (local.set $at (i32.const 65536))
    (loop $more
      (i64.store (local.get $at) (i64.const 0x6f6f6f6f6f6f6f6f))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $more (i32.lt_u (local.get $at) (i32.const 131072))))
    (local.set $at (i32.const 65599))
    (loop $more
      (i32.store8 (local.get $at) (i32.const 10))
      (local.set $at (i32.add (local.get $at) (i32.const 64)))
      (br_if $more (i32.lt_u (local.get $at) (i32.const 131072))))
    (loop $more (call $print (i32.const 65536) (i32.const 65536)) (br $more)))

  (func (export "spin")
    (call $print (i32.const 60) (i32.const 6))
    (loop $more (br $more)))

  (func (export "sleep")
    (call $print (i32.const 60) (i32.const 6))
    (call $wait (i64.const 3600000000000)))

  ;; Says how often it has slept, ten times a second.
  (func (export "count")
    (local $number i32)
    (loop $more
      (local.set $number (i32.add (local.get $number) (i32.const 1)))
      (call $print_number (local.get $number))
      (call $wait (i64.const 100000000))
      (br $more)))

  (func $inner unreachable)
  (func $outer (call $inner))
  (func (export "trap") (call $outer))

  (func (export "_wasm_exit_graceful") (call $print (i32.const 48) (i32.const 9))))
