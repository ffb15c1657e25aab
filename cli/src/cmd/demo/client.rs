//! The client's connections: real ones, timed.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use kernel::netns::Netns;
use kernel::socket::errno_name;
use net::Endpoint;

/// Long enough for a second try of the kernel, after one second, to be answered.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a client gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// A line of a server.
    Answer(String),
    /// An error of `connect()` or of what followed: its name.
    Error(String),
    /// No sign of life.
    Silence,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(line) => write!(f, "\"{line}\""),
            Self::Error(name) => f.write_str(name),
            Self::Silence => write!(f, "no answer within {} s", PATIENCE.as_secs()),
        }
    }
}

impl From<String> for Seen {
    fn from(line: String) -> Self {
        Self::Answer(line)
    }
}

impl From<io::Error> for Seen {
    fn from(error: io::Error) -> Self {
        if matches!(
            error.kind(),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
        ) {
            return Self::Silence;
        }
        let name = error.raw_os_error().and_then(errno_name);
        Self::Error(name.map_or_else(|| error.to_string(), str::to_owned))
    }
}

/// A try to connect, and the connection where it came about.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) seen: Seen,
    pub(super) took: Duration,
    pub(super) open: Option<Connection>,
}

/// Connects from a namespace and listens for what the server says first.
pub(super) fn connect(from: &Netns, to: Endpoint) -> anyhow::Result<Attempt> {
    let to = SocketAddr::new(to.addr, to.port);
    Ok(from.run(|| {
        let ((seen, open), took) = timed(|| match Connection::open(to) {
            Ok(mut open) => (open.hear(), Some(open)),
            Err(error) => (error.into(), None),
        });
        Attempt { seen, took, open }
    })?)
}

/// A connection that stands. It stays in the namespace it was made in.
#[derive(Debug)]
pub(super) struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a line, and waits for the line that comes back.
    pub(super) fn say(&mut self, line: &str) -> (Seen, Duration) {
        timed(|| match writeln!(self.0.get_mut(), "{line}") {
            Ok(()) => self.hear(),
            Err(error) => error.into(),
        })
    }

    fn hear(&mut self) -> Seen {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(_) => Seen::Answer(line.trim_end().to_owned()),
            Err(error) => error.into(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a real connection takes cannot be an argument"
)]
fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = run();
    (done, start.elapsed())
}
