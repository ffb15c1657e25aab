//! Whole processes beside each other: time and memory of `berth` and of its peers.
//!
//! All subjects of a bench take turns, round by round, so that a busy machine burdens them
//! alike. Read the ratios; times are those of this machine.

mod generate;
mod goal;
mod list;
mod measure;
mod places;
mod table;
mod wait;

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};

use crate::finish;

use self::list::{BENCHES, Bench, NETWORK, Rules, Subject};
use self::measure::{Run, Summary};
use self::places::Places;

/// Bench names behind this word run at once, in the namespace the caller has made.
const INSIDE: &str = "--inside";

/// What the caller asked for.
struct Options {
    names: Vec<String>,
    rounds: Option<usize>,
    inside: bool,
}

/// Runs the benches named in `args`, all without a name. Fails if a goal is missed.
pub(crate) fn run(root: &Path, args: &[String]) -> anyhow::Result<ExitCode> {
    let options = options(args)?;
    let places = Places::of(root)?;
    if !options.inside {
        build(root)?;
        generate::sockets(&places.one, 1)?;
        generate::sockets(&places.many, 501)?;
        generate::tracked(&places.tracked, 100_000)?;
    }
    let mut kept = true;
    for bench in BENCHES.iter().filter(|bench| options.wants(bench.name)) {
        let rounds = options.rounds.unwrap_or(bench.rounds);
        kept &= match bench.rules {
            _ if options.inside => {
                load(bench, &places)?;
                measure_here(bench, &places, rounds)?
            }
            Rules::Made(write) => {
                write(&places.small, 1_000)?;
                write(&places.large, 50_000)?;
                measure_here(bench, &places, rounds)?
            }
            Rules::Packed(rules) if !root.join(rules).exists() => {
                let (mut out, name) = (io::stdout().lock(), bench.name);
                writeln!(out, "{name}: skipped, there is no {rules}\n")?;
                true
            }
            Rules::Packed(rules) => {
                unpack(&root.join(rules), &places.rules)?;
                match bench.load {
                    None => measure_here(bench, &places, rounds)?,
                    Some(_) => measure_in_namespace(bench, rounds)?,
                }
            }
        };
    }
    Ok(if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }
}

fn options(args: &[String]) -> anyhow::Result<Options> {
    let mut options = Options {
        names: Vec::new(),
        rounds: None,
        inside: false,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--rounds" => {
                let number = args.next().context("`--rounds` takes a number")?;
                let rounds = number.parse().context("`--rounds` takes a number")?;
                ensure!(rounds > 0, "`--rounds` takes at least 1");
                options.rounds = Some(rounds);
            }
            INSIDE => options.inside = true,
            name if BENCHES.iter().any(|bench| bench.name == name) => {
                options.names.push(name.to_owned());
            }
            other => bail!("no bench is called `{other}`"),
        }
    }
    Ok(options)
}

fn build(root: &Path) -> anyhow::Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root);
    finish(cargo.args(["build", "--quiet", "--release", "--package", "cli"]))
}

fn unpack(packed: &Path, to: &Path) -> anyhow::Result<()> {
    let file = File::create(to).with_context(|| format!("write {}", to.display()))?;
    finish(Command::new("gzip").arg("-dc").arg(packed).stdout(file))
}

/// Runs this program again for `bench` alone, in a network namespace of its own.
fn measure_in_namespace(bench: &Bench, rounds: usize) -> anyhow::Result<bool> {
    let is_root = fs::metadata("/proc/self")?.uid() == 0;
    // Kernel: sk_sndbuf is capped by wmem_max in a user namespace, and iptables sends a table
    // as one message (net/core/sock.c).
    ensure!(is_root, "{} needs root to load its rules", bench.name);
    let mut unshare = Command::new("unshare");
    unshare.arg("--net").arg(std::env::current_exe()?).args([
        "bench",
        bench.name,
        INSIDE,
        "--rounds",
        &rounds.to_string(),
    ]);
    let status = unshare.status().context("start unshare")?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => bail!("{unshare:?} ended with {status}"),
    }
}

/// Makes the network of `bench` and loads its rules, in the namespace this program is in.
fn load(bench: &Bench, places: &Places) -> anyhow::Result<()> {
    for step in NETWORK.into_iter().chain(bench.load) {
        let words = places.words(step);
        finish(Command::new(&words[0]).args(&words[1..]))?;
    }
    Ok(())
}

/// Measures `bench`, prints what came out, and says whether its goal is kept.
fn measure_here(bench: &Bench, places: &Places, rounds: usize) -> anyhow::Result<bool> {
    let mut runs: Vec<Vec<Run>> = bench.subjects.iter().map(|_| Vec::new()).collect();
    // The first round warms caches and is not counted.
    for round in 0..=rounds {
        for (subject, runs) in bench.subjects.iter().zip(&mut runs) {
            let words = places.words(subject.command);
            let run = measure::run(&words, subject.exits, &places.stderr)?;
            runs.extend((round > 0).then_some(run));
        }
    }
    let rows: Vec<(&Subject, Summary)> = bench
        .subjects
        .iter()
        .zip(&runs)
        .map(|(subject, runs)| (subject, measure::summary(runs)))
        .collect();
    let kept = bench.goal.is_kept(&rows);
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {}, {rounds} rounds", bench.name, bench.asks)?;
    write!(out, "{}", table::render(&rows))?;
    writeln!(out, "{}\n", table::verdict(&bench.goal, kept))?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> anyhow::Result<Options> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        options(&args)
    }

    #[test]
    fn without_a_name_every_bench_runs() {
        let options = parsed(&[]).unwrap();
        assert!(BENCHES.iter().all(|bench| options.wants(bench.name)));
    }

    #[test]
    fn a_name_picks_its_bench() {
        let options = parsed(&["why", "--rounds", "3"]).unwrap();
        assert!(options.wants("why") && !options.wants("nft"));
        assert_eq!(options.rounds, Some(3));
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let said = parsed(&["whence"]).err().unwrap().to_string();
        assert_eq!(said, "no bench is called `whence`");
    }
}
