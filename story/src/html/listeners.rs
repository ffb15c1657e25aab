//! What a scan found, as a page.

use trace::Fate;

use crate::rows::{self, Counts, Row};
use crate::words::page;
use crate::{Scan, escape, json};

use super::form::{self, Asking};
use super::markup::Html;
use super::{Frame, View, code_link, why_path};

/// The list that a scan gives; all of it if `all`, else what loses packets or may.
pub fn listeners(frame: &Frame, scan: &Scan, all: bool) -> String {
    let rows = rows::rows(scan);
    let counts = rows::counts(&rows);
    let title = page::upper(&counts.headline());
    super::page(frame, View::Listeners, &title, |html| {
        html.leaf("h1", &[], &title);
        html.leaf("p", &[("class", "lead")], page::LISTENERS_INTRO);
        ephemeral(html, scan);
        let told: Vec<&Row> = rows.iter().filter(|row| all || row.is_grave()).collect();
        if !told.is_empty() {
            table(html, &told);
        }
        rest(html, counts, rows.len() - told.len(), all);
        if counts.unknown > 0 {
            gaps(html, scan.host);
        }
        form::form(html, page::ASK, &Asking::default());
    })
}

/// What of the host could not be read.
pub(super) fn gaps(html: &mut Html, host: &host::Host) {
    if host.gaps.is_empty() {
        return;
    }
    html.tag("section", &[("class", "note")], |html| {
        html.leaf("h2", &[], page::UNREAD);
        html.tag("ul", &[], |html| {
            for gap in &host.gaps {
                html.leaf("li", &[], &gap.what);
            }
        });
    });
}

/// NodePorts that the kernel may give away.
pub(super) fn ephemeral(html: &mut Html, scan: &Scan) {
    if let Some(note) = rows::ephemeral(scan) {
        html.tag("p", &[("class", "note")], |html| {
            html.text(&note);
            html.text(" ");
            code_link(html, "nodeport-in-ephemeral-range");
        });
    }
}

/// How many are not listed, and the way to list them, or back.
fn rest(html: &mut Html, counts: Counts, rest: usize, all: bool) {
    html.tag("p", &[("class", "rest")], |html| {
        if let Some(rest) = counts.rest(rest) {
            html.text(&format!("{}: ", page::upper(&rest)));
            html.leaf("a", &[("href", "/scan?all")], page::SHOW_ALL);
        } else if all {
            html.leaf("a", &[("href", "/scan")], page::SHOW_WORST);
        }
    });
}

fn table(html: &mut Html, rows: &[&Row]) {
    let titles = [
        page::PORT,
        page::HELD_BY,
        page::FROM_OUTSIDE,
        page::FROM_PODS,
        page::FROM_HERE,
    ];
    html.tag("table", &[("role", "table")], |html| {
        head(html, &titles);
        for row in rows {
            html.tag(
                "tbody",
                &[("role", "rowgroup"), ("class", fate(row.worst))],
                |html| {
                    cells(html, row, &titles);
                    remarks(html, row, titles.len());
                },
            );
        }
    });
}

/// The titles of a table's columns. Roles are spelled out, since on a narrow screen rows are
/// laid out as blocks, and browsers then forget that they were a table.
pub(super) fn head(html: &mut Html, titles: &[&str]) {
    html.tag("thead", &[("role", "rowgroup")], |html| {
        html.tag("tr", &[("role", "row")], |html| {
            for title in titles {
                html.leaf("th", &[("role", "columnheader"), ("scope", "col")], title);
            }
        });
    });
}

fn cells(html: &mut Html, row: &Row, titles: &[&str; 5]) {
    html.tag("tr", &[("role", "row")], |html| {
        let port = [("role", "rowheader"), ("scope", "row"), ("class", "port")];
        html.tag("th", &port, |html| match row.ask {
            Some((proto, to)) => {
                let path = why_path(&to.to_string(), &proto.to_string());
                html.leaf("a", &[("href", &path)], &row.port);
            }
            None => html.text(&row.port),
        });
        let label = ("data-label", titles[1]);
        html.leaf("td", &[("role", "cell"), label], &row.holder);
        for ((text, of), title) in row.cells.iter().zip(&titles[2..]) {
            html.tag("td", &[("role", "cell"), ("data-label", title)], |html| {
                html.leaf("span", &[("class", fate(*of))], text);
            });
        }
    });
}

fn fate(fate: Option<Fate>) -> &'static str {
    fate.map_or("none", json::fate_word)
}

/// Which packets, why, and where to read on.
fn remarks(html: &mut Html, row: &Row, columns: usize) {
    if row.worst == Some(Fate::Arrives) {
        return;
    }
    let columns = columns.to_string();
    let told: Vec<&String> = row.absent.iter().chain(&row.parts).collect();
    if told.is_empty() && row.causes.is_empty() {
        return;
    }
    html.tag("tr", &[("role", "row"), ("class", "remarks")], |html| {
        html.tag("td", &[("role", "cell"), ("colspan", &columns)], |html| {
            for (title, code) in &row.causes {
                html.tag("p", &[], |html| {
                    html.sentence(title);
                    html.text(" ");
                    code_link(html, code);
                });
            }
            for text in told {
                html.leaf("p", &[], text);
            }
            if let Some((proto, to)) = row.ask.filter(|_| row.worst > Some(Fate::Blocked)) {
                let path = why_path(&to.to_string(), &proto.to_string());
                html.tag("p", &[], |html| {
                    html.leaf(
                        "a",
                        &[("href", &path)],
                        &page::story_of(&escape::terminal(&row.port)),
                    );
                });
            }
        });
    });
}
