//! Metering adds charges to the code, and changes nothing else; without it nothing is there.

use super::*;

/// The instructions of all functions, without places.
fn instructions(engine: &Engine, binary: &[u8]) -> Vec<String> {
    let module = Module::new(engine, binary).unwrap();
    let mut all = Vec::new();
    for index in 0.. {
        let mut text = String::new();
        match teff_runtime::disassemble(&module, index, &mut text) {
            Ok(()) => {}
            Err(error) if error.to_string().contains("imported") => continue,
            Err(_) => break,
        }
        for line in text.lines().skip(1) {
            // Offsets of the operator (if it is a new one) and of the cell, then the instruction.
            let instruction = line[9..].trim_start();
            let (_, instruction) = instruction.split_once("  ").unwrap();
            let (instruction, _) = instruction.split_once(" @").unwrap_or((instruction, ""));
            all.push(instruction.into());
        }
    }
    all
}

/// An instruction without its charge.
fn free(instruction: &str) -> String {
    let charge = instruction
        .split([' ', ','])
        .skip_while(|word| *word != "fuel")
        .nth(1);
    let mut text = instruction.replace(".metered", "");
    if let Some(charge) = charge {
        for charge in [
            format!(", fuel {charge}"),
            format!(" fuel {charge},"),
            format!(" fuel {charge}"),
        ] {
            text = text.replacen(&charge, "", 1);
        }
    }
    text
}

#[test]
fn code_is_the_same_but_for_the_charges() {
    let binary = include_bytes!("../../../examples/kernels.wasm");
    for fusion in [true, false] {
        let engine = |configure: &dyn Fn(&mut Config)| {
            let mut config = Config::new();
            configure(config.fusion(fusion));
            Engine::new(&config).unwrap()
        };
        let off = instructions(&engine(&|_| {}), binary);
        assert!(off.len() > 1000, "only {} instructions", off.len());
        let traces = |line: &&String| line.contains("fuel") || line.contains("metered");
        assert_eq!(off.iter().find(traces), None);

        let fuel = instructions(&engine(&|config| _ = config.consume_fuel(true)), binary);
        let epochs = instructions(
            &engine(&|config| _ = config.epoch_interruption(true)),
            binary,
        );
        assert_eq!(fuel, epochs);
        assert!(fuel.iter().filter(|line| line.contains(" fuel ")).count() > 100);
        let stripped = fuel
            .iter()
            .filter(|line| !line.starts_with("enter.metered"));
        let stripped: Vec<_> = stripped.map(|line| free(line)).collect();
        assert_eq!(stripped, off);
    }
}
