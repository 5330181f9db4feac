;; A text of noise is read by a state machine in two ways: by br_table on the class of the byte, as a lexer does, and
;; by call_indirect through a table of state functions, each of which returns the next state.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 8) "automaton ")

  (type $state (func (param i32) (result i32)))
  (table 8 funcref)
  (elem (i32.const 0) $blank $word $number $quoted $blank $word $number $escaped)

  (global $words (mut i32) (i32.const 0))
  (global $sum (mut i32) (i32.const 0))

  ;; Fills 64 KiB from 65536 on with printable noise.
  (func $fill (param $seed i32) (local $at i32)
    (local.set $at (i32.const 65536))
    (loop $next
      (local.set $seed (i32.add (i32.mul (local.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 32) (i32.rem_u (i32.shr_u (local.get $seed) (i32.const 16)) (i32.const 95))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 131072)))))

  ;; The class of a byte: 0 blank, 1 digit, 2 letter, 3 quote, 4 bracket, 5 backslash, 6 operator, 7 else.
  (func $class (param $c i32) (result i32)
    (if (i32.eq (local.get $c) (i32.const 32)) (then (return (i32.const 0))))
    (if (i32.lt_u (i32.sub (local.get $c) (i32.const 48)) (i32.const 10)) (then (return (i32.const 1))))
    (if (i32.lt_u (i32.sub (i32.or (local.get $c) (i32.const 32)) (i32.const 97)) (i32.const 26))
      (then (return (i32.const 2))))
    (if (i32.eq (local.get $c) (i32.const 34)) (then (return (i32.const 3))))
    (if (i32.eq (i32.and (local.get $c) (i32.const 0x7e)) (i32.const 40)) (then (return (i32.const 4))))
    (if (i32.eq (local.get $c) (i32.const 92)) (then (return (i32.const 5))))
    (select (i32.const 6) (i32.const 7) (i32.lt_u (local.get $c) (i32.const 48))))

  ;; Counts by classes: br_table in a loop.
  (func $scan (result i32)
    (local $at i32) (local $tokens i32) (local $depth i32) (local $value i32) (local $operators i32) (local $c i32)
    (local.set $at (i32.const 65536))
    (loop $next
      (local.set $c (i32.load8_u (local.get $at)))
      (block $continue
        (block $else
          (block $operator
            (block $backslash
              (block $bracket
                (block $quote
                  (block $letter
                    (block $digit
                      (block $space
                        (br_table $space $digit $letter $quote $bracket $backslash $operator $else
                          (call $class (local.get $c))))
                      (local.set $tokens (i32.add (local.get $tokens) (i32.ne (local.get $value) (i32.const 0))))
                      (local.set $value (i32.const 0))
                      (br $continue))
                    (local.set $value
                      (i32.add (i32.mul (local.get $value) (i32.const 10)) (i32.sub (local.get $c) (i32.const 48))))
                    (br $continue))
                  (local.set $value (i32.add (i32.rotl (local.get $value) (i32.const 5)) (local.get $c)))
                  (br $continue))
                (local.set $tokens (i32.add (local.get $tokens) (i32.const 1)))
                (br $continue))
              (local.set $depth
                (i32.add (local.get $depth)
                  (select (i32.const -1) (i32.const 1) (i32.and (local.get $c) (i32.const 1)))))
              (br $continue))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $continue))
          (local.set $operators (i32.add (local.get $operators) (i32.const 1)))
          (br $continue))
        (local.set $value (i32.xor (local.get $value) (local.get $c))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 131072))))
    (i32.add
      (i32.add (i32.mul (local.get $tokens) (i32.const 31)) (local.get $depth))
      (i32.add (i32.mul (local.get $operators) (i32.const 7)) (local.get $value))))

  (func $blank (type $state)
    (if (i32.eq (local.get 0) (i32.const 34)) (then (return (i32.const 3))))
    (if (i32.lt_u (i32.sub (local.get 0) (i32.const 48)) (i32.const 10)) (then (return (i32.const 2))))
    (i32.gt_u (local.get 0) (i32.const 64)))

  (func $word (type $state)
    (if (i32.gt_u (local.get 0) (i32.const 64)) (then (return (i32.const 5))))
    (global.set $words (i32.add (global.get $words) (i32.const 1)))
    (select (i32.const 2) (i32.const 0) (i32.gt_u (local.get 0) (i32.const 48))))

  (func $number (type $state)
    (global.set $sum (i32.add (i32.mul (global.get $sum) (i32.const 33)) (local.get 0)))
    (select (i32.const 6) (i32.const 4) (i32.lt_u (i32.sub (local.get 0) (i32.const 48)) (i32.const 10))))

  (func $quoted (type $state)
    (if (i32.eq (local.get 0) (i32.const 92)) (then (return (i32.const 7))))
    (select (i32.const 0) (i32.const 3) (i32.eq (local.get 0) (i32.const 34))))

  (func $escaped (type $state)
    (global.set $sum (i32.xor (global.get $sum) (local.get 0)))
    (i32.const 3))

  ;; Runs the state functions over the text: call_indirect in a loop.
  (func $walk (local $at i32) (local $now i32)
    (local.set $at (i32.const 65536))
    (loop $next
      (local.set $now
        (call_indirect (type $state) (i32.load8_u (local.get $at)) (local.get $now)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 131072)))))

  (func (export "_start") (local $times i64) (local $turn i64) (local $result i64)
    (local.set $times (call $amount (i64.const 110)))
    (loop $next
      (call $fill (i32.wrap_i64 (local.get $turn)))
      (local.set $result
        (i64.add (i64.mul (local.get $result) (i64.const 31)) (i64.extend_i32_u (call $scan))))
      (call $walk)
      (local.set $turn (i64.add (local.get $turn) (i64.const 1)))
      (br_if $next (i64.lt_u (local.get $turn) (local.get $times))))
    (call $print (local.get $times)
      (i64.xor (local.get $result)
        (i64.or
          (i64.shl (i64.extend_i32_u (global.get $words)) (i64.const 32))
          (i64.extend_i32_u (global.get $sum))))))

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
