//! What a scan found, as a table: a row for each port that loses packets.

use host::{Gap, GapKind};
use net::{Endpoint, Proto};
use trace::Fate;

use crate::rows::{self, Row};
use crate::{Scan, words};

use super::paint::Paper;
use super::ports::ports;
use super::{Options, wrap};

/// Columns between two cells.
const GAP: usize = 2;

/// The least that a cell keeps where a row is too wide.
const NARROWEST: usize = 10;

/// Tells what a scan found; all of it if `all`, else what loses packets or may.
pub fn table(scan: &Scan, options: &Options, all: bool) -> String {
    let rows = rows::rows(scan);
    let counts = rows::counts(&rows);
    let mut paper = Paper::new(options.styled);
    paper.line(&counts.headline());
    let told: Vec<&Row> = rows.iter().filter(|row| all || row.is_grave()).collect();
    paper.blank();
    draw(&mut paper, &told, options.width);
    paper.blank();
    if let Some(rest) = counts.rest(rows.len() - told.len()) {
        let line = format!("{rest}: --all lists them");
        paper.dim(&wrap(&line, options.width).join("\n"));
    }
    if let Some(note) = rows::link_local(scan) {
        paper.dim(&wrap(&note, options.width).join("\n"));
    }
    if let Some(note) = rows::ephemeral(scan) {
        let note = format!("{note} [nodeport-in-ephemeral-range]");
        paper.blank();
        paper.line(&wrap(&note, options.width).join("\n"));
    }
    // Parts that were skipped or cut make no end uncertain, but the listing.
    let is_told = |gap: &&Gap| counts.unknown > 0 || gap.kind == GapKind::Input;
    for gap in scan.host.gaps.iter().filter(is_told) {
        paper.label("gap", &words::gap_words(gap));
    }
    ports(
        &mut paper,
        scan.ports.unwrap_or_default(),
        options.width,
        all,
    );
    paper.text()
}

fn draw(paper: &mut Paper, rows: &[&Row], width: usize) {
    if rows.is_empty() {
        return;
    }
    let titles = [
        "PORT",
        "HELD BY",
        "FROM OUTSIDE",
        "FROM PODS",
        "FROM THIS HOST",
    ];
    let columns = |text: &str| text.chars().count();
    let texts = |row: &Row| {
        let [outside, pods, here] = row.cells.each_ref().map(|(text, _)| text.clone());
        [row.port.clone(), row.holder.clone(), outside, pods, here]
    };
    let table: Vec<[String; 5]> = rows.iter().map(|row| texts(row)).collect();
    let mut widths = titles.map(columns);
    for row in &table {
        for (width, text) in widths.iter_mut().zip(row) {
            *width = columns(text).max(*width);
        }
    }
    fit(&mut widths, width);
    let title = titles.each_ref().map(|title| (title.to_string(), None));
    paper.cells(&title, &widths);
    for (row, texts) in rows.iter().zip(table) {
        let fates = [None, None, row.cells[0].1, row.cells[1].1, row.cells[2].1];
        let mut index = 0;
        let cells = texts.map(|text| {
            let fate = fates[index];
            index += 1;
            (text, fate)
        });
        paper.cells(&cells, &widths);
        remarks(paper, row, width);
    }
}

/// Takes from the widest cells, behind that of the port, what is too much for a line.
fn fit(widths: &mut [usize; 5], width: usize) {
    loop {
        let whole: usize = widths.iter().map(|width| width + GAP).sum();
        let widest = widths[1..].iter_mut().max();
        match widest.filter(|widest| whole > width && **widest > NARROWEST) {
            Some(widest) => *widest -= 1,
            None => return,
        }
    }
}

/// What stands below a row: which packets, why, and where to read on.
fn remarks(paper: &mut Paper, row: &Row, width: usize) {
    if row.worst == Some(Fate::Arrives) {
        return;
    }
    let indent = 6;
    let room = width.saturating_sub(indent).max(24);
    let told = row.absent.iter().chain(&row.parts);
    let mut lines: Vec<String> = told.flat_map(|text| wrap(text, room)).collect();
    for (title, code) in &row.causes {
        lines.extend(wrap(&format!("{title} [{code}]"), room));
    }
    let old = rows::old(row.old).map(|text| format!("{text} [old-connections-survive]"));
    lines.extend(old.iter().flat_map(|text| wrap(text, room)));
    let ask = row.ask.filter(|_| row.worst > Some(Fate::Blocked));
    lines.extend(ask.map(command));
    for line in lines {
        paper.dim(&format!("{:indent$}{line}", ""));
    }
}

/// The command that tells the whole story.
fn command((proto, to): (Proto, Endpoint)) -> String {
    match proto {
        Proto::TCP => format!("berth why {to}"),
        Proto::UDP => format!("berth why {to} --udp"),
        proto => format!("berth why {to} --proto {proto}"),
    }
}
