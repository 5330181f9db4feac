//! What a guest is granted, from the options; and which option would have granted what it was refused.

use std::io::{self, Write};
use std::net::TcpListener;

use teff_runtime::Module;
use teff_wasi::{Denial, DirPerms, FilePerms, WasiCtx, WasiCtxBuilder, WasiLimits};

use crate::args::{Dir, Run};
use crate::failure::{Failure, Result};
use crate::flash;

/// The guest's arguments, environment, directories and sockets; its standard streams are ours, unless it has
/// none.
pub(crate) fn wasi(args: &Run) -> Result<WasiCtx> {
    let mut builder = WasiCtxBuilder::new();
    if !args.no_stdio {
        builder.inherit_stdio();
    }
    builder
        .args(&args.argv())
        .envs(&args.env)
        .allow_clocks(args.has_clocks())
        .allow_random(!args.no_random && !args.deterministic)
        .monotonic_raw(args.monotonic_raw)
        .limits(limits(args));
    for (key, value) in &args.device {
        builder.device(key, value);
    }
    if let Some(faults) = args.net_faults {
        builder.net_faults(faults);
    }
    for address in &args.tcp_listen {
        listen(&mut builder, address)?;
    }
    for dir in &args.dirs {
        grant(
            &mut builder,
            "--dir",
            dir,
            DirPerms::all(),
            FilePerms::all(),
        )?;
    }
    for dir in &args.dirs_ro {
        grant(
            &mut builder,
            "--dir-ro",
            dir,
            DirPerms::READ,
            FilePerms::READ,
        )?;
    }
    flash::grant(&mut builder, args)?;
    if args.audit {
        // Nobody may be there to read it.
        builder.on_refusal(|refusal| _ = writeln!(io::stderr(), "teff: refused: {refusal}"));
    }
    Ok(builder.build())
}

fn limits(args: &Run) -> WasiLimits {
    let mut limits = WasiLimits::new();
    if let Some(count) = args.max_fds {
        limits = limits.open_fds(count);
    }
    if let Some(bytes) = args.max_written {
        limits = limits.bytes_written(bytes as u64);
    }
    if let Some(count) = args.max_entries {
        limits = limits.dir_entries(count);
    }
    if let Some(count) = args.max_subscriptions {
        limits = limits.subscriptions(count);
    }
    if let Some(time) = args.max_wait {
        limits = limits.blocking(time);
    }
    limits
}

fn listen(builder: &mut WasiCtxBuilder, address: &str) -> Result<()> {
    let failure = |what: &dyn std::fmt::Display| {
        Failure::message(format!(
            "--tcp-listen {address}: cannot listen there: {what}"
        ))
    };
    let listener = TcpListener::bind(address).map_err(|e| failure(&e))?;
    let chosen = listener.local_addr().map_err(|e| failure(&e))?;
    if address.ends_with(":0") {
        eprintln!("teff: listening on {chosen}");
    }
    builder
        .preopened_socket(listener)
        .map_err(|e| failure(&e))?;
    Ok(())
}

fn grant(
    builder: &mut WasiCtxBuilder,
    option: &str,
    dir: &Dir,
    dir_perms: DirPerms,
    file_perms: FilePerms,
) -> Result<()> {
    let host = dir.host.display();
    if !dir.host.is_dir() {
        let what = if dir.host.exists() {
            "is no directory"
        } else {
            "does not exist"
        };
        return Err(Failure::message(format!("{option} {host}: {host} {what}")));
    }
    builder
        .preopened_dir(&dir.host, &dir.guest, dir_perms, file_perms)
        .map_err(|e| Failure::message(format!("{option} {host}: cannot open it: {e}")))?;
    Ok(())
}

/// Says, after a guest has failed, which options would have granted what it was refused; with `--audit`, how
/// often it was refused what, in any case.
pub(crate) fn report(args: &Run, ctx: &WasiCtx, module: &Module, failed: bool) {
    if args.audit {
        if ctx.refusals().is_empty() {
            eprintln!("teff: nothing was refused");
        }
        for (function, denial, count) in ctx.refusals() {
            eprintln!("teff: refused {count} times: {function}: {denial}");
        }
    }
    if !failed {
        return;
    }
    let mut seen = Vec::new();
    for (function, denial, _) in ctx.refusals() {
        if !seen.contains(denial) {
            seen.push(*denial);
            eprintln!(
                "teff: the guest was refused {function}: {denial}{}",
                grant_for(*denial)
            );
        }
    }
    // What was never granted is never refused: a language's runtime finds none, says so itself, and does not ask.
    let lacks = lacks(args, module);
    if !lacks.is_empty() {
        eprintln!("teff: the guest had {}", lacks.join(", "));
    }
}

/// What the module may have needed, by its imports, and was not granted; with the options that grant it.
fn lacks(args: &Run, module: &Module) -> Vec<&'static str> {
    let no_dirs = args.dirs.is_empty()
        && args.dirs_ro.is_empty()
        && args.flash.is_empty()
        && args.tmpfs.is_empty();
    let no_env = args.env.is_empty() && args.device.is_empty();
    [
        (
            no_dirs && imports(module, "path_"),
            "no directory (--dir HOST[::GUEST] or --dir-ro grants one)",
        ),
        (
            no_env && imports(module, "environ_get"),
            "no environment (--env K=V)",
        ),
        (
            args.tcp_listen.is_empty() && imports(module, "sock_accept"),
            "no socket (--tcp-listen ADDRESS:PORT)",
        ),
        (
            args.no_stdio && imports(module, "fd_"),
            "no standard streams (without --no-stdio it has them)",
        ),
    ]
    .into_iter()
    .filter_map(|(lacks, what)| lacks.then_some(what))
    .collect()
}

/// Does the module import a function of WASI whose name begins so?
fn imports(module: &Module, prefix: &str) -> bool {
    module
        .imports()
        .any(|import| import.module().starts_with("wasi_") && import.name().starts_with(prefix))
}

/// The option that grants it.
fn grant_for(denial: Denial) -> &'static str {
    match denial {
        Denial::Path => "; --dir HOST::GUEST grants another directory",
        Denial::Permissions => "; --dir in place of --dir-ro grants it",
        Denial::Clocks => "; without --no-clocks and --deterministic it has them",
        Denial::Random => "; without --no-random and --deterministic it has it",
        Denial::OpenFds => "; --max-fds sets it",
        Denial::BytesWritten => "; --max-written sets it",
        Denial::DirEntries => "; --max-entries sets it",
        Denial::Subscriptions => "; --max-subscriptions sets it",
        Denial::BlockingTime => "; --max-wait sets it",
        _ => "",
    }
}
