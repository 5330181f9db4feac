//! `teff-shim`: what a node needs beside the shim itself.
//!
//! ```text
//! install   the shim and its entry in containerd's configuration; uninstall undoes that, status tells of it
//! verify    is a node, or a cluster, ready? with a pod to try it
//! image     an image of a module, as an archive; oci makes it
//! node      the node that they work on
//! fetch     a module out of an image in containerd's content store (the shim runs it)
//! wat       text to binary (the shim runs it)
//! grpc      calls over containerd's socket, for the commands that need them
//! ```

mod fetch;
mod grpc;
mod image;
mod install;
mod node;
mod oci;
mod status;
mod uninstall;
mod verify;
mod wat;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a node needs beside the shim itself.
///
/// containerd runs WebAssembly modules through `containerd-shim-teff-v1`. This program puts that shim on a node, tells
/// whether a node and a cluster are ready for it, and does the shim's rare work, so that the shim stays small.
#[derive(Parser)]
#[command(name = "teff-shim", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Install(install::Args),
    Uninstall(uninstall::Args),
    Status(status::Args),
    Verify(verify::Args),
    Image(image::Args),
    Fetch(fetch::Args),
    Wat(wat::Args),
    #[command(hide = true)]
    Look(verify::process::Args),
}

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Install(args) => install::run(&args),
        Command::Uninstall(args) => uninstall::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Image(args) => image::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Look(args) => verify::process::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Fetch(args) => fetch::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Wat(args) => wat::run(&args).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|e| {
        eprintln!("teff-shim: {e:#}");
        ExitCode::FAILURE
    })
}
