;; Every float operation on every pair of the values below, among them NaNs of all kinds, mixed into one hash. The same
;; on every machine if operations make the canonical NaN; see main.rs, which computes the hash in another way.
(module
  (memory 1)
  ;; 16 values of each type: zeros, ones, infinities, then NaNs: canonical, negative, with a payload, signalling, negative
  ;; signalling; then the least, the largest, fractions.
  (data (i32.const 0)
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\80"
    "\00\00\00\00\00\00\f0\3f\00\00\00\00\00\00\f0\bf"
    "\00\00\00\00\00\00\f0\7f\00\00\00\00\00\00\f0\ff"
    "\00\00\00\00\00\00\f8\7f\00\00\00\00\00\00\f8\ff"
    "\ef\be\ad\de\00\00\f8\7f\01\00\00\00\00\00\f0\7f"
    "\07\00\00\00\00\00\f4\ff\01\00\00\00\00\00\00\00"
    "\ff\ff\ff\ff\ff\ff\ef\7f\00\00\00\00\00\00\e0\3f"
    "\00\00\00\00\00\00\04\c0\18\2d\44\54\fb\21\09\40"
  )
  (data (i32.const 128)
    "\00\00\00\00\00\00\00\80\00\00\80\3f\00\00\80\bf"
    "\00\00\80\7f\00\00\80\ff\00\00\c0\7f\00\00\c0\ff"
    "\de\bc\ca\7f\01\00\80\7f\07\00\a0\ff\01\00\00\00"
    "\ff\ff\7f\7f\00\00\00\3f\00\00\20\c0\db\0f\49\40"
  )
  (global $hash (mut i64) (i64.const 0))
  (func $mix (param i64)
    (global.set $hash (i64.mul
      (i64.xor (i64.rotl (global.get $hash) (i64.const 5)) (local.get 0))
      (i64.const 0x100000001b3))))
  (func $mix_f64 (param f64) (call $mix (i64.reinterpret_f64 (local.get 0))))
  (func $mix_f32 (param f32) (call $mix (i64.extend_i32_u (i32.reinterpret_f32 (local.get 0)))))

  (func $one_f64 (param $a f64)
    (call $mix_f64 (f64.abs (local.get $a)))
    (call $mix_f64 (f64.neg (local.get $a)))
    (call $mix_f64 (f64.ceil (local.get $a)))
    (call $mix_f64 (f64.floor (local.get $a)))
    (call $mix_f64 (f64.trunc (local.get $a)))
    (call $mix_f64 (f64.nearest (local.get $a)))
    (call $mix_f64 (f64.sqrt (local.get $a)))
    (call $mix_f32 (f32.demote_f64 (local.get $a)))
    ;; Moves of bits after an operation.
    (call $mix_f64 (f64.neg (f64.sqrt (local.get $a))))
    (call $mix_f64 (f64.copysign (f64.ceil (local.get $a)) (local.get $a))))
  (func $two_f64 (param $a f64) (param $b f64) (local $c f64)
    (call $mix_f64 (f64.add (local.get $a) (local.get $b)))
    (call $mix_f64 (f64.sub (local.get $a) (local.get $b)))
    (call $mix_f64 (f64.mul (local.get $a) (local.get $b)))
    (call $mix_f64 (f64.div (local.get $a) (local.get $b)))
    (call $mix_f64 (f64.min (local.get $a) (local.get $b)))
    (call $mix_f64 (f64.max (local.get $a) (local.get $b)))
    (call $mix_f64 (f64.copysign (local.get $a) (local.get $b)))
    ;; What the translator makes one instruction of, into a local and on.
    (local.set $c (f64.add (f64.mul (local.get $a) (local.get $b)) (local.get $a)))
    (call $mix_f64 (local.get $c))
    (call $mix_f64 (f64.sub (local.get $b) (f64.mul (local.get $a) (local.get $c))))
    (call $mix_f64 (f64.mul (f64.add (local.get $a) (local.get $c)) (local.get $b)))
    (call $mix_f64 (f64.add (local.get $c) (f64.load (i32.const 64))))
    (call $mix_f64 (select (f64.div (local.get $a) (local.get $c)) (local.get $b)
      (f64.lt (f64.sub (local.get $a) (local.get $b)) (local.get $c)))))
  (func $all_f64 (local $i i32) (local $j i32)
    (loop $i
      (call $one_f64 (f64.load offset=0 (local.get $i)))
      (local.set $j (i32.const 0))
      (loop $j
        (call $two_f64 (f64.load offset=0 (local.get $i)) (f64.load offset=0 (local.get $j)))
        (local.set $j (i32.add (local.get $j) (i32.const 8)))
        (br_if $j (i32.lt_u (local.get $j) (i32.const 128))))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br_if $i (i32.lt_u (local.get $i) (i32.const 128)))))
  (func $one_f32 (param $a f32)
    (call $mix_f32 (f32.abs (local.get $a)))
    (call $mix_f32 (f32.neg (local.get $a)))
    (call $mix_f32 (f32.ceil (local.get $a)))
    (call $mix_f32 (f32.floor (local.get $a)))
    (call $mix_f32 (f32.trunc (local.get $a)))
    (call $mix_f32 (f32.nearest (local.get $a)))
    (call $mix_f32 (f32.sqrt (local.get $a)))
    (call $mix_f64 (f64.promote_f32 (local.get $a)))
    ;; Moves of bits after an operation.
    (call $mix_f32 (f32.neg (f32.sqrt (local.get $a))))
    (call $mix_f32 (f32.copysign (f32.ceil (local.get $a)) (local.get $a))))
  (func $two_f32 (param $a f32) (param $b f32) (local $c f32)
    (call $mix_f32 (f32.add (local.get $a) (local.get $b)))
    (call $mix_f32 (f32.sub (local.get $a) (local.get $b)))
    (call $mix_f32 (f32.mul (local.get $a) (local.get $b)))
    (call $mix_f32 (f32.div (local.get $a) (local.get $b)))
    (call $mix_f32 (f32.min (local.get $a) (local.get $b)))
    (call $mix_f32 (f32.max (local.get $a) (local.get $b)))
    (call $mix_f32 (f32.copysign (local.get $a) (local.get $b)))
    ;; What the translator makes one instruction of, into a local and on.
    (local.set $c (f32.add (f32.mul (local.get $a) (local.get $b)) (local.get $a)))
    (call $mix_f32 (local.get $c))
    (call $mix_f32 (f32.sub (local.get $b) (f32.mul (local.get $a) (local.get $c))))
    (call $mix_f32 (f32.mul (f32.add (local.get $a) (local.get $c)) (local.get $b)))
    (call $mix_f32 (f32.add (local.get $c) (f32.load (i32.const 160))))
    (call $mix_f32 (select (f32.div (local.get $a) (local.get $c)) (local.get $b)
      (f32.lt (f32.sub (local.get $a) (local.get $b)) (local.get $c)))))
  (func $all_f32 (local $i i32) (local $j i32)
    (loop $i
      (call $one_f32 (f32.load offset=128 (local.get $i)))
      (local.set $j (i32.const 0))
      (loop $j
        (call $two_f32 (f32.load offset=128 (local.get $i)) (f32.load offset=128 (local.get $j)))
        (local.set $j (i32.add (local.get $j) (i32.const 4)))
        (br_if $j (i32.lt_u (local.get $j) (i32.const 64))))
      (local.set $i (i32.add (local.get $i) (i32.const 4)))
      (br_if $i (i32.lt_u (local.get $i) (i32.const 64)))))
  (func (export "hash") (result i64)
    (global.set $hash (i64.const 0))
    (call $all_f64)
    (call $all_f32)
    (global.get $hash)))
