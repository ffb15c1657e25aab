//! Connections: so many at a time, each for one request, until a signal asks to end.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, read, retry_on_intr, write};

use super::clock::now;
use super::request::{self, swallow};
use super::site::Site;

/// Connections at a time; more wait with the kernel.
const MOST: usize = 32;

/// How long the last connections may take when the page ends.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait where the kernel has no descriptor left for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until a signal asks to end, and then for a moment until the last connections are
/// over.
pub(super) fn serve(listener: &TcpListener, signals: &OwnedFd, site: &Arc<Site>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let open = Arc::new(Open::new()?);
    loop {
        let listener_now = (open.count() < MOST).then_some(listener);
        if wait(signals, listener_now, &open, None)? {
            break;
        }
        while open.count() < MOST {
            match listener.accept() {
                Ok((stream, _)) => start(site, &open, stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The client is gone already.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    let _ = wait(signals, None, &open, Some(PAUSE))?;
                    break;
                }
            }
        }
    }
    let end = now() + GRACE;
    while open.count() > 0 && now() < end {
        let rest = end.saturating_duration_since(now());
        wait_over(&open, rest)?;
    }
    Ok(())
}

/// Waits for a signal, which is told by `true`, for a client, or for the end of a connection.
fn wait(
    signals: &OwnedFd,
    listener: Option<&TcpListener>,
    open: &Open,
    most: Option<Duration>,
) -> io::Result<bool> {
    let mut fds = vec![
        PollFd::new(signals, PollFlags::IN),
        PollFd::new(&open.over, PollFlags::IN),
    ];
    fds.extend(listener.map(|listener| PollFd::new(listener, PollFlags::IN)));
    let most = most.map(timespec);
    let _ = retry_on_intr(|| poll(&mut fds, most.as_ref()))?;
    open.forget();
    Ok(!fds[0].revents().is_empty())
}

/// Waits for the end of a connection.
fn wait_over(open: &Open, most: Duration) -> io::Result<()> {
    let mut fds = [PollFd::new(&open.over, PollFlags::IN)];
    retry_on_intr(|| poll(&mut fds, Some(&timespec(most))))?;
    open.forget();
    Ok(())
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// How many connections there are.
struct Open {
    count: AtomicUsize,
    /// Readable once one of them is over.
    over: OwnedFd,
}

impl Open {
    fn new() -> io::Result<Self> {
        Ok(Self {
            count: AtomicUsize::new(0),
            over: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Takes note of the ends that were told of.
    fn forget(&self) {
        let mut count = [0; 8];
        let _: Result<usize, Errno> = read(&self.over, &mut count);
    }
}

/// A connection that is counted for as long as this lives.
struct Counted(Arc<Open>);

impl Counted {
    fn new(open: &Arc<Open>) -> Self {
        let _ = open.count.fetch_add(1, Ordering::SeqCst);
        Self(open.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let _ = self.0.count.fetch_sub(1, Ordering::SeqCst);
        let _: Result<usize, Errno> = write(&self.0.over, &1_u64.to_ne_bytes());
    }
}

/// Serves a connection on a thread of its own; where there can be no more threads it is
/// closed.
fn start(site: &Arc<Site>, open: &Arc<Open>, stream: TcpStream) {
    let counted = Counted::new(open);
    let site = site.clone();
    let _ = thread::Builder::new().spawn(move || {
        serve_one(&site, stream);
        drop(counted);
    });
}

/// Answers one request. A client that goes away loses nothing but its answer.
fn serve_one(site: &Site, mut stream: TcpStream) {
    // Accepted sockets do not inherit it everywhere.
    if stream.set_nonblocking(false).is_err() {
        return;
    }
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let (response, is_head) = match request::read(&mut stream) {
        Ok(request) => (site.answer(&request, local.ip()), request.method == "HEAD"),
        Err(fault) => match site.refuse(fault) {
            Some(response) => (response, false),
            None => return,
        },
    };
    if response.send(&mut stream, is_head).is_ok()
        && stream.shutdown(std::net::Shutdown::Write).is_ok()
    {
        swallow(&mut stream);
    }
}
