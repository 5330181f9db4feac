;; The longest Collatz sequence below a limit, in i64, without memory: locals, compares, branches, shifts. A global
;; counts the steps.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 8) "collatz ")

  (global $steps (mut i64) (i64.const 0))

  (func $length (param $n i64) (result i64) (local $count i64)
    (block $done
      (loop $step
        (br_if $done (i64.le_u (local.get $n) (i64.const 1)))
        (local.set $n
          (if (result i64) (i64.eqz (i64.and (local.get $n) (i64.const 1)))
            (then (i64.shr_u (local.get $n) (i64.const 1)))
            (else (i64.add (i64.mul (local.get $n) (i64.const 3)) (i64.const 1)))))
        (local.set $count (i64.add (local.get $count) (i64.const 1)))
        (global.set $steps (i64.add (global.get $steps) (i64.const 1)))
        (br $step)))
    (local.get $count))

  (func (export "_start") (local $limit i64) (local $n i64) (local $best i64) (local $longest i64) (local $count i64)
    (local.set $limit (call $amount (i64.const 420000)))
    (loop $next
      (local.set $count (call $length (local.get $n)))
      (if (i64.gt_u (local.get $count) (local.get $longest))
        (then
          (local.set $longest (local.get $count))
          (local.set $best (local.get $n))))
      (local.set $n (i64.add (local.get $n) (i64.const 1)))
      (br_if $next (i64.lt_u (local.get $n) (local.get $limit))))
    (call $print (local.get $limit)
      (i64.add
        (i64.mul (i64.add (i64.mul (local.get $best) (i64.const 1000)) (local.get $longest)) (i64.const 1000000000))
        (i64.rem_u (global.get $steps) (i64.const 1000000000)))))

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
