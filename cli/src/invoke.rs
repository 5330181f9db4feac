//! Calls one exported function with arguments from the command line. Knows how values are written.

use std::ffi::OsString;

use teff_runtime::{Func, FuncType, Instance, Store, Val, ValType};

use crate::failure::{Failure, Result};

/// Calls `name` with `args`, and prints the results one a line.
pub(crate) fn invoke<T>(
    store: &mut Store<T>,
    instance: &Instance,
    name: &str,
    args: &[OsString],
) -> Result<()> {
    let func = find(store, instance, name)?;
    let ty = func.ty(&*store);
    let args = parse_all(name, &ty, args)?;
    let mut results = vec![Val::I32(0); ty.results().len()];
    func.call(&mut *store, &args, &mut results)
        .map_err(|e| Failure::from_guest(&e))?;
    for result in &results {
        println!("{}", show(result));
    }
    Ok(())
}

fn find<T>(store: &mut Store<T>, instance: &Instance, name: &str) -> Result<Func> {
    if let Some(func) = instance.get_func(&mut *store, name) {
        return Ok(func);
    }
    let functions = exported_functions(store, instance);
    Err(Failure::message(match functions.as_slice() {
        [] => format!("the module exports no function `{name}`, nor any other"),
        functions => {
            format!(
                "the module exports no function `{name}`; it has {}",
                functions.join(", ")
            )
        }
    }))
}

/// The names of the functions that an instance exports.
pub(crate) fn exported_functions<T>(store: &mut Store<T>, instance: &Instance) -> Vec<String> {
    let mut names = Vec::new();
    for export in instance.exports(&mut *store) {
        let name = export.name().to_string();
        if export.into_extern().into_func().is_some() {
            names.push(name);
        }
    }
    names
}

fn parse_all(name: &str, ty: &FuncType, args: &[OsString]) -> Result<Vec<Val>> {
    if ty.params().len() != args.len() {
        let types: Vec<_> = ty.params().map(|ty| ty.to_string()).collect();
        return Err(Failure::message(format!(
            "`{name}` takes {} arguments ({}), but {} are given",
            types.len(),
            types.join(", "),
            args.len()
        )));
    }
    let parse =
        |(ty, arg): (ValType, &OsString)| match arg.to_str().and_then(|text| parse(ty, text)) {
            Some(val) => Ok(val),
            None => Err(Failure::message(format!(
                "`{}` is no {ty}: {}",
                arg.display(),
                form_of(ty)
            ))),
        };
    ty.params().zip(args).map(parse).collect()
}

fn parse(ty: ValType, text: &str) -> Option<Val> {
    Some(match ty {
        ValType::I32 => Val::I32(parse_int(text, 32)? as i32),
        ValType::I64 => Val::I64(parse_int(text, 64)? as i64),
        ValType::F32 => Val::F32(text.parse::<f32>().ok()?.to_bits()),
        ValType::F64 => Val::F64(text.parse::<f64>().ok()?.to_bits()),
        ValType::V128 => Val::V128(u128::from_str_radix(text.strip_prefix("0x")?, 16).ok()?),
        ValType::Ref(ty) if ty.is_nullable() && text == "null" => {
            Val::default_for_ty(&ValType::Ref(ty))?
        }
        ValType::Ref(_) => return None,
    })
}

/// How a value of the type is written.
fn form_of(ty: ValType) -> &'static str {
    match ty {
        ValType::I32 | ValType::I64 => "expected an integer of that size, such as 7, -7 or 0xff",
        ValType::F32 | ValType::F64 => "expected a number such as 0.5, -1e9, inf or nan",
        ValType::V128 => "expected 128 bits such as 0xff",
        ValType::Ref(_) => "references cannot be given, except `null`",
    }
}

/// A signed or unsigned number of so many bits, decimal or hexadecimal.
fn parse_int(text: &str, bits: u32) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let value = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    // The parsers take a sign of their own.
    let value = if digits.contains(['+', '-']) {
        None
    } else {
        value.ok()
    };
    let value = i128::from(value?) * if negative { -1 } else { 1 };
    let range = -(1_i128 << (bits - 1))..1_i128 << bits;
    range.contains(&value).then_some(value)
}

fn show(val: &Val) -> String {
    match val {
        Val::I32(v) => v.to_string(),
        Val::I64(v) => v.to_string(),
        Val::F32(v) => f32::from_bits(*v).to_string(),
        Val::F64(v) => f64::from_bits(*v).to_string(),
        Val::V128(v) => format!("{v:#034x}"),
        Val::FuncRef(None) | Val::ExternRef(None) => "null".into(),
        Val::FuncRef(Some(_)) => "funcref".into(),
        Val::ExternRef(Some(_)) => "externref".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        assert_eq!(parse_int("-2147483648", 32), Some(-1 << 31));
        assert_eq!(parse_int("4294967295", 32), Some((1 << 32) - 1));
        assert_eq!(parse_int("0xffffffff", 32), Some((1 << 32) - 1));
        assert_eq!(parse_int("-0x10", 32), Some(-16));
        assert_eq!(parse_int("18446744073709551615", 64), Some((1 << 64) - 1));
        for wrong in [
            "4294967296",
            "-2147483649",
            "",
            "-",
            "0x",
            "1.5",
            "--1",
            "0x-1",
            "+1",
            "x",
        ] {
            assert_eq!(parse_int(wrong, 32), None, "{wrong}");
        }
    }

    #[test]
    fn floats() {
        assert!(
            matches!(parse(ValType::F64, "-1e9"), Some(Val::F64(v)) if f64::from_bits(v) == -1e9)
        );
        assert!(matches!(
            parse(ValType::F32, "inf"),
            Some(Val::F32(0x7f80_0000))
        ));
        assert!(
            matches!(parse(ValType::F32, "nan"), Some(Val::F32(v)) if f32::from_bits(v).is_nan())
        );
        assert!(parse(ValType::F32, "one").is_none());
    }
}
