//! Chores of this repository: `tidy` checks its laws, `bench` measures `berth`, `fuzz` looks for
//! inputs that break it.

mod bench;
mod fuzz;
mod tidy;

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};

const USAGE: &str = "\
usage: cargo xtask tidy
       cargo xtask bench [NAME]... [--rounds N]
       cargo xtask fuzz [TARGET]... [--minutes N]
";

fn main() -> anyhow::Result<ExitCode> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.split_first() {
        Some((task, [])) if task == "tidy" => tidy::run(&root()?),
        Some((task, rest)) if task == "bench" => bench::run(&root()?, rest),
        Some((task, rest)) if task == "fuzz" => fuzz::run(&root()?, rest),
        Some(_) | None => {
            io::stderr().write_all(USAGE.as_bytes())?;
            Ok(ExitCode::from(2))
        }
    }
}

/// The root of the repository, wherever it was when this was built.
fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().context("xtask lies in a workspace")?;
    Ok(root.to_owned())
}

/// Runs `command` to its end, which has to be a good one.
pub(crate) fn finish(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("start {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
