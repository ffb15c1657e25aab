//! The kernel's own steps beside the foretold ones.

use host::nft::Verdict;
use trace::Taken;

use crate::{Story, Traced, words};

use super::paint::{Paper, wrap};
use super::{Options, Teller};

/// Columns between two cells.
const GAP: usize = 2;

/// A cell of a side that has nothing there.
const NOTHING: &str = "–";

impl Teller<'_> {
    /// What the kernel reported of one packet: in a sentence, then step by step.
    pub(super) fn traced(&mut self) {
        let Some(traced) = self.story.traced else {
            return;
        };
        self.label("trace", &[words::traced(self.story, traced)]);
        let told = told(traced, self.options);
        let parted = traced.beside.parted.is_some();
        if parted || !told.is_empty() {
            self.paper.blank();
            rows(self.story, traced, &told, &mut self.paper);
            let untold = traced.beside.taken.len() - told.len();
            if untold > 0 {
                let things = if untold == 1 { "step" } else { "steps" };
                let said =
                    format!("  and {untold} {things} that made no difference (-v shows them)");
                self.paper.dim(&said);
            }
            self.paper.blank();
        }
        for note in words::trace_notes(self.story, traced) {
            self.label("note", &wrap(&note, self.options.width.saturating_sub(8)));
        }
    }
}

/// The reports that are told, by number: all of them, or those that were foretold, and those
/// that the foretold way should have had.
fn told(traced: &Traced, options: &Options) -> Vec<usize> {
    let parted = traced
        .beside
        .parted
        .as_ref()
        .and_then(|parted| parted.taken);
    let is_told = |(i, taken): &(usize, &Taken)| {
        options.verbose || taken.foretold || parted == Some(*i) || {
            traced.beside.agrees.is_none() && taken.report.verdict != Some(Verdict::Continue)
        }
    };
    let told = traced.beside.taken.iter().enumerate().filter(is_told);
    told.map(|(i, _)| i).collect()
}

/// A row for each report that is told; where the ways part, one for what was foretold instead.
fn rows(story: &Story, traced: &Traced, told: &[usize], paper: &mut Paper) {
    let parted = traced.beside.parted.as_ref();
    let mut rows = vec![["RULE", "THE KERNEL", "FORETOLD"].map(str::to_owned)];
    for &i in told {
        let taken = &traced.beside.taken[i];
        let foretold = if taken.foretold { "the same" } else { NOTHING };
        let place = words::report_place(story, taken);
        rows.push([place, words::report_words(taken), foretold.to_owned()]);
    }
    if let Some(step) = parted.and_then(|parted| parted.foretold.as_ref()) {
        let [place, did] = words::foretold_step(story, step);
        let row = [place, NOTHING.to_owned(), did];
        let at = parted.and_then(|parted| told.iter().position(|i| parted.taken == Some(*i)));
        rows.insert(at.map_or(rows.len(), |at| at + 2), row);
    }
    let columns = |text: &str| text.chars().count();
    let width = |cell: usize| {
        rows.iter()
            .map(|row| columns(&row[cell]))
            .max()
            .unwrap_or(0)
    };
    let (place, verdict) = (width(0) + GAP, width(1) + GAP);
    for (i, [at, did, foretold]) in rows.iter().enumerate() {
        let pad = |text: &str, width: usize| " ".repeat(width.saturating_sub(columns(text)));
        let (first, second) = (pad(at, place), pad(did, verdict));
        let line = format!("  {at}{first}{did}{second}{foretold}");
        if i == 0 {
            paper.dim(&line);
        } else {
            paper.line(&line);
        }
    }
}
