;; The naive Fibonacci numbers: two recursive calls, a comparison and three additions a step. Measures calls.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 8) "fib ")

  (func $fib (param $n i32) (result i32)
    (if (result i32) (i32.lt_s (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else
        (i32.add
          (call $fib (i32.sub (local.get $n) (i32.const 1)))
          (call $fib (i32.sub (local.get $n) (i32.const 2)))))))

  (func (export "_start") (local $n i64)
    (local.set $n (call $amount (i64.const 35)))
    (call $print (local.get $n) (i64.extend_i32_u (call $fib (i32.wrap_i64 (local.get $n))))))

  ;; ---- the same in each of the wat programs: the first argument as a number, and the line with the result ----

  ;; The first argument in decimal, or $usual. Arguments are put at 1024.
  (func $amount (param $usual i64) (result i64)
    (local $at i32) (local $value i64)
    (drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
    (if (i32.lt_u (i32.load (i32.const 0)) (i32.const 2)) (then (return (local.get $usual))))
    (if (i32.gt_u (i32.load (i32.const 4)) (i32.const 4096)) (then (return (local.get $usual))))
    (drop (call $args_get (i32.const 1024) (i32.const 2048)))
    (local.set $at (i32.load (i32.const 1028)))
    (loop $digits
      (if (i32.lt_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)) (i32.const 10))
        (then
          (local.set $value
            (i64.add
              (i64.mul (local.get $value) (i64.const 10))
              (i64.extend_i32_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $digits))))
    (local.get $value))

  ;; Writes the number in decimal to $at, and returns where it ends.
  (func $decimal (param $at i32) (param $value i64) (result i32)
    (if (i64.ge_u (local.get $value) (i64.const 10))
      (then (local.set $at (call $decimal (local.get $at) (i64.div_u (local.get $value) (i64.const 10))))))
    (i32.store8 (local.get $at)
      (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $value) (i64.const 10)))))
    (i32.add (local.get $at) (i32.const 1)))

  ;; Writes `name amount: result` to stdout; the name is at 8.
  (func $print (param $amount i64) (param $result i64)
    (local $at i32)
    (local.set $at (i32.const 8))
    (loop $name
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $name (i32.load8_u (local.get $at))))
    (local.set $at (call $decimal (local.get $at) (local.get $amount)))
    (i32.store16 (local.get $at) (i32.const 0x203a))
    (local.set $at (call $decimal (i32.add (local.get $at) (i32.const 2)) (local.get $result)))
    (i32.store8 (local.get $at) (i32.const 10))
    (i32.store (i32.const 0) (i32.const 8))
    (i32.store (i32.const 4) (i32.sub (local.get $at) (i32.const 7)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 512)))))
