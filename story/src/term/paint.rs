//! Lines with styles, and the wrapping of sentences.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use trace::{Answer, Fate, Verdict};

/// Text as it grows, line by line.
pub(crate) struct Paper {
    text: String,
    styled: bool,
}

impl Paper {
    pub(crate) fn new(styled: bool) -> Self {
        Self {
            text: String::new(),
            styled,
        }
    }

    /// What was written; lines carry no blanks at their ends, and the last is not empty.
    pub(crate) fn text(self) -> String {
        let lines: Vec<_> = self.text.lines().map(str::trim_end).collect();
        lines.join("\n").trim_end().to_owned() + "\n"
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// An empty line, never two.
    pub(crate) fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    pub(crate) fn dim(&mut self, lines: &str) {
        for line in lines.lines() {
            let line = self.paint(Style::new().dimmed(), line);
            self.line(&line);
        }
    }

    /// The first line of an ending, its verdicts in color; wrapped where it is wide, the code
    /// by itself where it does not fit behind.
    pub(crate) fn headline(
        &mut self,
        answer: &Answer,
        text: &str,
        code: Option<&str>,
        width: usize,
    ) {
        let mut told = self.with_code(text, code, width);
        if self.styled {
            let mut verdicts: Vec<_> = answer.outcomes.iter().map(|o| o.verdict).collect();
            verdicts.sort_unstable();
            verdicts.dedup();
            for verdict in verdicts {
                let word = crate::words::verdict(verdict);
                told = told.replacen(word, &self.paint(color(verdict), word), 1);
            }
        }
        self.line(&told);
    }

    /// A remark with its severity in front and its code behind.
    pub(crate) fn tagged(&mut self, severity: &str, text: &str, code: &str, width: usize) {
        let told = self.with_code(&format!("{severity} {text}"), Some(code), width);
        let styled = self.paint(Style::new().bold(), severity);
        self.line(&told.replacen(severity, &styled, 1));
    }

    /// Text in lines, those behind the first indented, and a code at the end.
    fn with_code(&self, text: &str, code: Option<&str>, width: usize) -> String {
        let lines = hanging(text, width);
        let room = width.saturating_sub(lines.last().map_or(0, |line| line.chars().count()));
        let told = lines.join("\n");
        let Some(code) = code else { return told };
        let tag = format!("[{code}]");
        let gap = if tag.len() + 3 <= room { "   " } else { "\n  " };
        let tag = self.paint(Style::new().dimmed(), &tag);
        format!("{told}{gap}{tag}")
    }

    /// A line that begins with a word in the margin.
    pub(crate) fn label(&mut self, label: &str, text: &str) {
        let pad = 7_usize.saturating_sub(label.len()).max(1);
        let label = self.paint(Style::new().bold(), label);
        self.line(&format!("{label}{:pad$}{text}", ""));
    }

    /// A row of a table; a text that is too long for its cell is cut, and says so.
    pub(crate) fn cells<const N: usize>(
        &mut self,
        cells: &[(String, Option<Fate>); N],
        widths: &[usize; N],
    ) {
        let mut line = String::new();
        for ((text, fate), width) in cells.iter().zip(widths) {
            let columns = text.chars().count();
            let text = if columns > *width {
                let kept: String = text.chars().take(width.saturating_sub(1)).collect();
                kept + "…"
            } else {
                text.clone()
            };
            let pad = width.saturating_sub(text.chars().count());
            let text = fate.map_or(text.clone(), |fate| self.paint(fate_color(fate), &text));
            let _ = write!(line, "  {text}{:pad$}", "");
        }
        self.line(line.trim_end());
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.styled {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

fn fate_color(fate: Fate) -> Style {
    match fate {
        Fate::Arrives => AnsiColor::Green.on_default(),
        Fate::Blocked => Style::new().dimmed(),
        Fate::Unknown => AnsiColor::Yellow.on_default().bold(),
        Fate::Lost => AnsiColor::Red.on_default().bold(),
    }
}

fn color(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Delivered => AnsiColor::Green,
        Verdict::Forwarded => AnsiColor::Cyan,
        Verdict::Refused | Verdict::Rejected | Verdict::Dropped => AnsiColor::Red,
        Verdict::Unknown => AnsiColor::Yellow,
    };
    color.on_default().bold()
}

/// A sentence on as many lines as it needs; words longer than a line stay whole.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    wrapped(text, width, "")
}

/// A sentence whose lines behind the first are indented.
fn hanging(text: &str, width: usize) -> Vec<String> {
    wrapped(text, width, "  ")
}

fn wrapped(text: &str, width: usize, indent: &str) -> Vec<String> {
    let columns = |text: &str| text.chars().count();
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if columns(line) + 1 + columns(word) <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("{indent}{word}"));
        }
    }
    lines
}
