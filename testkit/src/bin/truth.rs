//! Tries random hosts against the kernel: `truth --pairs N --seed S --jobs J [--quick]`, or
//! `truth --host SEED [--shrink]` for one host in full.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use testkit::truth::campaign::{Campaign, Summary};
use testkit::truth::{case, generate, run, shrink};

/// Packets of a host.
const PACKETS: usize = 20;

/// What is asked on the command line.
struct Args {
    pairs: usize,
    seed: u64,
    jobs: usize,
    /// One host alone.
    host: Option<u64>,
    shrink: bool,
    /// Long enough that every word must have matched and not matched.
    is_long: bool,
    /// How many wrong hosts are made small.
    shrinks: usize,
}

fn args() -> Result<Args, String> {
    let mut args = Args {
        pairs: 100_000,
        seed: 1,
        jobs: 12,
        host: None,
        shrink: false,
        is_long: true,
        shrinks: 6,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64, String> {
            let value = words.next().ok_or(format!("{word} wants a number"))?;
            value.parse().map_err(|_| format!("`{value}` is no number"))
        };
        let count = |number: u64| usize::try_from(number).map_err(|error| error.to_string());
        match word.as_str() {
            "--pairs" => args.pairs = count(number()?)?,
            "--seed" => args.seed = number()?,
            "--jobs" => args.jobs = count(number()?)?,
            "--host" => args.host = Some(number()?),
            "--shrinks" => args.shrinks = count(number()?)?,
            "--shrink" => args.shrink = true,
            "--quick" => {
                args.pairs = 2_000;
                args.is_long = false;
            }
            _ => return Err(format!("`{word}` is not known")),
        }
    }
    Ok(args)
}

fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(why) => return say(&format!("{why}\n"), false),
    };
    // A panic of the tracer is a wrong answer, told with its host.
    std::panic::set_hook(Box::new(|_| {}));
    match args.host {
        Some(seed) => one(seed, args.shrink),
        None => many(&args),
    }
}

fn say(text: &str, is_good: bool) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn one(seed: u64, make_small: bool) -> ExitCode {
    let mut spec = generate::host(seed, PACKETS);
    match run::host(&spec) {
        Ok(mut report) => {
            if make_small {
                (spec, report) = shrink::shrink(&spec, &report);
            }
            let is_good = report.first_wrong().is_none();
            say(&case::text(&spec, &report), is_good)
        }
        Err(error) => say(&format!("seed {seed}: {error}\n"), false),
    }
}

fn many(args: &Args) -> ExitCode {
    let campaign = Campaign {
        hosts: args.pairs.div_ceil(PACKETS),
        packets: PACKETS,
        seed: args.seed,
        jobs: args.jobs,
        shrink: args.shrinks,
        cases: PathBuf::from("target/truth"),
    };
    let summary = campaign.run(&|summary| progress(&campaign, summary));
    let is_good = summary.is_true() && (!args.is_long || summary.idle().is_empty());
    say(
        &format!("\nseed {}\n{}", args.seed, summary.text()),
        is_good,
    )
}

fn progress(campaign: &Campaign, summary: &Summary) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _ = write!(
            stderr,
            "\r{} of {} hosts, {} wrong, {} unknown ",
            summary.hosts, campaign.hosts, summary.wrong, summary.unknown
        );
    }
}
