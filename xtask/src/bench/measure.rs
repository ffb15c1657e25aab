//! One run of a program, and several in sum.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::wait::{self, Ended};

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// From before the start to after the end.
    wall: Duration,
    peak_kib: u64,
}

/// What several runs took.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) fastest: Duration,
    pub(super) median: Duration,
    /// The highest of all runs.
    pub(super) peak_kib: u64,
}

/// Runs the program `words[0]` without reading its answer.
///
/// An exit status that is not among `exits` is an error and tells what the program said.
pub(super) fn run(words: &[PathBuf], exits: &[i32], stderr: &Path) -> anyhow::Result<Run> {
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(stderr).context("keep what the program says")?);
    let start = now();
    let child = command
        .spawn()
        .with_context(|| format!("start {command:?}"))?;
    let Ended { exit, peak_kib } = wait::wait(&child).context("wait for the program")?;
    let wall = now() - start;
    match exit {
        Some(exit) if exits.contains(&exit) => Ok(Run { wall, peak_kib }),
        Some(exit) => bail!("{command:?} ended with {exit}: {}", said(stderr)),
        None => bail!("{command:?} was killed: {}", said(stderr)),
    }
}

#[expect(clippy::disallowed_methods, reason = "to measure time is its purpose")]
fn now() -> Instant {
    Instant::now()
}

fn said(stderr: &Path) -> String {
    let text = fs::read_to_string(stderr).unwrap_or_default();
    text.trim().to_owned()
}

/// Sums up `runs`, of which there is at least one.
pub(super) fn summary(runs: &[Run]) -> Summary {
    let mut walls: Vec<Duration> = runs.iter().map(|run| run.wall).collect();
    walls.sort();
    Summary {
        fastest: walls[0],
        median: walls[walls.len() / 2],
        peak_kib: runs.iter().map(|run| run.peak_kib).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `script` in a shell of which `exits` are good.
    fn shell(script: &str, exits: &[i32], name: &str) -> anyhow::Result<Run> {
        let stderr = std::env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
        let words = ["sh", "-c", script].map(PathBuf::from);
        let run = run(&words, exits, &stderr);
        fs::remove_file(&stderr).unwrap();
        run
    }

    #[test]
    fn a_run_has_a_time_and_a_peak() {
        let run = shell("exit 1", &[0, 1], "peak").unwrap();
        assert!(run.wall > Duration::ZERO);
        assert!(run.peak_kib > 100, "{run:?}");
    }

    #[test]
    fn a_bad_end_tells_what_the_program_said() {
        let error = shell("echo no rules >&2; exit 2", &[0], "bad").unwrap_err();
        let said = error.to_string();
        assert!(said.ends_with("ended with 2: no rules"), "{said}");
    }

    #[test]
    fn a_killed_program_has_not_done_its_work() {
        let error = shell("kill -9 $$", &[0, 9], "killed").unwrap_err();
        assert!(error.to_string().contains("was killed"), "{error}");
    }

    #[test]
    fn the_middle_of_the_times_counts_and_the_highest_peak() {
        let runs = [(5, 30), (1, 10), (3, 20)].map(|(millis, peak_kib)| Run {
            wall: Duration::from_millis(millis),
            peak_kib,
        });
        let expected = Summary {
            fastest: Duration::from_millis(1),
            median: Duration::from_millis(3),
            peak_kib: 30,
        };
        assert_eq!(summary(&runs), expected);
    }
}
