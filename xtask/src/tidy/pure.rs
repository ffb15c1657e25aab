//! The pure half touches no machine: no files, sockets, processes, clock, chance or threads.

use super::Breach;
use super::paths::{paths, tokens};
use super::rust::Source;
use super::tree::Tree;

const PURE: &[&str] = &["net", "host", "service", "trace", "story"];

/// Paths that lead out, as written after `use` or in place.
const ROADS: &[&str] = &[
    "std::env",
    "std::fs",
    "std::os",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "io::stdin",
    "io::stdout",
    "io::stderr",
    "rand",
];

/// Types and macros that lead out, wherever they were imported from.
const DOORS: &[&str] = &[
    "Instant",
    "SystemTime",
    "TcpListener",
    "TcpStream",
    "ToSocketAddrs",
    "UdpSocket",
    "UnixDatagram",
    "UnixListener",
    "UnixStream",
    "thread_local",
];

/// Uses of the machine in crates that are to be free of it.
pub(super) fn edges(tree: &Tree) -> Vec<Breach> {
    tree.rust()
        .filter(|source| PURE.iter().any(|name| is_in(source, name)))
        .flat_map(|source| {
            let breach = |(line, what)| Breach::new(source.path, line, what);
            ways_out(&source.shipped)
                .into_iter()
                .map(breach)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn is_in(source: &Source<'_>, name: &str) -> bool {
    let path = source.path.strip_prefix(name);
    path.is_some_and(|rest| rest.starts_with("/src/"))
}

fn ways_out(code: &str) -> Vec<(usize, String)> {
    let roads = paths(code)
        .into_iter()
        .filter(|(_, path)| ROADS.iter().any(|road| leads(road, path)));
    let doors = tokens(code)
        .into_iter()
        .filter(|token| DOORS.contains(&token.text))
        .map(|token| (token.line, token.text.to_owned()));
    roads
        .chain(doors)
        .map(|(line, name)| (line, format!("the pure half does not use {name}")))
        .collect()
}

fn leads(road: &str, path: &str) -> bool {
    path.strip_prefix(road)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, code: &str) -> Vec<usize> {
        let found = edges(&Tree::from([(path, code)]));
        found.into_iter().map(|breach| breach.line).collect()
    }

    #[test]
    fn files_are_not_opened() {
        let code = "use std::{fmt, fs};\n/// std::fs\nfn f() { std::env::args() }\n";
        assert_eq!(lines("host/src/a.rs", code), [1, 3]);
    }

    #[test]
    fn the_clock_is_not_read() {
        let code = "fn f() {}\nuse std::time::{Duration, Instant};\n";
        assert_eq!(lines("trace/src/a.rs", code), [2]);
    }

    #[test]
    fn addresses_are_no_sockets() {
        let code = "use std::net::{IpAddr, SocketAddr};\nuse std::io::{self, Read};\n";
        assert_eq!(lines("net/src/a.rs", code), []);
    }

    #[test]
    fn the_edges_and_tests_may() {
        let code = "use std::fs;\n";
        assert_eq!(lines("kernel/src/a.rs", code), []);
        assert_eq!(lines("host/tests/a.rs", code), []);
        let test = "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(lines("host/src/a.rs", test), []);
    }
}
