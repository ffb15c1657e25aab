//! What the engine says while it runs, in short.

/// What became of one target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary {
    /// Inputs that were tried.
    runs: u64,
    /// Edges of the program that the seeds reach, and that all inputs do.
    edges: (u64, u64),
    /// What broke the target, and the file that keeps the input.
    pub(super) finding: Option<String>,
}

/// The titles of the columns.
pub(super) const HEAD: &str = "target                  inputs  edges: seeds     all  finding";

/// A line of the report.
pub(super) fn line(name: &str, summary: &Summary) -> String {
    let (seeds, all) = summary.edges;
    let finding = summary.finding.as_deref().unwrap_or("none");
    format!(
        "{name:<18}{:>12}{seeds:>14}{all:>8}  {finding}",
        summary.runs
    )
}

impl Summary {
    /// Reads what the engine wrote; `None` where it never ran the seeds.
    pub(super) fn of(log: &str) -> Option<Self> {
        let edges = |line: &str| number_after(line, "cov: ");
        let is_status = |line: &&str| line.starts_with('#') && line.contains("cov: ");
        let first = log.lines().find(|line| line.contains("INITED"))?;
        let last = log.lines().rfind(is_status)?;
        let tried = log
            .lines()
            .find_map(|line| number_after(line, "executed_units: "));
        let written = log.lines().rev().find_map(|line| {
            let (_, path) = line.split_once("Test unit written to ")?;
            Some(path.trim().to_owned())
        });
        let why = log.lines().find(|line| is_finding(line));
        let why = why.map(|line| line.trim().trim_end_matches(':'));
        let finding = match (why, written) {
            (Some(why), Some(path)) => Some(format!("{why}: {path}")),
            (None, Some(path)) => Some(format!("slow: {path}")),
            (Some(why), None) => Some(why.to_owned()),
            (None, None) => None,
        };
        Some(Self {
            runs: tried.or_else(|| number_after(last, "#")).unwrap_or(0),
            edges: (edges(first)?, edges(last).or(edges(first))?),
            finding,
        })
    }
}

fn is_finding(line: &str) -> bool {
    line.contains("panicked at") || line.contains("ERROR: libFuzzer")
}

fn number_after(line: &str, word: &str) -> Option<u64> {
    let (_, rest) = line.split_once(word)?;
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: &str = "\
INFO: Seed: 1
#61\tINITED cov: 1708 ft: 4621 corp: 60/66Kb exec/s: 0 rss: 40Mb
#64\tNEW    cov: 1710 ft: 4650 corp: 61/67Kb lim: 4096 exec/s: 0
#82685\tDONE   cov: 2765 ft: 12732 corp: 900/1Mb exec/s: 6360 rss: 90Mb
###### End of recommended dictionary. ######
stat::number_of_executed_units: 82686
";

    #[test]
    fn a_run_without_a_finding_has_numbers_alone() {
        let expected = Summary {
            runs: 82686,
            edges: (1708, 2765),
            finding: None,
        };
        assert_eq!(Summary::of(QUIET), Some(expected));
        assert_eq!(Summary::of("cannot run"), None);
    }

    #[test]
    fn a_finding_says_what_and_where() {
        let log = format!(
            "{QUIET}thread '<unnamed>' (1) panicked at trace/src/bind.rs:204:12:\n\
             artifact_prefix='f/'; Test unit written to f/crash-1\n"
        );
        assert_eq!(
            Summary::of(&log).unwrap().finding.as_deref(),
            Some("thread '<unnamed>' (1) panicked at trace/src/bind.rs:204:12: f/crash-1")
        );
    }
}
