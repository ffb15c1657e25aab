//! Fuzzes every reader of foreign text and bytes, one target after the other.
//!
//! The engine is LLVM's, guided by the coverage that a stable compiler can measure. It goes on
//! from what it found before, in `target/fuzz/corpus`, and keeps what breaks a target in
//! `target/fuzz/found`. A target stops at its first finding.

mod log;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, ensure};

use crate::finish;

use self::log::Summary;

/// How long all targets are fuzzed in sum, unless told otherwise.
const MINUTES: u64 = 30;

/// The largest input that the engine makes.
const LARGEST: &str = "-max_len=16384";

/// What an input may take: seconds, and MiB in all and at once. The build counts coverage and
/// checks every sum, and is several times slower for it than a release.
const LIMITS: [&str; 3] = ["-timeout=10", "-rss_limit_mb=2048", "-malloc_limit_mb=1024"];

/// What the compiler needs to know to count the edges of what is fuzzed, and to tell the engine
/// what numbers and texts it compares.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module \
     -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
     -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Fuzzes the targets named in `words`, or all; `--minutes N` is for all of them in sum.
pub(crate) fn run(root: &Path, words: &[String]) -> anyhow::Result<ExitCode> {
    let folder = root.join("target/fuzz");
    let (minutes, wanted) = arguments(words)?;
    let engine = build(root, &folder)?;
    seeds(root, &folder)?;
    let mut targets = names(&folder.join("seeds"))?;
    if !wanted.is_empty() {
        let unknown = wanted.iter().find(|name| !targets.contains(name));
        ensure!(unknown.is_none(), "there is no target {unknown:?}");
        targets.retain(|name| wanted.contains(name));
    }
    let seconds = (minutes * 60 / targets.len() as u64).max(1);
    let mut is_clean = true;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", log::HEAD)?;
    for name in &targets {
        let summary = fuzz(&engine, root, &folder, (name, seconds))?;
        is_clean &= summary.finding.is_none();
        writeln!(out, "{}", log::line(name, &summary))?;
    }
    Ok(if is_clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn arguments(words: &[String]) -> anyhow::Result<(u64, Vec<String>)> {
    let mut minutes = MINUTES;
    let mut wanted = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--minutes" {
            let number = words.next().context("--minutes needs a number")?;
            minutes = number
                .parse()
                .with_context(|| format!("cannot read --minutes `{number}`"))?;
        } else {
            wanted.push(word.clone());
        }
    }
    Ok((minutes, wanted))
}

/// Builds the engine apart from everything else, since its flags are others.
fn build(root: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let triple = triple()?;
    let target_dir = folder.join("build");
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(root)
        .args(["build", "--quiet", "--package", "fuzz", "--bin", "engine"])
        .args(["--features", "engine", "--profile", "fuzz"])
        // Named, so that the flags are not those of build scripts as well.
        .args(["--target", &triple])
        .arg("--target-dir")
        .arg(&target_dir)
        .env("RUSTFLAGS", COVERAGE);
    finish(&mut cargo)?;
    Ok(target_dir.join(triple).join("fuzz/engine"))
}

fn triple() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.context("ask rustc which machine this is")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names its machine")?.to_owned())
}

fn seeds(root: &Path, folder: &Path) -> anyhow::Result<()> {
    let seeds = folder.join("seeds");
    if seeds.exists() {
        fs::remove_dir_all(&seeds).context("remove the seeds of the last time")?;
    }
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(root)
        .args([
            "run",
            "--quiet",
            "--package",
            "fuzz",
            "--bin",
            "seeds",
            "--",
        ])
        .arg(&seeds);
    finish(&mut cargo)
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).context("list the targets")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Fuzzes one target for so many seconds.
fn fuzz(
    engine: &Path,
    root: &Path,
    folder: &Path,
    (name, seconds): (&str, u64),
) -> anyhow::Result<Summary> {
    let [corpus, found, logs] = ["corpus", "found", "log"].map(|kind| folder.join(kind));
    let (corpus, found) = (corpus.join(name), found.join(name));
    for made in [&corpus, &found, &logs] {
        fs::create_dir_all(made).with_context(|| format!("make {}", made.display()))?;
    }
    let log = logs.join(name);
    let _ = Command::new("nice")
        .arg(engine)
        // What is new goes to the first folder.
        .args([&corpus, &folder.join("seeds").join(name)])
        .args(LIMITS)
        .args([LARGEST, "-print_final_stats=1", "-report_slow_units=2"])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args(["-ignore_remaining_args=1", name])
        .current_dir(root)
        .stdout(Stdio::null())
        .stderr(File::create(&log).context("keep what the engine says")?)
        // How it ended is in what it said.
        .status()
        .context("start the engine")?;
    let text = fs::read(&log).context("read what the engine said")?;
    let summary = Summary::of(&String::from_utf8_lossy(&text));
    summary.with_context(|| format!("the engine did not start, see {}", log.display()))
}
