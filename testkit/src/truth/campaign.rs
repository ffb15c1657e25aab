//! Tries many hosts side by side and sums up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use trace::Verdict;

use super::agree::{Agreement, describe};
use super::coverage::{self, Coverage};
use super::run::{Report, Tried};
use super::spec::HostSpec;
use super::{case, generate, run, shrink, vocabulary};
use crate::world::Observed;

/// What to try.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// How many hosts.
    pub hosts: usize,
    /// Packets of each.
    pub packets: usize,
    /// The seed of the first host; the others follow it.
    pub seed: u64,
    /// Hosts at a time.
    pub jobs: usize,
    /// How many wrong hosts are made small.
    pub shrink: usize,
    /// Where cases are written.
    pub cases: PathBuf,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Hosts tried.
    pub hosts: usize,
    /// Packets tried.
    pub pairs: usize,
    /// Foretold alone.
    pub right: usize,
    /// Foretold among others.
    pub one_of_several: usize,
    /// Not foretold, because the order of chains is not known.
    pub unknown: usize,
    /// Foretold wrongly.
    pub wrong: usize,
    /// Wrong and unknown ones by what was foretold and what was seen, with a seed.
    pub kinds: BTreeMap<String, (usize, u64)>,
    /// Hosts built a second time.
    pub again: usize,
    /// Verdicts foretold.
    pub verdicts: BTreeMap<Verdict, usize>,
    /// What rules met.
    pub coverage: Coverage,
    /// Hosts that could not be built, and why.
    pub refused: Vec<String>,
    /// Seeds of hosts that were foretold wrongly.
    pub seeds: Vec<u64>,
    /// Small cases of wrong hosts.
    pub cases: Vec<String>,
}

impl Campaign {
    /// Tries all hosts; `progress` is told after each.
    pub fn run(&self, progress: &(dyn Fn(&Summary) + Sync)) -> Summary {
        let next = AtomicUsize::new(0);
        let summary = Mutex::new(Summary::default());
        thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| {
                    let number = || next.fetch_add(1, Ordering::Relaxed);
                    std::iter::repeat_with(number)
                        .take_while(|&number| number < self.hosts)
                        .for_each(|number| self.host(number, &summary, progress));
                });
            }
        });
        summary
            .into_inner()
            .expect("no thread panics while it holds the summary")
    }

    fn host(&self, number: usize, summary: &Mutex<Summary>, progress: &(dyn Fn(&Summary) + Sync)) {
        let number = u64::try_from(number).expect("a count fits in 64 bits");
        let spec = generate::host(self.seed.wrapping_add(number), self.packets);
        let result = run::host(&spec);
        let lock = || {
            summary
                .lock()
                .expect("no thread panics while it holds the summary")
        };
        let report = match result {
            Ok(report) => report,
            Err(error) => {
                let mut summary = lock();
                summary.refused.push(format!("seed {}: {error}", spec.seed));
                progress(&summary);
                return;
            }
        };
        let is_odd = {
            let mut summary = lock();
            let is_odd = summary.add(&spec, &report);
            progress(&summary);
            is_odd && summary.seeds.len() <= self.shrink
        };
        if is_odd {
            let (spec, report) = shrink::shrink(&spec, &report);
            let text = case::text(&spec, &report);
            self.keep(spec.seed, &text);
            lock().cases.push(text);
        }
    }

    /// Writes a case; where that fails it is still in the summary.
    fn keep(&self, seed: u64, text: &str) {
        let _ = fs::create_dir_all(&self.cases);
        let _ = fs::write(self.cases.join(format!("{seed}.txt")), text);
    }
}

impl Summary {
    /// Counts a host; whether something about it is not as it must be.
    fn add(&mut self, spec: &HostSpec, report: &Report) -> bool {
        let mut is_odd = false;
        self.hosts += 1;
        self.pairs += report.tried.len();
        self.again += usize::from(report.again);
        for tried in &report.tried {
            for outcome in tried.outcomes() {
                *self.verdicts.entry(outcome.verdict).or_default() += 1;
            }
            match tried.agreement {
                Agreement::Right => self.right += 1,
                Agreement::OneOfSeveral => self.one_of_several += 1,
                Agreement::Unknown => {
                    self.unknown += 1;
                    self.kind(spec.seed, tried);
                }
                Agreement::Wrong(_) => {
                    self.wrong += 1;
                    self.kind(spec.seed, tried);
                    is_odd = true;
                }
            }
        }
        coverage::add(&mut self.coverage, &report.coverage);
        if is_odd {
            self.seeds.push(spec.seed);
        }
        is_odd
    }

    fn kind(&mut self, seed: u64, tried: &Tried) {
        let seen = match &tried.observed {
            Observed::Connected(_) => "a connection".to_owned(),
            Observed::Nothing(None) => "nothing".to_owned(),
            Observed::Nothing(Some(_)) => "an arrival without answer".to_owned(),
            other => describe(other),
        };
        let key = format!("{}, seen {seen}", tried.foretold());
        self.kinds.entry(key).or_insert((0, seed)).0 += 1;
    }

    /// Whether all is as it must be, words that did nothing aside.
    pub fn is_true(&self) -> bool {
        self.wrong == 0 && self.unknown * 100 <= self.pairs && self.refused.is_empty()
    }

    /// Words that should have matched and not matched, and did not.
    pub fn idle(&self) -> Vec<&'static str> {
        vocabulary::idle(&self.coverage)
    }

    /// The whole as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for case in &self.cases {
            let _ = writeln!(text, "{case}");
        }
        text.push_str(&vocabulary::table(&self.coverage));
        let _ = writeln!(
            text,
            "\nhosts {}  pairs {}  right {}  one of several {}  unknown {}  \
             wrong {}  built twice {}",
            self.hosts,
            self.pairs,
            self.right,
            self.one_of_several,
            self.unknown,
            self.wrong,
            self.again,
        );
        for (verdict, count) in &self.verdicts {
            let _ = write!(text, "{verdict:?} {count}  ");
        }
        text.push('\n');
        for refused in &self.refused {
            let _ = writeln!(text, "refused: {refused}");
        }
        for (kind, (count, seed)) in &self.kinds {
            let _ = writeln!(text, "{count:>6}  {kind} (seed {seed})");
        }
        if !self.seeds.is_empty() {
            let _ = writeln!(text, "seeds to look at: {:?}", self.seeds);
        }
        let idle = self.idle();
        if !idle.is_empty() {
            let _ = writeln!(text, "words that did not match, or always did: {idle:?}");
        }
        text
    }
}
