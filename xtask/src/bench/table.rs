//! The measurements as text.

use std::fmt::Write;

use super::Goal;
use super::measure::Summary;

/// One line a subject, with its ratios to the first.
pub(super) fn render(rows: &[(&str, Summary)]) -> String {
    let mut text = String::from("   fastest     median              peak\n");
    for (command, row) in rows {
        let first = &rows[0].1;
        let time = row.median.as_secs_f64();
        let time_ratio = time / first.median.as_secs_f64();
        let peak_ratio = mib(row.peak_kib) / mib(first.peak_kib);
        writeln!(
            text,
            "{:7.1} ms {:7.1} ms {} {:6.1} MiB {}  {command}",
            row.fastest.as_secs_f64() * 1000.0,
            time * 1000.0,
            ratio(time_ratio),
            mib(row.peak_kib),
            ratio(peak_ratio),
        )
        .expect("a string takes all text");
    }
    text
}

/// Whether the first subject kept `goal`.
pub(super) fn verdict(goal: &Goal, kept: bool) -> String {
    format!(
        "goal: at most {} ms and {:.0} MiB: {}",
        goal.wall.as_millis(),
        mib(goal.peak_kib),
        if kept { "kept" } else { "missed" },
    )
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
        let rows = [("berth", row(10, 2048)), ("nft", row(35, 1024))];
        let expected = "   fastest     median              peak\n   \
            10.0 ms    20.0 ms   ×1.0    2.0 MiB   ×1.0  berth\n   \
            35.0 ms    70.0 ms   ×3.5    1.0 MiB   ×0.5  nft\n";
        assert_eq!(render(&rows), expected);
    }
}
