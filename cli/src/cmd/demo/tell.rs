//! The words of the demo, in 80 columns.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use anstyle::Style;

use super::client::Seen;
use super::foretell::Foretold;
use super::world::{TARGET, World};
use crate::out;

/// Columns of a heading.
const WIDTH: usize = 80;
const BOLD: Style = Style::new().bold();

/// A connection in the table at the end.
#[derive(Debug)]
pub(super) struct Row {
    /// Which connection.
    pub(super) when: &'static str,
    /// What the client got.
    pub(super) got: &'static str,
    /// What `berth why` said.
    pub(super) said: String,
}

pub(super) fn scene(world: &World) -> io::Result<()> {
    let of = |name: &str, pid: u32| format!("{name} (pid {pid})");
    let web = of(world.web.name, world.web.pid());
    let nginx = of(world.nginx.name, world.nginx.pid());
    let drawing = format!(
        "
    client              node                             pod
  ┌──────────────┐    ┌───────────────────────────┐    ┌──────────────────────┐
  │ 192.168.77.2 ├────┤ 192.168.77.1   10.244.0.1 ├────┤ 10.244.0.10          │
  └──────────────┘    │                           │    │                      │
                      │ {web:<25} │    │ {nginx:<20} │
                      │ listens on 0.0.0.0:30584  │    │ listens on port 80   │
                      └───────────────────────────┘    └──────────────────────┘
"
    );
    out::print(&format!(
        "{BOLD}One port, two owners{BOLD:#}

A process listens on a port of a Kubernetes node. A Service is given the same
number as its NodePort. What do clients get, and how would you find out why?
{drawing}
Three network namespaces stand for the three computers. The processes, rules
and connections are real, and nothing outside the namespaces is touched.
"
    ))
}

pub(super) fn listening() -> io::Result<()> {
    act(
        1,
        "A process listens",
        "`web` listens on port 30584 of the node. kube-proxy keeps its rules there, as on
every node of a cluster, and none of them is about this port. The client
connects to 192.168.77.1:30584:",
    )
}

pub(super) fn staying() -> io::Result<()> {
    out::print(
        "
It keeps this connection open. On the node, `berth why` reads rules, routes and
sockets, and tells what becomes of a new connection from this client:
",
    )
}

pub(super) fn without_endpoint() -> io::Result<()> {
    act(
        2,
        "A Service is given the same number",
        "The Service default/nginx gets NodePort 30584. Nobody asks whether the port is
taken. The Service has no endpoints yet, so kube-proxy writes a rule that
refuses, and the client connects again:",
    )
}

pub(super) fn refusal() -> io::Result<()> {
    out::print(
        "
As if nothing listened; yet the socket is there, and `ss` on the node shows it.
`berth why` tells who refuses, and what to do:
",
    )
}

pub(super) fn with_endpoint() -> io::Result<()> {
    act(
        3,
        "The Service gets an endpoint",
        "The pod becomes ready. kube-proxy writes its rules anew: the refusal goes, and a
translation to the pod comes. The client connects again:",
    )
}

pub(super) fn hijack() -> io::Result<()> {
    out::print(
        "
No error at all: another program answers. `berth why` tells how it got there:
",
    )
}

pub(super) fn old_connection(line: &str) -> io::Result<()> {
    let text = format!(
        "The kernel decides on translation once, for the first packet of a connection,
and the connection that the client kept is older than the Service. Over that
one it asks \"{line}\":"
    );
    act(4, "The connection of act 1 still works", &text)
}

pub(super) fn old_and_new(code: &str) -> io::Result<()> {
    out::print(&format!(
        "
Old connections get web, new ones do not: \"some requests fail\". Both answers
above note it, and `berth explain {code}` tells more.
"
    ))
}

/// What the client got.
pub(super) fn client(seen: &Seen, took: Duration) -> io::Result<()> {
    let took = took.as_secs_f64() * 1000.0;
    out::print(&format!(
        "\n{BOLD}client{BOLD:#} gets {seen} after {took:.1} ms\n"
    ))
}

/// A command that is about to be run on the node.
pub(super) fn prompt(words: &[&str]) -> io::Result<()> {
    let words = words.join(" ");
    out::print(&format!("\n{BOLD}node$ berth {words}{BOLD:#}\n\n"))
}

/// What was foretold beside what was seen.
pub(super) fn agreement(foretold: &Foretold, seen: &Seen) -> io::Result<()> {
    let line = match &foretold.seen {
        Some(same) if same == seen => format!("Foretold {same}, seen the same: the kernel agrees."),
        Some(other) => format!("Foretold {other}, seen {seen}: the kernel disagrees."),
        None => format!("Foretold nothing certain, seen {seen}."),
    };
    out::print(&format!("\n{line}\n"))
}

pub(super) fn ending(rows: &[Row]) -> io::Result<()> {
    let mut text = heading(&format!("What became of connections to {TARGET}"));
    let mut line = |when: &str, got: &str, said: &str| {
        let _ = writeln!(text, "  {when:<30}{got:<18}{said}");
    };
    line("CONNECTION", "CLIENT GOT", "`berth why` SAID");
    for row in rows {
        line(row.when, row.got, &row.said);
    }
    text += "
The kernel agreed each time. The processes and namespaces are gone again.
On a node of yours, as root: berth why HOST:PORT
";
    out::print(&text)
}

fn act(number: u8, title: &str, text: &str) -> io::Result<()> {
    let heading = heading(&format!("{number}  {title}"));
    out::print(&format!("{heading}{text}\n"))
}

fn heading(title: &str) -> String {
    let taken = title.chars().count() + "──  ".chars().count();
    let rule = "─".repeat(WIDTH.saturating_sub(taken));
    format!("\n{BOLD}── {title} {rule}{BOLD:#}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_as_wide_as_the_page() {
        let heading = anstream::adapter::strip_str(&heading("1  A")).to_string();
        assert_eq!(heading.trim().chars().count(), WIDTH);
    }
}
