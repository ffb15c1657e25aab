//! One answer, and what every answer says of itself.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long a client may take to read an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every answer says: nothing is fetched from elsewhere, run, framed, guessed or kept.
const ALWAYS: &str = "\
Content-Security-Policy: default-src 'none'; style-src 'self'; form-action 'self'; \
base-uri 'none'; frame-ancestors 'none'\r
X-Content-Type-Options: nosniff\r
Referrer-Policy: no-referrer\r
Cross-Origin-Resource-Policy: same-origin\r
Cross-Origin-Opener-Policy: same-origin\r
Cache-Control: no-store\r
Vary: Accept\r
Connection: close\r
";

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Html,
    Json,
    Css,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    TimedOut,
    Misdirected,
    TooLong,
    Unavailable,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: Status,
    pub(super) kind: Kind,
    pub(super) body: String,
}

impl Response {
    /// Sends it; without its body to who asked for the head alone.
    pub(super) fn send(&self, stream: &mut TcpStream, is_head: bool) -> io::Result<()> {
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut text = self.head();
        if !is_head {
            text.push_str(&self.body);
        }
        stream.write_all(text.as_bytes())
    }

    fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status.line());
        let _ = write!(head, "Content-Type: {}\r\n", self.kind.name());
        let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        if self.status == Status::MethodNotAllowed {
            head.push_str("Allow: GET, HEAD\r\n");
        }
        head.push_str(ALWAYS);
        head.push_str("\r\n");
        head
    }
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::TimedOut => "408 Request Timeout",
            Self::Misdirected => "421 Misdirected Request",
            Self::TooLong => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Css => "text/css; charset=utf-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_each_line_as_http_does_and_counts_bytes() {
        let response = Response {
            status: Status::MethodNotAllowed,
            kind: Kind::Html,
            body: "→".to_owned(),
        };
        let head = response.head();
        assert!(head.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
        assert!(head.contains("\r\nContent-Length: 3\r\nAllow: GET, HEAD\r\n"));
        assert!(head.ends_with("\r\n\r\n"));
        assert_eq!(head.matches('\n').count(), head.matches("\r\n").count());
    }
}
