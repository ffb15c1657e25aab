//! What a sweep found: every port of a host, those that fare alike in one row.

use trace::{Stretch, Sweep};

use super::paint::Paper;
use super::wrap;
use crate::rows::{self, KINDS};
use crate::words;

/// Rows that are told with names before Services, servers and machines elsewhere are put
/// together.
const TOLD: usize = 20;

/// Ranges of ports that are named in a row before the rest is counted.
const NAMED: usize = 8;

/// The least that is left for ports in a line.
const ROOM: usize = 24;

/// Ports that look the same.
struct Row {
    cells: [String; 3],
    ports: Vec<(u16, u16)>,
}

/// Tells what becomes of every port; all ranges and all names if `all`.
pub(super) fn ports(paper: &mut Paper, sweeps: &[Sweep], width: usize, all: bool) {
    for sweep in sweeps {
        paper.blank();
        paper.line(&wrap(&heading(sweep), width).join("\n"));
        paper.blank();
        let named = rows(&sweep.stretches, true);
        let rows = if all || named.len() <= TOLD {
            named
        } else {
            rows(&sweep.stretches, false)
        };
        draw(paper, &rows, width, all);
    }
}

fn heading(sweep: &Sweep) -> String {
    let proto = sweep
        .stretches
        .first()
        .map(|stretch| stretch.question.proto);
    let proto = proto.map_or(String::new(), |proto| {
        format!("{} ", proto.to_string().to_uppercase())
    });
    format!("{proto}ports of {}", rows::addresses(&sweep.addrs))
}

/// A row for each way in which ports look, that of the lowest port first.
fn rows(stretches: &[Stretch], with_names: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for stretch in stretches {
        let cells = KINDS.map(|kind| words::fare(stretch, kind, with_names));
        match rows.iter_mut().find(|row| row.cells == cells) {
            Some(row) => row.ports.extend(&stretch.ports),
            None => rows.push(Row {
                cells,
                ports: stretch.ports.clone(),
            }),
        }
    }
    for row in &mut rows {
        row.ports = joined(std::mem::take(&mut row.ports));
    }
    rows
}

/// Ranges in order, those that touch made one.
fn joined(mut ports: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    ports.sort_unstable();
    let mut joined: Vec<(u16, u16)> = Vec::new();
    for (first, last) in ports {
        match joined.last_mut() {
            Some(before) if before.1.checked_add(1) == Some(first) => before.1 = last,
            _ => joined.push((first, last)),
        }
    }
    joined
}

fn draw(paper: &mut Paper, rows: &[Row], width: usize, all: bool) {
    let titles = ["FROM OUTSIDE", "FROM PODS", "FROM THIS HOST"];
    let columns = |text: &str| text.chars().count();
    let mut widths = titles.map(columns);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = columns(cell).max(*width);
        }
    }
    let indent: usize = widths.iter().map(|width| width + 2).sum();
    let room = width.saturating_sub(indent + 2).max(ROOM);
    let line = |cells: [&str; 3], ports: &str| {
        let cells = cells.iter().zip(widths);
        let padded = cells.map(|(text, width)| format!("  {text:width$}"));
        format!("{}  {ports}", padded.collect::<String>())
    };
    paper.line(&line(titles, "PORTS"));
    for row in rows {
        let ports = words::port_ranges(&row.ports, (!all).then_some(NAMED));
        let mut lines = wrap(&ports, room).into_iter();
        let first = lines.next().unwrap_or_default();
        paper.line(&line(row.cells.each_ref().map(String::as_str), &first));
        for more in lines {
            paper.line(&line([""; 3], &more));
        }
    }
}
