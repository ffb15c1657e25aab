//! Who holds which port, as a page.

use crate::Ports;
use crate::json::{PortItem, PortsDocument, SocketItem, ports_document};
use crate::words::page;

use super::form::{self, Asking};
use super::markup::Html;
use super::{Frame, View, bands, code_link, listeners, why_path};

/// Ports that lose traffic, or may, that are told above the map; the list has them all.
const ODDS: usize = 8;

/// The map of ports: what is lost first, then the ranges to scale, then every held port.
pub fn ports(frame: &Frame, ports: &Ports) -> String {
    let document = ports_document(ports);
    let of = |fate| document.ports.iter().filter(move |p| p.fate == Some(fate));
    let (lost, unknown) = (of("lost").count(), of("unknown").count());
    let title = page::ports_headline(document.ports.len(), lost, unknown);
    super::page(frame, View::Ports, &title, |html| {
        html.leaf("h1", &[], &title);
        html.leaf("p", &[("class", "lead")], page::PORTS_INTRO);
        for port in of("lost").chain(of("unknown")).take(ODDS) {
            at_odds(html, port);
        }
        if lost + unknown > ODDS {
            let more = page::more_at_odds(lost + unknown - ODDS);
            html.leaf("p", &[("class", "rest")], &more);
        }
        bands::draw(html, &document);
        listeners::ephemeral(html, &ports.scan);
        held(html, &document);
        if !document.gaps.is_empty() {
            listeners::gaps(html, ports.scan.host);
        }
        form::form(html, page::ASK, &Asking::default());
    })
}

/// Whether packets for a process on a port go to somebody else.
pub(super) fn is_lost(port: &PortItem) -> bool {
    port.fate == Some("lost")
}

/// A port and all who hold it, in a line: `30584/tcp: python3, default/nginx:http`.
pub(super) fn who(port: &PortItem) -> String {
    let mut all: Vec<String> = Vec::new();
    for socket in &port.sockets {
        let name = name(socket);
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all.extend(port.services.iter().cloned());
    all.extend(port.leads_to.iter().map(|lead| format!("→ {}", lead.to)));
    format!("{}: {}", number(port), all.join(", "))
}

fn number(port: &PortItem) -> String {
    format!("{}/{}", port.port, port.protocol)
}

fn name(socket: &SocketItem) -> String {
    socket
        .name
        .clone()
        .unwrap_or_else(|| page::UNNAMED.to_owned())
}

/// A port whose packets are lost, or may be: who is at odds, and why.
fn at_odds(html: &mut Html, port: &PortItem) {
    let class = if is_lost(port) {
        "odds lost"
    } else {
        "odds unknown"
    };
    html.tag("section", &[("class", class)], |html| {
        html.tag("h2", &[], |html| {
            html.leaf("a", &[("href", &path(port))], &number(port));
            html.text(" ");
            let word = if is_lost(port) {
                page::AT_ODDS
            } else {
                page::IN_DOUBT
            };
            html.leaf("span", &[("class", "tag")], word);
        });
        html.tag("p", &[], |html| {
            html.text(&page::between(&processes(port), &takers(port)));
        });
        for finding in &port.findings {
            html.tag("p", &[], |html| {
                html.sentence(&finding.title);
                html.text(" ");
                code_link(html, finding.code);
            });
        }
    });
}

fn path(port: &PortItem) -> String {
    why_path(&port.ask, &port.protocol)
}

/// The processes on a port, each once: `python3 (pid 16140, pod default/web-0)`.
fn processes(port: &PortItem) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for socket in &port.sockets {
        let mut known = Vec::new();
        known.extend(socket.pid.map(|pid| format!("pid {pid}")));
        let pod = socket.pod.as_ref().or(socket.pod_uid.as_ref());
        match (pod, &socket.unit) {
            (Some(pod), _) => known.push(format!("pod {pod}")),
            (None, Some(unit)) => known.push(format!("unit {unit}")),
            (None, None) => {}
        }
        let name = name(socket);
        let text = if known.is_empty() {
            name
        } else {
            format!("{name} ({})", known.join(", "))
        };
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all
}

/// Services on a port, and where other rules lead.
fn takers(port: &PortItem) -> Vec<String> {
    let leads = port.leads_to.iter().map(|lead| match &lead.pod {
        Some(pod) => format!("→ pod {pod}"),
        None => format!("→ {}", lead.to),
    });
    port.services.iter().cloned().chain(leads).collect()
}

/// Every held port, in order, parted by range.
fn held(html: &mut Html, document: &PortsDocument) {
    if document.ports.is_empty() {
        return;
    }
    html.leaf("h2", &[], page::HELD);
    let titles = [
        page::PORT,
        page::PROCESSES,
        page::SERVICE,
        page::ITS_PACKETS,
    ];
    html.tag("table", &[("role", "table"), ("class", "ports")], |html| {
        listeners::head(html, &titles);
        let part = |port: &PortItem| part(document, port.port);
        for ports in document.ports.chunk_by(|a, b| part(a) == part(b)) {
            html.tag("tbody", &[("role", "rowgroup")], |html| {
                html.tag("tr", &[("role", "row"), ("class", "part")], |html| {
                    let attrs = [
                        ("role", "rowheader"),
                        ("scope", "rowgroup"),
                        ("colspan", "4"),
                    ];
                    html.leaf("th", &attrs, &part(&ports[0]));
                });
                for port in ports {
                    row(html, port, &titles);
                }
            });
        }
    });
}

/// The range that a port lies in.
fn part(document: &PortsDocument, port: u16) -> String {
    let ranges = [
        (page::NODE_PORTS, document.node_ports),
        (page::EPHEMERAL, document.ephemeral),
    ];
    let mine = ranges
        .iter()
        .find(|(_, range)| (range.first..=range.last).contains(&port));
    match mine {
        Some((name, range)) => format!("{name} {}", page::range(range.first, range.last)),
        None => page::OTHER_PORTS.to_owned(),
    }
}

fn row(html: &mut Html, port: &PortItem, titles: &[&str; 4]) {
    let class = port.fate.filter(|fate| matches!(*fate, "lost" | "unknown"));
    let attrs = [("role", "row"), ("class", class.unwrap_or("quiet"))];
    html.tag("tr", &attrs, |html| {
        let attrs = [("role", "rowheader"), ("scope", "row"), ("class", "port")];
        html.tag("th", &attrs, |html| {
            html.leaf("a", &[("href", &path(port))], &number(port));
        });
        let mut cell = |title, said: &[String]| {
            // On a narrow screen an empty cell takes no room.
            let class = if said.is_empty() { "none" } else { "some" };
            let attrs = [("role", "cell"), ("data-label", title), ("class", class)];
            html.tag("td", &attrs, |html| {
                for text in said {
                    html.leaf("span", &[("class", "one")], text);
                }
                if said.is_empty() {
                    html.text(page::NOBODY);
                }
            });
        };
        cell(titles[1], &processes(port));
        let mut taken = takers(port);
        let is_picked = port.ephemeral && !port.services.is_empty();
        taken.extend(is_picked.then(|| page::PICKED.to_owned()));
        cell(titles[2], &taken);
        let class = port.fate.map_or("none", |_| "some");
        let attrs = [
            ("role", "cell"),
            ("data-label", titles[3]),
            ("class", class),
        ];
        html.tag("td", &attrs, |html| match port.fate {
            Some(fate) => html.leaf("span", &[("class", fate)], page::fate(fate)),
            None => html.text(page::NOBODY),
        });
    });
}
