//! The servers of the demo: processes of their own that say who they are to whoever connects.

use std::ffi::CString;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context as _, bail};
use kernel::netns::{Netns, in_netns};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::{wait, world};
use crate::args::DemoServerArgs;

/// What a server prints once it listens.
const READY: &str = "ready\n";

/// What a process of that name says to a client first.
pub(super) fn greeting(name: &str, pid: u32) -> String {
    format!("hello from {name} (pid {pid})")
}

/// What it says to a line that it is sent.
pub(super) fn reply(name: &str, pid: u32, line: &str) -> String {
    format!("{name} (pid {pid}) heard: {line}")
}

/// A server that listens. It ends when this is dropped, and when this process ends.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: &'static str,
    child: Child,
}

impl Server {
    /// Starts one in a namespace, and waits until it listens.
    ///
    /// It enters the namespace by itself: a child goes with the thread that started it, and
    /// threads that enter a namespace do not stay.
    pub(super) fn start(
        name: &'static str,
        netns: &Netns,
        listen: SocketAddr,
    ) -> anyhow::Result<Self> {
        let started = Command::new("/proc/self/exe")
            .arg0("berth")
            .args(["demo-server", "--name", name])
            .args(["--listen", &listen.to_string()])
            .args(["--netns", &world::path(netns)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let child = started.with_context(|| format!("cannot start the server {name}"))?;
        let mut server = Self { name, child };
        let heard = server.first_line();
        match heard.with_context(|| format!("cannot hear of the server {name}"))? {
            line if line == READY => Ok(server),
            _ => bail!("the server {name} does not listen on {listen}"),
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it says to a client first.
    pub(super) fn greeting(&self) -> String {
        greeting(self.name, self.pid())
    }

    /// What it says to a line that it is sent.
    pub(super) fn reply(&self, line: &str) -> String {
        reply(self.name, self.pid(), line)
    }

    fn first_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if let Some(stdout) = self.child.stdout.take() {
            wait::for_event(&stdout)?;
            BufReader::new(stdout).read_line(&mut line)?;
        }
        Ok(line)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until killed: the process that [`Server::start`] starts.
pub(crate) fn serve(args: &DemoServerArgs) -> anyhow::Result<u8> {
    // A parent that ended before this call does not hear that it is ready, see below.
    set_parent_process_death_signal(Some(Signal::KILL)).context("demo-server")?;
    let name = CString::new(args.name.as_str()).context("demo-server")?;
    rustix::thread::set_name(&name).context("demo-server")?;
    in_netns(&args.netns, || accept(args))?
}

fn accept(args: &DemoServerArgs) -> anyhow::Result<u8> {
    let pid = std::process::id();
    let listener = TcpListener::bind(args.listen)
        .with_context(|| format!("demo-server: cannot listen on {}", args.listen))?;
    let ready = io::stdout().write_all(READY.as_bytes());
    ready.context("demo-server: nobody waits for it")?;
    thread::scope(|scope| {
        for stream in listener.incoming().flatten() {
            // A client that is gone is no fault of its server's.
            scope.spawn(move || converse(&stream, &args.name, pid).is_ok());
        }
    });
    Ok(0)
}

fn converse(mut stream: &TcpStream, name: &str, pid: u32) -> io::Result<()> {
    writeln!(stream, "{}", greeting(name, pid))?;
    for line in BufReader::new(stream).lines() {
        writeln!(stream, "{}", reply(name, pid, &line?))?;
    }
    Ok(())
}
