//! A story for the terminal: verdict, strip, steps, and what to do.

mod changes;
mod paint;
mod ports;
mod table;
mod traced;

use trace::{Answer, Finding, Fix, Outcome};

use crate::groups::{self, Group};
use crate::headline::{headline, share_words};
use crate::telling::{self, Told, missed, shared_start};
use crate::{Story, afterword, escape, headline, strip, words};

use paint::Paper;

pub use changes::changes;
pub(crate) use paint::wrap;
pub use table::table;

/// Outcomes of one kind that are told one by one before the rest is only named.
const TOLD: usize = 3;

/// How a story is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Every step, not only those that mattered.
    pub verbose: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Emit styles; whoever writes to a pipe strips them.
    pub styled: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            verbose: false,
            width: 80,
            styled: false,
        }
    }
}

/// Tells a story. Every line ends with a line feed.
pub fn render(story: &Story, options: &Options) -> String {
    let mut teller = Teller {
        story,
        options,
        paper: Paper::new(options.styled),
    };
    let groups::Told {
        groups,
        untold,
        is_one_of_many,
    } = groups::told(story, options.verbose);
    if groups.is_empty() {
        teller.paper.line(words::page::NO_SOURCE);
    }
    for (i, group) in groups.iter().enumerate() {
        if i > 0 {
            teller.paper.blank();
        }
        teller.group(group, is_one_of_many);
    }
    if untold > 0 {
        let ends = if untold == 1 { "end" } else { "ends" };
        teller.paper.blank();
        teller.paper.dim(&format!(
            "and {untold} more {ends}, of other sources (-v tells them, --json lists them)"
        ));
    }
    teller.afterwards(&groups);
    teller.paper.text()
}

struct Teller<'a> {
    story: &'a Story<'a>,
    options: &'a Options,
    paper: Paper,
}

/// A step with its number, or a remark without one.
struct Row<'t> {
    number: Option<usize>,
    place: &'t str,
    text: &'t str,
}

