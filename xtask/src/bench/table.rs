//! The measurements as text.

use std::fmt::Write;

use super::list::{Goal, Subject};
use super::measure::Summary;

/// One line a subject, with its ratios to the first.
pub(super) fn render(rows: &[(&Subject, Summary)]) -> String {
    let mut text = String::from("   fastest     median              peak\n");
    for (subject, row) in rows {
        let first = &rows[0].1;
        let time = row.median.as_secs_f64();
        let time_ratio = time / first.median.as_secs_f64();
        let peak_ratio = mib(row.peak_kib) / mib(first.peak_kib);
        writeln!(
            text,
            "{:7.1} ms {:7.1} ms {} {:6.1} MiB {}  {}",
            row.fastest.as_secs_f64() * 1000.0,
            time * 1000.0,
            ratio(time_ratio),
            mib(row.peak_kib),
            ratio(peak_ratio),
            subject.shown(),
        )
        .expect("a string takes all text");
    }
    text
}

/// Says whether `goal` was kept.
pub(super) fn verdict(goal: &Goal, kept: bool) -> String {
    let wanted = match *goal {
        Goal::AtMost { wall, peak_kib } => {
            let (wall, peak) = (wall.as_millis(), mib(peak_kib));
            format!("at most {wall} ms at its fastest, and {peak:.0} MiB")
        }
        Goal::FasterThanPeers => "berth is faster than the others".to_owned(),
        Goal::Growth { times } => format!(
            "{times} times the Services take at most {times} times as long to read, and 500 \
             listeners more no longer than among few"
        ),
    };
    format!("goal: {wanted}: {}", if kept { "kept" } else { "missed" })
}

fn ratio(ratio: f64) -> String {
    format!("{:>6}", format!("×{ratio:.1}"))
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn peers_are_compared_with_the_first() {
        let row = |millis, peak_kib| Summary {
            fastest: Duration::from_millis(millis),
            median: Duration::from_millis(millis * 2),
            peak_kib,
        };
        let [berth, nft] = ["{berth} why", "nft"].map(|command| Subject {
            command,
            exits: &[0],
        });
        let rows = [(&berth, row(10, 2048)), (&nft, row(35, 1024))];
        let expected = "   fastest     median              peak\n   \
            10.0 ms    20.0 ms   ×1.0    2.0 MiB   ×1.0  berth why\n   \
            35.0 ms    70.0 ms   ×3.5    1.0 MiB   ×0.5  nft\n";
        assert_eq!(render(&rows), expected);
    }
}
