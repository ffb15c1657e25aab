//! Whether what was measured keeps its goal.

use std::time::Duration;

use super::list::{Goal, Subject};
use super::measure::Summary;

/// What a run of many listeners may differ by for reasons of the machine.
const NOISE: Duration = Duration::from_millis(50);

impl Goal {
    pub(super) fn is_kept(&self, rows: &[(&Subject, Summary)]) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
