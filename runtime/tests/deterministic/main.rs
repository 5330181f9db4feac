//! Deterministic engines give the same bits on every machine. The hash of `program.wat` is computed here in another way,
//! and kept in `hash.txt`, which `.ci/cross.sh` compares with what other processors print.

use teff_runtime::{Backend, CodeForm, Config, Engine, Instance, Module, Store};

const PROGRAM: &str = include_str!("program.wat");
const HASH: &str = include_str!("hash.txt");

#[derive(Default)]
struct Hash(u64);

impl Hash {
    fn mix(&mut self, bits: u64) {
        self.0 = (self.0.rotate_left(5) ^ bits).wrapping_mul(0x100_0000_01b3);
    }
}

/// What the program computes, in Rust, with the canonical NaN wherever an operation makes one.
macro_rules! reference {
    ($name:ident, $f:ident, $bits:ident, $other:ident, $values:expr) => {
        fn $name(hash: &mut Hash) {
            // As integers: for the compiler, any NaN may stand for any other.
            fn canonical(value: $f) -> $f {
                let (bits, infinity) = (value.to_bits(), $f::INFINITY.to_bits());
                let nan = infinity | 1 << ($f::MANTISSA_DIGITS - 2);
                $f::from_bits(if bits << 1 > infinity << 1 { nan } else { bits })
            }
            fn lesser(a: $f, b: $f, less: bool) -> $f {
                let zeros = if less {
                    a.to_bits() | b.to_bits()
                } else {
                    a.to_bits() & b.to_bits()
                };
                match a.partial_cmp(&b) {
                    None => canonical($f::NAN),
                    Some(std::cmp::Ordering::Equal) => $f::from_bits(zeros),
                    Some(order) => {
                        if (order == std::cmp::Ordering::Less) == less {
                            a
                        } else {
                            b
                        }
                    }
                }
            }
            // By bits: what Rust's own operations do to the sign of a NaN is not specified everywhere.
            let sign = 1 << ($bits::BITS - 1);
            let neg = |a: $f| $f::from_bits(a.to_bits() ^ sign);
            let copysign = |a: $f, b: $f| $f::from_bits(a.to_bits() & !sign | b.to_bits() & sign);
            let add = |a: $f, b: $f| canonical(a + b);
            let sub = |a: $f, b: $f| canonical(a - b);
            let mul = |a: $f, b: $f| canonical(a * b);
            let div = |a: $f, b: $f| canonical(a / b);
            let values: [$bits; 16] = $values;
            let values = values.map($f::from_bits);
            for a in values {
                let mut mix = |value: $f| hash.mix(value.to_bits().into());
                mix($f::from_bits(a.to_bits() & !sign));
                mix(neg(a));
                mix(canonical(a.ceil()));
                mix(canonical(a.floor()));
                mix(canonical(a.trunc()));
                mix(canonical(a.round_ties_even()));
                mix(canonical(a.sqrt()));
                let (other, infinity) = ((a as $other).to_bits(), $other::INFINITY.to_bits());
                let nan = infinity | 1 << ($other::MANTISSA_DIGITS - 2);
                hash.mix(
                    if other << 1 > infinity << 1 {
                        nan
                    } else {
                        other
                    }
                    .into(),
                );
                let mut mix = |value: $f| hash.mix(value.to_bits().into());
                mix(neg(canonical(a.sqrt())));
                mix(copysign(canonical(a.ceil()), a));
                for b in values {
                    mix(add(a, b));
                    mix(sub(a, b));
                    mix(mul(a, b));
                    mix(div(a, b));
                    mix(lesser(a, b, true));
                    mix(lesser(a, b, false));
                    mix(copysign(a, b));
                    let c = add(mul(a, b), a);
                    mix(c);
                    mix(sub(b, mul(a, c)));
                    mix(mul(add(a, c), b));
                    mix(add(c, values[8]));
                    mix(if sub(a, b) < c { div(a, c) } else { b });
                }
            }
        }
    };
}

reference!(
    all_f64,
    f64,
    u64,
    f32,
    [
        0x0,
        0x8000_0000_0000_0000,
        0x3ff0_0000_0000_0000,
        0xbff0_0000_0000_0000,
        0x7ff0_0000_0000_0000,
        0xfff0_0000_0000_0000,
        0x7ff8_0000_0000_0000,
        0xfff8_0000_0000_0000,
        0x7ff8_0000_dead_beef,
        0x7ff0_0000_0000_0001,
        0xfff4_0000_0000_0007,
        0x1,
        0x7fef_ffff_ffff_ffff,
        0x3fe0_0000_0000_0000,
        0xc004_0000_0000_0000,
        0x4009_21fb_5444_2d18,
    ]
);
reference!(
    all_f32,
    f32,
    u32,
    f64,
    [
        0x0,
        0x8000_0000,
        0x3f80_0000,
        0xbf80_0000,
        0x7f80_0000,
        0xff80_0000,
        0x7fc0_0000,
        0xffc0_0000,
        0x7fca_bcde,
        0x7f80_0001,
        0xffa0_0007,
        0x1,
        0x7f7f_ffff,
        0x3f00_0000,
        0xc020_0000,
        0x4049_0fdb,
    ]
);

fn hash(config: &Config) -> u64 {
    let engine = Engine::new(config).unwrap();
    let module = Module::new(&engine, wat::parse_str(PROGRAM).unwrap()).unwrap();
    let mut store = Store::new(&engine, ());
    let _ = store.set_fuel(1 << 40);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let hash = instance
        .get_typed_func::<(), i64>(&mut store, "hash")
        .unwrap();
    hash.call(&mut store, ()).unwrap() as u64
}

#[test]
fn the_hash_is_the_same_everywhere() {
    let mut expected = Hash::default();
    all_f64(&mut expected);
    all_f32(&mut expected);
    assert_eq!(
        HASH.trim(),
        (expected.0 as i64).to_string(),
        "hash.txt is not what it should be"
    );
    for &backend in Config::BACKENDS {
        for form in [CodeForm::Direct, CodeForm::Compact] {
            for (fusion, metered) in [(true, false), (false, false), (true, true)] {
                let mut config = Config::new();
                config.backend(backend).code_form(form).fusion(fusion);
                config.consume_fuel(metered).deterministic(true);
                let found = hash(&config);
                assert_eq!(found, expected.0, "{backend:?} {form:?} {fusion} {metered}");
            }
        }
    }
}

/// Otherwise the test above would say nothing: this processor makes negative NaNs of its own accord.
#[cfg(target_arch = "x86_64")]
#[test]
fn what_is_not_deterministic_differs() {
    let mut config = Config::new();
    config.backend(Backend::Loop);
    assert_ne!((hash(&config) as i64).to_string(), HASH.trim());
}
