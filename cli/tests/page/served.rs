//! A page that is served for as long as a test runs, and a client that says what it likes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// The host of the README's example, with its Services.
pub const EXAMPLE: [&str; 8] = [
    "--rules",
    "docs/example/rules.iptables-save",
    "--sockets",
    "docs/example/sockets.ss",
    "--address",
    "192.168.77.1/24@eth0",
    "--manifests",
    "docs/example",
];

/// The repository, which the paths of [`EXAMPLE`] begin at.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What a command prints.
pub fn berth(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_berth"))
        .current_dir(root())
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A running `berth page`; it ends with this.
pub struct Page {
    child: Child,
    addr: SocketAddr,
}

/// What was answered.
pub struct Reply {
    pub status: u16,
    pub body: String,
    headers: Vec<(String, String)>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} stands there twice");
        value
    }
}

impl Page {
    pub fn of_example() -> Self {
        Self::start(&[])
    }

    /// A page of the example with more options.
    pub fn start(more: &[&str]) -> Self {
        Self::over(&EXAMPLE, more)
    }

    /// A page of the host that these words mean.
    pub fn over(host: &[&str], more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_berth"))
            .current_dir(root())
            .args(["page", "--listen", "127.0.0.1:0"])
            .args(host)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        let _ = BufReader::new(out).read_line(&mut line).unwrap();
        let addr = line.trim().strip_prefix("http://").unwrap();
        let addr = addr.trim_end_matches('/').parse().unwrap();
        Self { child, addr }
    }

    /// Where it is, without a slash at the end.
    #[cfg(feature = "browser")]
    pub fn base(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        let patience = Some(Duration::from_mins(1));
        stream.set_read_timeout(patience).unwrap();
        stream
    }

    pub fn get(&self, path: &str) -> Reply {
        self.raw(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    pub fn json(&self, path: &str) -> Reply {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json");
        let reply = self.raw(&format!("{head}\r\n\r\n"));
        assert_eq!(reply.header("Content-Type"), Some("application/json"));
        reply
    }

    /// Sends these bytes and no more, and reads the answer.
    pub fn raw(&self, request: &str) -> Reply {
        let mut stream = self.connect();
        // What is too long may be answered before it is sent.
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        };
        Reply {
            status: status[..3].parse().unwrap(),
            body: body.to_owned(),
            headers: lines.map(header).collect(),
        }
    }

    /// Sends a signal, and gives the exit status.
    pub fn end(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
