//! The `berth` command: reads a host or what was saved of one, asks, and tells.

mod args;
mod cluster;
mod cmd;
mod input;
mod late;
mod live;
mod names;
mod offline;
mod out;
mod probe;
mod read;
mod source;
mod subject;
mod target;
mod traced;

use std::process::ExitCode;

use args::{Args, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit status of an answer that cannot tell, and of misuse.
const CANNOT_TELL: u8 = 2;

fn main() -> ExitCode {
    let args = match Args::read(std::env::args_os()) {
        Ok(args) => args,
        Err(error) => return out::usage(&error),
    };
    let done = match args.command {
        Command::Why(args) => cmd::why::run(&args),
        Command::Scan(args) => cmd::scan::run(&args),
        Command::Diff(args) => cmd::diff::run(&args),
        Command::Page(args) => cmd::page::run(*args),
        Command::Snapshot(args) => cmd::snapshot::run(&args),
        Command::Explain(args) => cmd::explain::run(&args),
        Command::Schema(args) => cmd::schema::run(&args),
        Command::Demo => Ok(cmd::demo::run()),
        Command::DemoServer(args) => cmd::demo::serve(&args),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            out::say(&format!("{error:#}"));
            ExitCode::from(CANNOT_TELL)
        }
    }
}
