//! Whole processes beside each other: time and memory of `berth` and of its peers.
//!
//! All subjects of a bench take turns, round by round, so that a busy machine burdens them
//! alike. Read the ratios; times are those of this machine.

mod measure;
mod table;
mod wait;

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use self::measure::{Run, Summary};

/// 5,000 Services of three endpoints each, as kube-proxy 1.20 left them.
const RULES: &str = "testkit/data/kube-proxy-1.20-5000-services.iptables-save.gz";

/// Bench names behind this word run at once, in the namespace the caller has made.
const INSIDE: &str = "--inside";

/// What is measured. `{berth}` and `{rules}` stand for paths.
const BENCHES: &[Bench] = &[
    Bench {
        name: "why",
        asks: "one connection, rules from a file",
        goal: Some(Goal {
            wall: Duration::from_millis(100),
            peak_kib: 150 * 1024,
        }),
        prepare: &[],
        subjects: &[Subject {
            command: "{berth} why 172.20.31.10:30584 --rules {rules} --address 172.20.31.10/24@eth0",
            // 1: the connection is refused, and that is proven.
            exits: &[0, 1],
        }],
    },
    Bench {
        name: "snapshot",
        asks: "the rules of the kernel, read live",
        goal: None,
        prepare: &["ip link set lo up", "iptables-nft-restore {rules}"],
        subjects: &[
            Subject {
                command: "{berth} snapshot -o /dev/null",
                exits: &[0],
            },
            Subject {
                command: "iptables-nft-save",
                exits: &[0],
            },
            Subject {
                command: "nft list ruleset",
                exits: &[0],
            },
        ],
    },
];

/// A question put to several programs.
struct Bench {
    name: &'static str,
    asks: &'static str,
    /// What the first subject has to keep.
    goal: Option<Goal>,
    /// Run first, in a network namespace made for this bench. Without them there is none.
    prepare: &'static [&'static str],
    /// Ours first, then its peers.
    subjects: &'static [Subject],
}

/// The most the median time and the highest peak may be.
struct Goal {
    wall: Duration,
    peak_kib: u64,
}

struct Subject {
    /// Words separated by single spaces; no shell reads them.
    command: &'static str,
    /// The exit statuses of a run that did its work.
    exits: &'static [i32],
}

/// What the caller asked for.
struct Options {
    names: Vec<String>,
    rounds: usize,
    inside: bool,
}

/// Where the programs and their input lie.
struct Places {
    berth: PathBuf,
    rules: PathBuf,
    /// What a program that failed had to say.
    stderr: PathBuf,
}

/// Runs the benches named in `args`, all without a name. Fails if a goal is missed.
pub(crate) fn run(root: &Path, args: &[String]) -> anyhow::Result<ExitCode> {
    let options = options(args)?;
    let places = places(root)?;
    if !options.inside {
        build(root)?;
        unpack(&root.join(RULES), &places.rules)?;
    }
    let mut kept = true;
    for bench in BENCHES.iter().filter(|bench| options.wants(bench.name)) {
        kept &= if bench.prepare.is_empty() || options.inside {
            measure_here(bench, &places, options.rounds)?
        } else {
            measure_in_namespace(bench, options.rounds)?
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
        rounds: 11,
        inside: false,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--rounds" => {
                let number = args.next().context("`--rounds` takes a number")?;
                options.rounds = number.parse().context("`--rounds` takes a number")?;
            }
            INSIDE => options.inside = true,
            name if BENCHES.iter().any(|bench| bench.name == name) => {
                options.names.push(name.to_owned());
            }
            other => bail!("no bench is called `{other}`"),
        }
    }
    ensure!(options.rounds > 0, "`--rounds` takes at least 1");
    Ok(options)
}

/// All places are in the folder that cargo builds into, which is where this program lies.
fn places(root: &Path) -> anyhow::Result<Places> {
    let this = std::env::current_exe().context("where is xtask itself?")?;
    let built = this.ancestors().nth(2).unwrap_or(root);
    let folder = built.join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(Places {
        berth: built.join("release/berth"),
        rules: folder.join("rules.iptables-save"),
        stderr: folder.join("stderr"),
    })
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

/// Runs `command` to its end, which has to be a good one.
fn finish(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("start {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
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

/// Measures `bench`, prints what came out, and says whether its goal is kept.
fn measure_here(bench: &Bench, places: &Places, rounds: usize) -> anyhow::Result<bool> {
    for step in bench.prepare {
        let words = places.words(step);
        finish(Command::new(&words[0]).args(&words[1..]))?;
    }
    let mut runs: Vec<Vec<Run>> = bench.subjects.iter().map(|_| Vec::new()).collect();
    // The first round warms caches and is not counted.
    for round in 0..=rounds {
        for (subject, runs) in bench.subjects.iter().zip(&mut runs) {
            let words = places.words(subject.command);
            let run = measure::run(&words, subject.exits, &places.stderr)?;
            runs.extend((round > 0).then_some(run));
        }
    }
    let rows: Vec<(&str, Summary)> = bench
        .subjects
        .iter()
        .zip(&runs)
        .map(|(subject, runs)| (subject.command, measure::summary(runs)))
        .collect();
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {}, {rounds} rounds", bench.name, bench.asks)?;
    write!(out, "{}", table::render(&rows))?;
    let kept = goal_kept(bench, &rows);
    if let Some(goal) = &bench.goal {
        writeln!(out, "{}", table::verdict(goal, kept))?;
    }
    writeln!(out)?;
    Ok(kept)
}

fn goal_kept(bench: &Bench, rows: &[(&str, Summary)]) -> bool {
    match (&bench.goal, rows) {
        (Some(goal), [(_, ours), ..]) => ours.median <= goal.wall && ours.peak_kib <= goal.peak_kib,
        _ => true,
    }
}

impl Places {
    /// The words of `command` with paths in their places.
    fn words(&self, command: &str) -> Vec<PathBuf> {
        command
            .split(' ')
            .map(|word| match word {
                "{berth}" => self.berth.clone(),
                "{rules}" => self.rules.clone(),
                _ => PathBuf::from(word),
            })
            .collect()
    }
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
        assert!(options.wants("why") && !options.wants("snapshot"));
        assert_eq!(options.rounds, 3);
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let said = parsed(&["whence"]).err().unwrap().to_string();
        assert_eq!(said, "no bench is called `whence`");
    }

    #[test]
    fn a_goal_is_missed_by_time_or_by_memory() {
        let goal = BENCHES[0].goal.as_ref().unwrap();
        let kept = |median, peak_kib| {
            let ours = Summary {
                fastest: median,
                median,
                peak_kib,
            };
            goal_kept(&BENCHES[0], &[("berth", ours)])
        };
        assert!(kept(goal.wall, goal.peak_kib));
        assert!(!kept(goal.wall * 2, goal.peak_kib));
        assert!(!kept(goal.wall, goal.peak_kib + 1));
    }
}
