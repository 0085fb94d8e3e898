//! The program: configuration, wiring, sub-commands.

mod callbacks;
mod commands;
mod connections;
mod context;
mod deliveries;
mod demo;
mod health;
mod http;
mod install;
mod jobs;
mod metrics;
mod outgoing;
mod schedule;
mod surfaces;
mod telling;
mod tls;
mod webhooks;
mod wire;

use clap::Parser;
use commands::{Command, run};
use std::process::ExitCode;

/// Records are made on one thread and freed on another; the system's allocator spends a quarter of
/// the intake's time on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exact billing for everyone who sells metered services.
#[derive(Parser)]
#[command(name = "reckoner", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    telling::init();
    // Exactly one provider of cryptography: two in one process panic at run time.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return telling::failed(&anyhow::anyhow!("another provider of cryptography is installed"));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return telling::failed(&anyhow::Error::new(error)),
    };
    match runtime.block_on(run(arguments.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => telling::failed(&error),
    }
}
