//! Whole processes beside each other: time and memory of `berth` and of its peers.
//!
//! All subjects of a bench take turns, round by round, so that a busy machine burdens them
//! alike. Read the ratios; times are those of this machine.

mod generate;
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
const IPTABLES: &str = "testkit/data/kube-proxy-1.20-5000-services.iptables-save.gz";

/// As many, as kube-proxy 1.36 gives them to `nft -f`.
const NFT: &str = "testkit/data/kube-proxy-1.36-5000-services.nft.gz";

/// Bench names behind this word run at once, in the namespace the caller has made.
const INSIDE: &str = "--inside";

/// What a run of many listeners may differ by for reasons of the machine.
const NOISE: Duration = Duration::from_millis(50);

/// The network of a namespace that rules are loaded into.
const NETWORK: [&str; 6] = [
    "ip link set lo up",
    "ip link add eth0 type veth peer name eth1",
    "ip link set eth1 up",
    "ip link set eth0 up",
    "ip address add 192.168.77.1/24 dev eth0",
    // The address that kube-proxy 1.36 was told its node has.
    "ip address add 172.20.6.10/24 dev eth0",
];

/// What is measured. Words in braces stand for paths.
const BENCHES: &[Bench] = &[
    Bench {
        name: "why",
        asks: "one connection, 5,000 Services in iptables, rules from a file",
        rules: IPTABLES,
        load: None,
        rounds: 21,
        goal: Goal::AtMost {
            wall: Duration::from_millis(100),
            peak_kib: 150 * 1024,
        },
        subjects: &[Subject {
            command: "{berth} why 192.168.77.1:30584 --rules {rules} \
                --address 192.168.77.1/24@eth0 --listen tcp/0.0.0.0:30584=web",
            exits: PROVEN,
        }],
    },
    Bench {
        name: "scan",
        asks: "500 listeners at four addresses, 5,000 Services in iptables, rules from a file",
        rules: IPTABLES,
        load: None,
        rounds: 11,
        goal: Goal::AtMost {
            wall: Duration::from_secs(1),
            peak_kib: 200 * 1024,
        },
        subjects: &[Subject {
            command: "{berth} scan --rules {rules} --sockets {many} \
                --address 192.168.77.1/24@eth0 --address 10.244.0.1/24@cni0 \
                --address 10.7.0.1/24@eth1 --address 10.8.0.1/24@eth2 \
                --cluster-cidr 10.244.0.0/24",
            exits: &[0],
        }],
    },
    Bench {
        name: "growth",
        asks: "one listener and 501, 1,000 Services and 50,000 (generated), rules from a file",
        rules: "",
        load: None,
        rounds: 5,
        goal: Goal::Growth { times: 50 },
        subjects: &[
            Subject {
                command: "{berth} scan --rules {small} --sockets {one} \
                    --address 192.168.77.1/24@eth0",
                exits: &[0],
            },
            Subject {
                command: "{berth} scan --rules {small} --sockets {many} \
                    --address 192.168.77.1/24@eth0",
                exits: &[0],
            },
            Subject {
                command: "{berth} scan --rules {large} --sockets {one} \
                    --address 192.168.77.1/24@eth0",
                exits: &[0],
            },
            Subject {
                command: "{berth} scan --rules {large} --sockets {many} \
                    --address 192.168.77.1/24@eth0",
                exits: &[0],
            },
        ],
    },
    Bench {
        name: "iptables",
        asks: "5,000 Services in iptables, read from the kernel",
        rules: IPTABLES,
        load: Some("iptables-nft-restore {rules}"),
        rounds: 5,
        goal: Goal::FasterThanPeers,
        subjects: &[
            Subject {
                command: "{berth} snapshot -o {snapshot}",
                exits: &[0],
            },
            Subject {
                command: "{berth} why 192.168.77.1:30584",
                exits: PROVEN,
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
    Bench {
        name: "nft",
        asks: "5,000 Services in nftables, read from the kernel",
        rules: NFT,
        load: Some("nft -f {rules}"),
        rounds: 11,
        goal: Goal::FasterThanPeers,
        subjects: &[
            Subject {
                command: "{berth} snapshot -o {snapshot}",
                exits: &[0],
            },
            Subject {
                command: "{berth} why 172.20.6.10:21274",
                exits: PROVEN,
            },
            Subject {
                command: "nft list ruleset",
                exits: &[0],
            },
        ],
    },
];

/// How `berth why` ends where it proves that the connection fails. All of them do: a Service
/// has no endpoint, or its endpoints are out of reach of the namespace.
const PROVEN: &[i32] = &[1];

/// A question put to several programs.
struct Bench {
    name: &'static str,
    asks: &'static str,
    /// Where the rules lie, packed; nowhere where they are generated.
    rules: &'static str,
    /// Loads them into a network namespace made for this bench. Without it there is none.
    load: Option<&'static str>,
    /// How often, unless told otherwise: long runs need fewer.
    rounds: usize,
    goal: Goal,
    /// Ours first, then their peers.
    subjects: &'static [Subject],
}

/// What each subject of ours has to keep.
enum Goal {
    /// The most its fastest run may take, and its highest peak. A busy machine makes a run
    /// longer and never shorter, so the fastest says what the program takes.
    AtMost { wall: Duration, peak_kib: u64 },
    /// Its median is below that of every peer.
    FasterThanPeers,
    /// Of four runs, two on rules for few Services and two for so many times as many, each pair
    /// with one listener and with more: what one listener takes stays as it is, and the rest
    /// grows no faster than the rules.
    Growth { times: u32 },
}

struct Subject {
    /// Words separated by spaces; no shell reads them.
    command: &'static str,
    /// The exit statuses of a run that did its work.
    exits: &'static [i32],
}

/// What the caller asked for.
struct Options {
    names: Vec<String>,
    rounds: Option<usize>,
    inside: bool,
}

/// Where the programs and what they read and write lie.
struct Places {
    berth: PathBuf,
    rules: PathBuf,
    /// Rules for few Services, and for many.
    small: PathBuf,
    large: PathBuf,
    /// One listener, and many.
    one: PathBuf,
    many: PathBuf,
    snapshot: PathBuf,
    /// What a program that failed had to say.
    stderr: PathBuf,
}

/// Runs the benches named in `args`, all without a name. Fails if a goal is missed.
pub(crate) fn run(root: &Path, args: &[String]) -> anyhow::Result<ExitCode> {
    let options = options(args)?;
    let places = places(root)?;
    if !options.inside {
        build(root)?;
        generate::sockets(&places.one, 1)?;
        generate::sockets(&places.many, 501)?;
    }
    let mut kept = true;
    for bench in BENCHES.iter().filter(|bench| options.wants(bench.name)) {
        let rounds = options.rounds.unwrap_or(bench.rounds);
        if options.inside {
            load(bench, &places)?;
            kept &= measure_here(bench, &places, rounds)?;
        } else if bench.rules.is_empty() {
            generate::services(&places.small, 1_000)?;
            generate::services(&places.large, 50_000)?;
            kept &= measure_here(bench, &places, rounds)?;
        } else if !root.join(bench.rules).exists() {
            let mut out = io::stdout().lock();
            let Bench { name, rules, .. } = bench;
            writeln!(out, "{name}: skipped, there is no {rules}\n")?;
        } else {
            unpack(&root.join(bench.rules), &places.rules)?;
            kept &= match bench.load {
                None => measure_here(bench, &places, rounds)?,
                Some(_) => measure_in_namespace(bench, rounds)?,
            };
        }
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

/// All places are in the folder that cargo builds into, which is where this program lies.
fn places(root: &Path) -> anyhow::Result<Places> {
    let this = std::env::current_exe().context("where is xtask itself?")?;
    let built = this.ancestors().nth(2).unwrap_or(root);
    let folder = built.join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(Places {
        berth: built.join("release/berth"),
        rules: folder.join("rules"),
        small: folder.join("small"),
        large: folder.join("large"),
        one: folder.join("one"),
        many: folder.join("many"),
        snapshot: folder.join("snapshot"),
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

impl Goal {
    fn is_kept(&self, rows: &[(&Subject, Summary)]) -> bool {
        let (ours, peers): (Vec<_>, Vec<_>) =
            rows.iter().partition(|(subject, _)| subject.is_ours());
        ours.iter().all(|(_, our)| match *self {
            Self::AtMost { wall, peak_kib } => our.fastest <= wall && our.peak_kib <= peak_kib,
            Self::FasterThanPeers => peers.iter().all(|(_, peer)| our.median < peer.median),
            Self::Growth { times } => grows(rows, times),
        })
    }
}

/// Whether reading grows at most with the rules, and a listener costs what it did.
fn grows(rows: &[(&Subject, Summary)], times: u32) -> bool {
    let [(_, few), (_, few_more), (_, many), (_, many_more)] = rows else {
        return false;
    };
    let listeners = few_more.fastest.saturating_sub(few.fastest);
    let listeners_of_many = many_more.fastest.saturating_sub(many.fastest);
    many.fastest <= few.fastest * times && listeners_of_many <= listeners * 2 + NOISE
}

impl Subject {
    fn is_ours(&self) -> bool {
        self.command.starts_with("{berth} ")
    }

    /// The command as a reader would write it.
    fn shown(&self) -> String {
        let named = self.command.replace("{berth}", "berth");
        let places = [
            ("{rules}", "RULES"),
            ("{small}", "RULES-OF-1,000"),
            ("{large}", "RULES-OF-50,000"),
            ("{one}", "ONE"),
            ("{many}", "501"),
            ("{snapshot}", "FILE"),
        ];
        places
            .iter()
            .fold(named, |text, (place, shown)| text.replace(place, shown))
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
                "{small}" => self.small.clone(),
                "{large}" => self.large.clone(),
                "{one}" => self.one.clone(),
                "{many}" => self.many.clone(),
                "{snapshot}" => self.snapshot.clone(),
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
        assert!(options.wants("why") && !options.wants("nft"));
        assert_eq!(options.rounds, Some(3));
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let said = parsed(&["whence"]).err().unwrap().to_string();
        assert_eq!(said, "no bench is called `whence`");
    }

    fn summary(millis: u64, peak_kib: u64) -> Summary {
        let median = Duration::from_millis(millis);
        Summary {
            fastest: median,
            median,
            peak_kib,
        }
    }

    fn subject(command: &'static str) -> Subject {
        Subject {
            command,
            exits: &[0],
        }
    }

    #[test]
    fn a_goal_is_missed_by_time_or_by_memory() {
        let goal = Goal::AtMost {
            wall: Duration::from_millis(100),
            peak_kib: 1024,
        };
        let ours = subject("{berth} why");
        let kept = |millis, peak_kib| goal.is_kept(&[(&ours, summary(millis, peak_kib))]);
        assert!(kept(100, 1024));
        assert!(!kept(101, 1024));
        assert!(!kept(100, 1025));
    }

    #[test]
    fn each_of_ours_has_to_be_faster_than_every_peer() {
        let commands = ["{berth} why", "{berth} snapshot", "nft", "iptables-save"].map(subject);
        let kept = |times: [u64; 4]| {
            let rows = commands.iter().zip(times);
            let rows: Vec<_> = rows
                .map(|(subject, time)| (subject, summary(time, 1)))
                .collect();
            Goal::FasterThanPeers.is_kept(&rows)
        };
        assert!(kept([1, 2, 3, 4]));
        assert!(!kept([1, 4, 3, 5]));
        assert!(!kept([3, 1, 4, 3]));
    }

    #[test]
    fn a_command_is_shown_as_one_would_write_it() {
        let shown = subject("{berth} why :1 --rules {rules}").shown();
        assert_eq!(shown, "berth why :1 --rules RULES");
    }
}
