;; Is set up, says so, and stays. `#ready` is 0 after `_initialize` alone.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\03\00\00\00")
  (data (i32.const 16) "up\n")
  (global $initialized (mut i32) (i32.const 0))
  (func (export "_initialize")
    (if (global.get $initialized) (then unreachable))
    (global.set $initialized (i32.const 1)))
  (func (export "__post_init")
    (if (i32.eqz (global.get $initialized)) (then unreachable))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32))))
  (func (export "ready") (result i32) (i32.eqz (global.get $initialized))))
