;; The probe: tries to create a file in every directory that it was given, and to read one outside of it; says what came of
;; it ("write /data 00", "outside /data 76": WASI's error codes); then waits to be stopped, for five minutes at most.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get"
    (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
    (func $fd_prestat_dir_name (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file"
    (func $path_unlink_file (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 0) "write ")
  (data (i32.const 8) "outside ")
  (data (i32.const 16) "teff-verify-probe")    ;; 17 bytes
  (data (i32.const 48) "../etc/hostname")      ;; 15 bytes
  (data (i32.const 64) " 00\n")
  (data (i32.const 80) "ready\n")

  ;; Writes a line: a word, the directory's name, which lies at 4096, and an error code of two digits.
  (func $say (param $word i32) (param $length i32) (param $name_length i32) (param $code i32)
    (i32.store8 (i32.const 65) (i32.add (i32.const 48) (i32.div_u (local.get $code) (i32.const 10))))
    (i32.store8 (i32.const 66) (i32.add (i32.const 48) (i32.rem_u (local.get $code) (i32.const 10))))
    (i32.store (i32.const 512) (local.get $word))
    (i32.store (i32.const 516) (local.get $length))
    (i32.store (i32.const 520) (i32.const 4096))
    (i32.store (i32.const 524) (local.get $name_length))
    (i32.store (i32.const 528) (i32.const 64))
    (i32.store (i32.const 532) (i32.const 4))
    (drop (call $fd_write (i32.const 1) (i32.const 512) (i32.const 3) (i32.const 540))))

  (func (export "_start")
    (local $fd i32) (local $length i32) (local $code i32)
    (local.set $fd (i32.const 3))
    (block $done
      (loop $next
        (br_if $done (call $fd_prestat_get (local.get $fd) (i32.const 400)))
        (local.set $length (i32.load (i32.const 404)))
        (br_if $done (i32.gt_u (local.get $length) (i32.const 4096)))
        (br_if $done (call $fd_prestat_dir_name (local.get $fd) (i32.const 4096) (local.get $length)))
        ;; O_CREAT, the right fd_write
        (local.set $code
          (call $path_open (local.get $fd) (i32.const 0) (i32.const 16) (i32.const 17) (i32.const 1) (i64.const 64)
            (i64.const 0) (i32.const 0) (i32.const 500)))
        (call $say (i32.const 0) (i32.const 6) (local.get $length) (local.get $code))
        (if (i32.eqz (local.get $code))
          (then (drop (call $path_unlink_file (local.get $fd) (i32.const 16) (i32.const 17)))))
        ;; the right fd_read
        (call $say (i32.const 8) (i32.const 8) (local.get $length)
          (call $path_open (local.get $fd) (i32.const 0) (i32.const 48) (i32.const 15) (i32.const 0) (i64.const 2)
            (i64.const 0) (i32.const 0) (i32.const 500)))
        (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
        (br $next)))
    (i32.store (i32.const 512) (i32.const 80))
    (i32.store (i32.const 516) (i32.const 6))
    (drop (call $fd_write (i32.const 1) (i32.const 512) (i32.const 1) (i32.const 540)))
    ;; A subscription to the monotonic clock.
    (i32.store (i32.const 2064) (i32.const 1))
    (i64.store (i32.const 2072) (i64.const 300000000000))
    (drop (call $poll_oneoff (i32.const 2048) (i32.const 2200) (i32.const 1) (i32.const 2300)))))
