//! Decides whether this build has the threaded backend, whose handlers end in sibling calls, and its compact form; and whether
//! it lists handlers when they are asked for.
//!
//! rustc turns an indirect call in tail position into a jump at every opt-level but 0 on the targets below
//! (verified by disassembly; the run-time self-test in `exec/selftest.rs` refuses to run otherwise).

fn main() {
    println!("cargo:rustc-check-cfg=cfg(teff_threaded)");
    println!("cargo:rustc-check-cfg=cfg(teff_compact)");
    println!("cargo:rustc-check-cfg=cfg(teff_lists)");
    println!("cargo:rerun-if-changed=build.rs");
    let var = |name: &str| std::env::var(name).unwrap_or_default();

    let feature = |name: &str| std::env::var_os(format!("CARGO_FEATURE_{name}")).is_some();
    let wanted = feature("THREADED");
    let optimised = var("OPT_LEVEL") != "0";
    let target = var("TARGET");
    // Thumb-1 has no indirect jump with four live argument registers, so it never gets sibling calls.
    let thumb1 = target.starts_with("thumbv6m") || target.starts_with("thumbv8m.base");
    let able = matches!(
        var("CARGO_CFG_TARGET_ARCH").as_str(),
        "x86_64" | "aarch64" | "riscv64" | "riscv32" | "arm"
    ) && !thumb1;
    let miri = std::env::var_os("CARGO_CFG_MIRI").is_some();

    let threaded = wanted && optimised && able && !miri;
    // Direct cells name handlers by address; and so does a list, which takes the place of tables where a program is
    // relocated when it starts.
    if feature("STD") || (threaded && feature("COMPILE")) {
        println!("cargo:rustc-cfg=teff_lists");
    }
    if threaded {
        println!("cargo:rustc-cfg=teff_threaded");
        if feature("COMPACT") || !feature("STD") || !feature("COMPILE") {
            println!("cargo:rustc-cfg=teff_compact");
        }
    }
}
