//! Ports to scale: a line of numbers, the ranges on it, and a tick for each held port.

use crate::json::{PortItem, PortsDocument, RangeItem};
use crate::words::page;

use super::markup::{Attr, Html};
use super::ports::{is_lost, who};

/// Units of the drawing from its left to its right end; it is stretched to the page's width.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// The whole of the ports.
const ALL: RangeItem = RangeItem {
    first: 1,
    last: u16::MAX,
};

/// All ports, and the range of NodePorts by itself.
pub(super) fn draw(html: &mut Html, document: &PortsDocument) {
    html.tag(
        "section",
        &[("class", "bands"), ("aria-label", page::TO_SCALE)],
        |html| {
            figure(html, document, ALL, page::ALL_PORTS);
            let range = document.node_ports;
            let name = format!(
                "{} {}",
                page::NODE_PORTS,
                page::range(range.first, range.last)
            );
            figure(html, document, range, &name);
            legend(html, document);
        },
    );
}

fn figure(html: &mut Html, document: &PortsDocument, shown: RangeItem, name: &str) {
    html.tag("figure", &[], |html| {
        html.leaf("figcaption", &[], name);
        let within: Vec<&PortItem> = document
            .ports
            .iter()
            .filter(|port| (shown.first..=shown.last).contains(&port.port))
            .collect();
        let told = format!("{name}: {}", page::counted(within.len()));
        let view = format!("0 0 {WIDTH} {HEIGHT}");
        let attrs = [
            ("class", "scale"),
            ("viewBox", view.as_str()),
            ("preserveAspectRatio", "none"),
            ("role", "img"),
            ("aria-label", &told),
        ];
        html.tag("svg", &attrs, |html| {
            band(html, shown, document.node_ports, "band node-ports");
            band(html, shown, document.ephemeral, "band ephemeral");
            // What is lost lies over the rest.
            for port in within.iter().filter(|port| !is_lost(port)) {
                ticks(html, shown, port);
            }
            for port in within.iter().filter(|port| is_lost(port)) {
                ticks(html, shown, port);
            }
        });
        axis(html, shown);
    });
}

/// The lowest, the middle and the highest number.
fn axis(html: &mut Html, shown: RangeItem) {
    let middle = shown.first.midpoint(shown.last);
    html.tag(
        "div",
        &[("class", "axis"), ("aria-hidden", "true")],
        |html| {
            for port in [shown.first, middle, shown.last] {
                html.leaf("span", &[], &port.to_string());
            }
        },
    );
}

/// Where a port begins on the line.
fn place(shown: RangeItem, port: u16) -> f64 {
    let all = f64::from(shown.last) - f64::from(shown.first) + 1.0;
    (f64::from(port) - f64::from(shown.first)) / all * WIDTH
}

fn band(html: &mut Html, shown: RangeItem, range: RangeItem, class: &'static str) {
    let (first, last) = (range.first.max(shown.first), range.last.min(shown.last));
    if first > last {
        return;
    }
    let left = place(shown, first);
    let right = last.checked_add(1).map_or(WIDTH, |next| place(shown, next));
    rect(html, class, (left, 0.0), (right - left, HEIGHT), None);
}

/// A port's marks: in the upper half that of a Service or rule, in the lower that of a
/// process, over both that of a port that is lost.
fn ticks(html: &mut Html, shown: RangeItem, port: &PortItem) {
    let next = port
        .port
        .checked_add(1)
        .map_or(WIDTH, |next| place(shown, next));
    let left = place(shown, port.port);
    let width = (next - left).max(4.0);
    let left = left.min(WIDTH - width);
    let title = who(port);
    let mut mark = |class, top, height| {
        rect(html, class, (left, top), (width, height), Some(&title));
    };
    if is_lost(port) {
        return mark("tick lost", 0.0, HEIGHT);
    }
    if port.held_by != "process" {
        mark("tick service", 6.0, 40.0);
    }
    if matches!(port.held_by, "process" | "both") {
        mark("tick process", 54.0, 40.0);
    }
}

fn rect(
    html: &mut Html,
    class: &'static str,
    (x, y): (f64, f64),
    (width, height): (f64, f64),
    title: Option<&str>,
) {
    let [x, y, width, height] = [x, y, width, height].map(|n| format!("{n:.2}"));
    let attrs: [Attr; 5] = [
        ("class", class),
        ("x", &x),
        ("y", &y),
        ("width", &width),
        ("height", &height),
    ];
    html.tag("rect", &attrs, |html| {
        if let Some(title) = title {
            html.leaf("title", &[], title);
        }
    });
}

/// What the colors are, and what of the ranges is free.
fn legend(html: &mut Html, document: &PortsDocument) {
    html.tag("ul", &[("class", "legend")], |html| {
        let mut entry = |class: &str, text: &str| {
            html.tag("li", &[], |html| {
                html.leaf("i", &[("class", class), ("aria-hidden", "true")], "");
                html.leaf("span", &[], text);
            });
        };
        entry("service", page::LEGEND_SERVICES);
        entry("process", page::LEGEND_PROCESSES);
        if document.ports.iter().any(is_lost) {
            entry("lost", page::LEGEND_LOST);
        }
        let RangeItem { first, last } = document.node_ports;
        let room: Vec<String> = document
            .room
            .iter()
            .map(|room| page::room(&room.protocol, room.taken, room.free, room.first_free))
            .collect();
        let name = format!("{} {}", page::NODE_PORTS, page::range(first, last));
        entry("node-ports", &format!("{name}. {}", room.join("; ")));
        let RangeItem { first, last } = document.ephemeral;
        let name = format!("{} {}", page::EPHEMERAL, page::range(first, last));
        entry("ephemeral", &format!("{name}: {}", page::EPHEMERAL_IS));
    });
}
