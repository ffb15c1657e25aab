//! Netlink sockets: one request, and the messages that answer it.
//!
//! Answers land where the caller keeps them, as the kernel sent them; what they mean is
//! known elsewhere.

mod message;

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::PollFlags;
use rustix::io::retry_on_intr;
use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt,
};

use crate::ready::is_ready;
use crate::sys::{NetlinkOption, set_netlink_option};

pub(crate) use message::{Attributes, Message, Messages, Request, u32_at};

/// Room for each receive. The kernel gives at most 32 KiB at once, and starts each part of a
/// rule dump by walking from the first rule, so smaller buffers cost several times as much.
const RECEIVE: usize = 64 * 1024;
/// Kernel: `RTMGRP_LINK` (include/uapi/linux/rtnetlink.h).
const LINK_GROUP: u32 = 1;
/// Kernel: `NFNLGRP_NFTRACE`, the ninth (include/uapi/linux/netfilter/nfnetlink.h).
const TRACE_GROUP: u32 = 1 << 8;

/// A netlink socket, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Netlink {
    fd: OwnedFd,
    sequence: u32,
}

/// How a dump ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dumped {
    /// All of it is one state of the kernel.
    Whole,
    /// What was dumped changed on the way: read again.
    Torn,
}

impl Netlink {
    /// Opens a socket. The caller knows that the protocol's module is there: opening it would
    /// load the module otherwise.
    pub(crate) fn open(protocol: Protocol) -> io::Result<Self> {
        Self::open_number(Some(protocol))
    }

    fn open_number(protocol: Option<Protocol>) -> io::Result<Self> {
        let fd = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            protocol,
        )?;
        // Old kernels lack these options and answer all the same.
        for option in [NetlinkOption::ExtendedAck, NetlinkOption::CappedAck] {
            let _ = set_netlink_option(fd.as_fd(), option);
        }
        Ok(Self { fd, sequence: 0 })
    }

    /// A socket for links, addresses and routes: `NETLINK_ROUTE` is protocol 0.
    pub(crate) fn open_route() -> io::Result<Self> {
        let socket = Self::open_number(None)?;
        // Kernels before 4.20 lack it and dump more than was asked for.
        let _ = set_netlink_option(socket.fd.as_fd(), NetlinkOption::StrictCheck);
        Ok(socket)
    }

    /// A socket that is told of every change of a link.
    pub(crate) fn watch_links() -> io::Result<Self> {
        let socket = Self::open_number(None)?;
        rustix::net::bind(&socket.fd, &SocketAddrNetlink::new(0, LINK_GROUP))?;
        Ok(socket)
    }

    /// A socket that is told of packets that nftables traces, with room for so many bytes.
    pub(crate) fn watch_traces(room: usize) -> io::Result<Self> {
        let socket = Self::open(NETFILTER)?;
        // Without the privilege for the second, what the first gives has to do.
        let _ = sockopt::set_socket_recv_buffer_size(&socket.fd, room);
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket.fd, room);
        rustix::net::bind(&socket.fd, &SocketAddrNetlink::new(0, TRACE_GROUP))?;
        Ok(socket)
    }

    /// Waits for a message and throws it away; false where none came in time.
    pub(crate) fn is_told(&mut self, timeout: Duration) -> io::Result<bool> {
        let told = is_ready(self.fd.as_fd(), PollFlags::IN, timeout, None)?;
        if told {
            self.receive(&mut Vec::new())?;
        }
        Ok(told)
    }

    /// Waits for messages and appends them to `into`; false where none came in time, or `stop`
    /// became readable.
    pub(crate) fn hear(
        &mut self,
        timeout: Duration,
        stop: Option<BorrowedFd<'_>>,
        into: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let told = is_ready(self.fd.as_fd(), PollFlags::IN, timeout, stop)?;
        if told {
            self.receive(into)?;
        }
        Ok(told)
    }

    /// Asks for a dump and appends its messages to `into`, without the closing one.
    /// After an error `into` is as long as before.
    pub(crate) fn dump(&mut self, request: Request, into: &mut Vec<u8>) -> io::Result<Dumped> {
        let start = into.len();
        self.send(request.dump())?;
        let received = self.receive_dump(into);
        if received.is_err() {
            into.truncate(start);
        }
        received
    }

    /// Asks for a dump and shows each message to `look`, keeping none: for what is long and
    /// mostly not wanted.
    pub(crate) fn dump_each(
        &mut self,
        request: Request,
        mut look: impl FnMut(Message<'_>),
    ) -> io::Result<()> {
        self.send(request.dump())?;
        let mut received = Vec::new();
        loop {
            received.clear();
            self.receive(&mut received)?;
            for message in Messages(&received) {
                if let Some(error) = message.error() {
                    return Err(error);
                }
                if message.is_done() {
                    return message.done();
                }
                look(message);
            }
        }
    }

    /// Asks for one object and appends the message that answers to `into`.
    pub(crate) fn ask(&mut self, request: Request, into: &mut Vec<u8>) -> io::Result<()> {
        self.send(request)?;
        let start = into.len();
        self.receive(into)?;
        let refused = Messages(&into[start..]).find_map(Message::error);
        match refused {
            Some(error) => {
                into.truncate(start);
                Err(error)
            }
            None => Ok(()),
        }
    }

    /// Sends a change and waits until the kernel has made it or refused it.
    pub(crate) fn change(&mut self, request: Request) -> io::Result<()> {
        self.change_all(vec![request.acknowledged()])
    }

    /// Sends changes, one of which is acknowledged, and waits until the kernel has made them or
    /// refused one. After an error the socket is of no more use: other errors may follow.
    pub(crate) fn change_all(&mut self, requests: Vec<Request>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for request in requests {
            self.sequence = self.sequence.wrapping_add(1);
            bytes.extend(request.into_bytes(self.sequence));
        }
        self.send_bytes(&bytes)?;
        let mut answer = Vec::new();
        self.receive(&mut answer)?;
        match Messages(&answer).find_map(Message::error) {
            Some(error) if error.raw_os_error() != Some(0) => Err(error),
            Some(_) | None => Ok(()),
        }
    }

    fn send(&mut self, request: Request) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = request.into_bytes(self.sequence);
        self.send_bytes(&bytes)
    }

    fn send_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        retry_on_intr(|| rustix::net::send(&self.fd, bytes, SendFlags::empty()))?;
        Ok(())
    }

    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        into.reserve(RECEIVE);
        let (kept, sent) =
            retry_on_intr(|| rustix::net::recv(&self.fd, spare_capacity(into), RecvFlags::TRUNC))?;
        if kept < sent {
            // More than the kernel builds for one receive: the rest is lost.
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        Ok(())
    }

    fn receive_dump(&mut self, into: &mut Vec<u8>) -> io::Result<Dumped> {
        let mut dumped = Dumped::Whole;
        loop {
            let start = into.len();
            self.receive(into)?;
            // DUMP_INTR comes on one message, which need not be the last, and DONE never
            // carries it.
            let mut end = None;
            for (at, message) in Messages(&into[start..]).with_offsets() {
                if message.is_interrupted() {
                    dumped = Dumped::Torn;
                }
                if let Some(error) = message.error() {
                    return Err(error);
                }
                if message.is_done() {
                    message.done()?;
                    end = Some(start + at);
                    break;
                }
            }
            if let Some(end) = end {
                into.truncate(end);
                return Ok(dumped);
            }
        }
    }
}