impl Teller<'_> {
    /// One ending: its verdict and how it came about.
    fn group(&mut self, group: &Group, is_one_of_many: bool) {
        let answer = &self.story.answers[group.answers[0]];
        let finding = headline::finding(self.story, group);
        let text = headline(self.story, answer, finding);
        let is_labelled = is_one_of_many || group.answers.len() > 1;
        let from = is_labelled.then(|| groups::label(self.story, group));
        let code = finding.map(|f| f.code);
        self.paper.headline(answer, &text, code, self.options.width);
        if let Some(from) = from {
            self.paper.dim(&wrap(&from, self.options.width).join("\n"));
        }
        self.paper.blank();
        match answer.outcomes.as_slice() {
            [outcome] => {
                self.strips(group);
                self.steps(answer, outcome);
            }
            outcomes => self.forks(answer, outcomes),
        }
        self.paper.blank();
        if is_one_of_many {
            self.client(answer);
            self.checks(group);
        }
        self.gaps(answer);
    }

    /// The way of each member of a group: one strip for each shape, with the other interfaces
    /// that have the same.
    fn strips(&mut self, group: &Group) {
        let width = self.options.width.saturating_sub(2);
        for strip::Shape {
            strip, likewise, ..
        } in strip::shapes(self.story, group, width)
        {
            for line in &strip.lines {
                self.paper.line(&format!("  {line}"));
            }
            if !likewise.is_empty() {
                let others = words::listed(&likewise, "and");
                let said = format!("likewise over {others}");
                let lines = wrap(&said, width);
                for line in lines {
                    self.paper.dim(&format!("  {line}"));
                }
            }
        }
        self.paper.blank();
    }

    fn steps(&mut self, answer: &Answer, outcome: &Outcome) {
        let told = telling::tell(self.story, answer, outcome, self.options.verbose);
        let mut rows = numbered(&told, 0);
        let missed = missed(self.story, outcome);
        rows.extend(missed.as_ref().map(Told::unnumbered));
        self.rows(&rows);
    }

    /// Several outcomes: what they share, then each one's own part.
    fn forks(&mut self, answer: &Answer, outcomes: &[Outcome]) {
        let tell = |o: &Outcome| telling::tell(self.story, answer, o, self.options.verbose);
        let told: Vec<Vec<Told>> = outcomes.iter().map(tell).collect();
        let shared = shared_start(&told);
        if let Some(first) = told.first() {
            self.rows(&numbered(&first[..shared], 0));
        }
        let limit = if self.options.verbose {
            usize::MAX
        } else {
            TOLD
        };
        let (first, untold) = afterword::first_of_each(outcomes, limit);
        let places = outcomes.iter().zip(&told);
        let is_first =
            |(outcome, _): &(&Outcome, _)| first.iter().any(|one| std::ptr::eq(*one, *outcome));
        for (outcome, told) in places.filter(is_first) {
            let head = headline::short(self.story, outcome);
            let head = format!("{}{head}", share_words(outcome.share));
            self.paper.blank();
            self.paper.line(&format!("  {head}"));
            let width = self.options.width.saturating_sub(2);
            for line in strip::draw(self.story, outcome, width).lines {
                self.paper.line(&format!("  {line}"));
            }
            let mut rows = numbered(&told[shared..], shared);
            let missed = missed(self.story, outcome);
            rows.extend(missed.as_ref().map(Told::unnumbered));
            self.rows(&rows);
        }
        if untold > 0 {
            self.paper.blank();
            self.paper
                .dim(&format!("  and {untold} more like these (-v shows them)"));
        }
    }

    fn rows(&mut self, rows: &[Row]) {
        let columns = |text: &str| text.chars().count();
        let most = rows.iter().filter_map(|row| row.number).max().unwrap_or(1);
        let digits = most.to_string().len().max(1);
        let places = rows.iter().map(|row| columns(row.place));
        // Short places leave room to stand apart from what happened there.
        let place = places.max().unwrap_or(0).min(32);
        let place = if place < 24 { place + 1 } else { place };
        let indent = 2 + digits + 2 + place + 1;
        let room = self.options.width.saturating_sub(indent).max(24);
        for row in rows {
            let number = row.number.map_or(String::new(), |n| n.to_string());
            let lead = format!("  {number:>digits$}  {}", row.place);
            let mut lines = wrap(row.text, room).into_iter();
            match place.checked_sub(columns(row.place)) {
                Some(pad) => {
                    let first = lines.next().unwrap_or_default();
                    self.paper.line(&format!("{lead}{:pad$} {first}", ""));
                }
                // A place that is too long for its column has a line of its own.
                None => self.paper.line(&lead),
            }
            for line in lines {
                self.paper.line(&format!("{:indent$}{line}", ""));
            }
        }
    }

    fn client(&mut self, answer: &Answer) {
        self.label(
            "client",
            &Vec::from_iter(afterword::client(self.story, answer)),
        );
    }

    fn gaps(&mut self, answer: &Answer) {
        for line in afterword::gaps(self.story, answer) {
            self.label("gap", &[line]);
        }
    }

    /// What is wrong and what to do, once for all answers.
    fn afterwards(&mut self, groups: &[Group]) {
        let findings = afterword::findings(self.story, groups);
        self.paper.blank();
        if let ([group], []) = (groups, findings.as_slice()) {
            self.client(&self.story.answers[group.answers[0]]);
        }
        for (i, (finding, is_headline)) in findings.into_iter().enumerate() {
            if i > 0 {
                self.paper.blank();
            }
            if !is_headline {
                let severity = headline::severity_word(finding.severity);
                let title = escape::terminal(&finding.title);
                self.paper
                    .tagged(severity, &title, finding.code, self.options.width);
            }
            let client = (groups.len() == 1 && i == 0).then(|| groups[0].answers[0]);
            self.finding(finding, client);
        }
        if let [group] = groups {
            self.checks(group);
        }
        if let Some(probe) = self.story.probe {
            self.label("probe", &[words::probe(probe)]);
        }
        self.traced();
        self.assumptions();
    }

    fn finding(&mut self, finding: &Finding, client: Option<usize>) {
        let why: Vec<_> = finding.why.iter().map(|w| escape::terminal(w)).collect();
        self.label("why", &why);
        if let Some(i) = client {
            self.client(&self.story.answers[i]);
        }
        if let Some(fix) = &finding.fix {
            self.fix(fix);
        }
        if let Some(check) = &finding.check {
            self.paper.label("check", &escape::terminal(check));
        }
        self.paper
            .label("more", &format!("berth explain {}", finding.code));
    }

    /// What to do, the command on a line of its own.
    fn fix(&mut self, fix: &Fix) {
        let fix = afterword::fix(fix);
        self.label("fix", &fix.before);
        let Some(command) = &fix.command else { return };
        self.command(command);
        let room = self.options.width.saturating_sub(8).max(24);
        for line in fix.behind.iter().flat_map(|line| wrap(line, room)) {
            self.paper.line(&format!("       {line}"));
        }
    }

    /// A command to see for oneself, for an ending that no finding explains.
    fn checks(&mut self, group: &Group) {
        if let Some(check) = afterword::check(self.story, group) {
            self.paper.label("check", &check);
        }
    }

    fn assumptions(&mut self) {
        for line in afterword::assumed(self.story) {
            self.label("assumed", &[line]);
        }
        for gap in headline::notes(self.story) {
            self.label("note", &[words::gap_words(gap)]);
        }
    }

    /// A label with sentences, wrapped, each on its own line.
    fn label(&mut self, label: &str, sentences: &[String]) {
        let room = self.options.width.saturating_sub(8).max(24);
        let lines: Vec<String> = sentences.iter().flat_map(|s| wrap(s, room)).collect();
        let mut lines = lines.iter();
        if let Some(first) = lines.next() {
            self.paper.label(label, first);
        }
        for line in lines {
            self.paper.line(&format!("       {line}"));
        }
    }

    /// A command on a line of its own, whole, so that it can be pasted.
    fn command(&mut self, command: &str) {
        self.paper
            .line(&format!("         {}", escape::terminal(command)));
    }
}

fn numbered(told: &[Told], before: usize) -> Vec<Row<'_>> {
    told.iter()
        .enumerate()
        .map(|(i, told)| Row {
            number: Some(before + i + 1),
            place: &told.place,
            text: &told.text,
        })
        .collect()
}

impl Told {
    fn unnumbered(&self) -> Row<'_> {
        Row {
            number: None,
            place: &self.place,
            text: &self.text,
        }
    }
}
