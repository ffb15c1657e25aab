//! One request, read from a connection and no further than its head.

use std::io::{self, Read as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::clock::now;

/// The longest head of a request.
const LONGEST: usize = 16 * 1024;
/// The most headers of a request.
const HEADERS: usize = 64;
/// How long a client may take to send a request.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long what a client still sends is read after the answer, and how much of it: a
/// connection closed with unread bytes is reset, and the answer may be lost with it.
const LINGER: Duration = Duration::from_millis(500);
const SWALLOWED: usize = 256 * 1024;

/// What a client asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    /// The path, not decoded.
    pub(super) path: String,
    /// What stands behind the `?`; absent where there is none.
    pub(super) query: String,
    /// The name it calls this page by.
    pub(super) host: String,
    /// What kinds of answer it takes.
    pub(super) accept: String,
}

/// Why there is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The client went away.
    Gone,
    /// It took too long.
    Slow,
    /// It is longer than anything this page needs to be asked.
    Long,
    /// It is no HTTP.
    Garbled,
}

/// Reads a request.
pub(super) fn read(stream: &mut TcpStream) -> Result<Request, Fault> {
    let end = now() + PATIENCE;
    let mut bytes = Vec::new();
    let mut piece = [0; 2048];
    loop {
        match piece_before(stream, &mut piece, end) {
            Ok(0) if bytes.is_empty() => return Err(Fault::Gone),
            Ok(0) => return Err(Fault::Garbled),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if is_slow(&error) => return Err(Fault::Slow),
            Err(_) => return Err(Fault::Gone),
        }
        match parse(&bytes) {
            Ok(Some(request)) => return Ok(request),
            Ok(None) if bytes.len() > LONGEST => return Err(Fault::Long),
            Ok(None) => {}
            Err(fault) => return Err(fault),
        }
    }
}

/// Reads, and forgets, what a client still sends.
pub(super) fn swallow(stream: &mut TcpStream) {
    let end = now() + LINGER;
    let mut piece = [0; 8192];
    let mut count = 0;
    while count < SWALLOWED {
        match piece_before(stream, &mut piece, end) {
            Ok(0) | Err(_) => return,
            Ok(more) => count += more,
        }
    }
}

/// The next bytes, if they come before `end`.
fn piece_before(stream: &mut TcpStream, piece: &mut [u8], end: Instant) -> io::Result<usize> {
    let rest = end.saturating_duration_since(now());
    if rest.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(Some(rest))?;
    stream.read(piece)
}

fn is_slow(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// The request in `bytes`, if its head is there as a whole.
fn parse(bytes: &[u8]) -> Result<Option<Request>, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    match head.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Fault::Long),
        Err(_) => return Err(Fault::Garbled),
    }
    let target = head.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let values = |name: &str| -> Result<Vec<&str>, Fault> {
        let named = head.headers.iter();
        let named = named.filter(|header| header.name.eq_ignore_ascii_case(name));
        let texts = named.map(|header| std::str::from_utf8(header.value));
        texts.collect::<Result<_, _>>().map_err(|_| Fault::Garbled)
    };
    // Two names, or a whole address in place of a path, are for proxies to argue about.
    match values("host")?.as_slice() {
        [host] if path.starts_with('/') => Ok(Some(Request {
            method: head.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            host: host.trim().to_owned(),
            accept: values("accept")?.join(","),
        })),
        _ => Err(Fault::Garbled),
    }
}

impl Request {
    /// Whether the client would rather have JSON than a page.
    pub(super) fn wants_json(&self) -> bool {
        self.weight("application", "json") > self.weight("text", "html")
    }

    /// How much the client likes a kind of answer, in thousandths: by the most particular of
    /// the kinds that it names.
    fn weight(&self, kind: &str, sort: &str) -> u16 {
        let ranges = self.accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let (of, sorts) = parts.next()?.split_once('/')?;
            let is = |text: &str, wanted: &str| text.eq_ignore_ascii_case(wanted);
            let particular = match (of, sorts) {
                ("*", "*") => 0,
                (of, "*") if is(of, kind) => 1,
                (of, sorts) if is(of, kind) && is(sorts, sort) => 2,
                _ => return None,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            Some((particular, weight.map_or(1000, thousandths)))
        });
        let best = ranges.max_by_key(|(particular, _)| *particular);
        best.map_or(0, |(_, weight)| weight)
    }
}

/// `0.8` as 800; what is no weight counts as nothing.
fn thousandths(text: &str) -> u16 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    match (whole, part.parse::<u16>()) {
        ("1", _) => 1000,
        ("0", Ok(part)) => part,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Option<Request>, Fault> {
        parse(text.replace('\n', "\r\n").as_bytes())
    }

    #[test]
    fn a_request_is_whole_with_its_empty_line() {
        let head = "GET /why?to=80 HTTP/1.1\nhOsT: localhost:1\nAccept: */*\n";
        assert_eq!(of(head), Ok(None));
        let request = of(&format!("{head}\n")).unwrap().unwrap();
        let expected = Request {
            method: "GET".to_owned(),
            path: "/why".to_owned(),
            query: "to=80".to_owned(),
            host: "localhost:1".to_owned(),
            accept: "*/*".to_owned(),
        };
        assert_eq!(request, expected);
    }

    #[test]
    fn no_name_two_names_and_an_address_in_place_of_a_path_are_refused() {
        for head in [
            "GET / HTTP/1.1\n\n",
            "GET / HTTP/1.1\nHost: a\nHost: b\n\n",
            "GET http://localhost/ HTTP/1.1\nHost: localhost\n\n",
            "CONNECT localhost:80 HTTP/1.1\nHost: localhost\n\n",
            "\u{16}\u{3}\u{1} hello\n\n",
        ] {
            assert_eq!(of(head), Err(Fault::Garbled), "{head}");
        }
    }

    #[test]
    fn a_client_gets_json_only_if_it_would_rather() {
        let wants = |accept: &str| {
            let accept = accept.to_owned();
            Request {
                accept,
                ..Request::default()
            }
            .wants_json()
        };
        assert!(wants("application/json"));
        assert!(wants("Application/JSON, text/html;q=0.5"));
        assert!(wants("application/json, */*;q=0.1"));
        for not in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/json;q=0.2, text/html",
            "application/json;q=0",
            "application/jsonp",
        ] {
            assert!(!wants(not), "{not}");
        }
    }
}
