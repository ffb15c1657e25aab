//! A connection from its first packet on: the request, the answer, the last packet of the
//! handshake, and what the client makes of it.

mod back;
mod errors;
mod onward;

use std::rc::Rc;

use host::Hook;
use host::xt::RejectWith;
use net::{Family, Proto};

use crate::answer::{Cause, Client, Did, Server, Stage, Verdict};
use crate::deliver::Taker;
use crate::end::{End, Facts};
use crate::errno;
use crate::eval::Eval;
use crate::journey::Landing;
use crate::packet::{Fact, Kind, State, Tracking, User, Way};
use crate::routing::{is_in_send, is_strict};

/// Where an answer ends up.
enum Reach {
    Arrives,
    Lost(Cause),
    Unknown(Rc<str>),
}

/// A client, for packets that go to it and come from it.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Index of the link its packets come in on; `None` for a process here.
    pub(crate) iif: Option<u32>,
    /// Its address as the packet has it.
    pub(crate) source: Fact,
    /// The way its socket keeps, for a process here.
    pub(crate) way: Option<Way>,
}

impl Eval<'_> {
    /// Follows connections from outside, or from a process here, to all their ends.
    pub(crate) fn connect(&mut self, state: State, entry: Entry) -> Vec<End> {
        let landed = if entry.iif.is_some() {
            self.come_in(state)
        } else {
            self.go_out(state)
        };
        let mut walk = Walk {
            eval: self,
            entry,
            ends: Vec::new(),
        };
        for (state, landing) in landed {
            walk.end_request(state, landing);
        }
        walk.ends
    }
}

/// Connections of one client on their way.
struct Walk<'e, 'h> {
    eval: &'e mut Eval<'h>,
    entry: Entry,
    /// Those that have ended.
    ends: Vec<End>,
}

/// Packets of a client that are followed behind the answer: the last of the handshake and the
/// first with data.
const FOLLOWED: u8 = 2;

impl Walk<'_, '_> {
    fn end_request(&mut self, state: State, landing: Landing) {
        let is_local = self.entry.iif.is_none();
        let datagram = state.packet.proto != Proto::TCP;
        match landing {
            Landing::Here => self.at_sockets(state),
            Landing::Left { oif } => self.after_leaving(state, oif),
            Landing::Lost { cause, hook } => {
                let in_send = is_local && datagram && hook.is_some_and(is_in_send);
                let client = match (&cause, in_send) {
                    (Cause::RuleDrops | Cause::PolicyDrops, true) => Client::Errno("EPERM"),
                    (_, true) => errno::at_once(&cause),
                    (_, false) => Client::Timeout,
                };
                self.ends
                    .push(End::new(state, Verdict::Dropped, client, cause));
            }
            Landing::Rejected { with, hook } => {
                let in_send = is_local && datagram && is_in_send(hook);
                let unrouted =
                    hook == Hook::Prerouting && state.packet.iif != Some(self.eval.loopback());
                self.rejected(state, with, in_send, unrouted);
            }
            Landing::Answered { cause, code } => {
                let with = match state.family {
                    Family::V4 => RejectWith::Icmp(code),
                    Family::V6 => RejectWith::Icmp6(code),
                };
                let refused = Refused::of(&state, with, cause);
                self.kernel_answers(state, &refused);
            }
            Landing::Queued => {
                let why = "a program in user space decides (NFQUEUE)";
                self.ends.push(End::unknown(state, why.into()));
            }
            Landing::Unknown(why) => self.ends.push(End::unknown(state, why)),
        }
    }

    fn rejected(&mut self, state: State, with: RejectWith, in_send: bool, unrouted: bool) {
        if in_send {
            // The call that sends fails; the error that follows is seen by the next one.
            let client = Client::Errno("EPERM");
            self.ends.push(End::new(
                state,
                Verdict::Rejected,
                client,
                Cause::RuleRejects(with),
            ));
            return;
        }
        let refused = Refused {
            unrouted,
            ..Refused::of(&state, with, Cause::RuleRejects(with))
        };
        self.kernel_answers(state, &refused);
    }

    /// The kernel answers with an error that carries the packet's connection.
    fn kernel_answers(&mut self, state: State, refused: &Refused) {
        let tracking = if state.entry().is_some() {
            Tracking::Related
        } else {
            Tracking::None
        };
        self.refuse(state, tracking, refused);
    }

    /// Sends the error to the client, and says what it makes of it.
    fn refuse(&mut self, state: State, tracking: Tracking, refused: &Refused) {
        let answers = self.error_packets(state, refused, tracking).into_iter();
        let sent = answers.flat_map(|answer| self.send_back(answer, refused.device));
        for (state, reach) in sent.collect::<Vec<_>>() {
            let mut end = match reach {
                Reach::Arrives => {
                    let (verdict, client) = errno::seen(refused.with, refused.proto);
                    End::new(state, verdict, client, refused.cause.clone())
                }
                Reach::Lost(lost) => {
                    let cause = Cause::AnswerLost(Box::new(lost));
                    End::new(state, Verdict::Dropped, Client::Timeout, cause)
                }
                Reach::Unknown(why) => End::unknown(state, why),
            };
            end.request = refused.request;
            self.ends.push(end);
        }
    }

    /// At the sockets: somebody takes it, or the kernel refuses.
    fn at_sockets(&mut self, state: State) {
        for (mut state, taker) in self.eval.takers(state) {
            match taker {
                Taker::Unknown => {
                    self.ends.push(End::unknown(
                        state,
                        "the sockets of this host were not read".into(),
                    ));
                }
                Taker::Socket(socket) => {
                    state.note(Stage::Socket, None, Did::Delivered);
                    let server = Server {
                        socket: socket.clone(),
                        reached: true,
                    };
                    self.served(state, server);
                }
                Taker::Nobody { bound } => {
                    let cause = if bound.is_some() {
                        Cause::BoundOnly
                    } else {
                        Cause::NothingListens
                    };
                    state.note(Stage::Socket, None, Did::Stops(cause.clone()));
                    self.nobody(state, cause);
                }
            }
        }
    }

    /// A closed port: TCP resets within the connection, others get an ICMP error about it.
    fn nobody(&mut self, state: State, cause: Cause) {
        let proto = state.packet.proto;
        let with = match (proto, state.family) {
            (Proto::TCP, _) => RejectWith::TcpReset,
            (_, Family::V4) => RejectWith::Icmp(3),
            (_, Family::V6) => RejectWith::Icmp6(4),
        };
        // A reset to ::1 leaves over the link that has the address asked, or not at all
        // (tcp_ipv6.c, tcp_v6_send_response).
        let strict = proto == Proto::TCP && is_strict(&state, &state.packet.src);
        let device = self
            .eval
            .receiving_link(&state)
            .filter(|link| strict && *link != self.eval.loopback());
        let refused = Refused {
            device,
            ..Refused::of(&state, with, cause)
        };
        // The connection was taken off the packet at the sockets (nf_reset_ct): conntrack
        // looks the answer up anew.
        self.refuse(state, Tracking::None, &refused);
    }

    /// A server here has the request: its answer, and the client's last packet.
    fn served(&mut self, state: State, server: Server) {
        let request = state.clone();
        let group = server.socket.holder.as_ref().and_then(|holder| holder.gid);
        let mut answer = answer_to(state, Kind::Answer);
        answer.packet.user = User::Server(server.socket.uid, group);
        answer.packet.mark = server.socket.mark.unwrap_or(0);
        answer.packet.device = server.socket.device;
        let reached = self.send_back(answer, None);
        let facts = Facts {
            request: &request,
            server: Some(server),
            oif: None,
        };
        self.answered(reached, &facts);
    }

    /// The packet has left this host: whatever answers there answers over the same link.
    fn after_leaving(&mut self, state: State, oif: u32) {
        let request = state.clone();
        let mut answer = answer_to(state, Kind::Answer);
        answer.packet.iif = Some(oif);
        answer.note(Stage::Start, None, Did::AnswerStarts);
        let landed = self.eval.come_in(answer);
        let reached = landed.into_iter().map(|(state, landing)| {
            let reach = self.reach(&state, landing);
            (state, reach)
        });
        let reached = reached.collect();
        let facts = Facts {
            request: &request,
            server: None,
            oif: Some(self.eval.link_name(oif)),
        };
        self.answered(reached, &facts);
    }

    /// What becomes of a connection whose answer was followed.
    fn answered(&mut self, reached: Vec<(State, Reach)>, facts: &Facts) {
        for (state, reach) in reached {
            match reach {
                Reach::Lost(cause) => {
                    let cause = Cause::AnswerLost(Box::new(cause));
                    let end = End::new(state, Verdict::Dropped, Client::Timeout, cause);
                    self.ends.push(facts.complete(end));
                }
                Reach::Unknown(why) => self.ends.push(facts.complete(End::unknown(state, why))),
                Reach::Arrives if state.packet.proto == Proto::TCP => {
                    self.acknowledge(&state, facts);
                }
                Reach::Arrives => self.ends.push(facts.complete(facts.success(state))),
            }
        }
    }

    /// Whether a later packet of the client lands where the first one did.
    fn arrives_too(&self, state: &State, landing: &Landing, facts: &Facts) -> bool {
        let same = same_end(state, facts.request);
        match landing {
            Landing::Here => facts.oif.is_none() && same,
            // Without a new choice among several ways it leaves by the same link.
            Landing::Left { oif } => {
                let link = Some(self.eval.link_name(*oif));
                let chose = state.path() != facts.request.path();
                same && facts.oif.is_some() && (chose || link == facts.oif)
            }
            Landing::Lost { .. }
            | Landing::Rejected { .. }
            | Landing::Answered { .. }
            | Landing::Queued
            | Landing::Unknown(_) => false,
        }
    }

    /// The last packet of the handshake takes the way of the first.
    fn acknowledge(&mut self, state: &State, facts: &Facts) {
        self.follow(Kind::Ack, state, facts, FOLLOWED);
    }
}

/// An error that the kernel sends to a client.
struct Refused {
    /// How many steps the request took.
    request: usize,
    /// The protocol of the request.
    proto: Proto,
    with: RejectWith,
    cause: Cause,
    /// The link it has to leave by.
    device: Option<u32>,
    /// The packet was not routed yet.
    unrouted: bool,
}

impl Refused {
    /// An error about the packets of a state.
    fn of(state: &State, with: RejectWith, cause: Cause) -> Self {
        let (request, proto) = (state.steps().len(), state.packet.proto);
        Self {
            request,
            proto,
            with,
            cause,
            device: None,
            unrouted: false,
        }
    }
}

/// The packet that goes back: ends swapped, the connection kept.
fn answer_to(mut state: State, kind: Kind) -> State {
    let packet = &mut state.packet;
    std::mem::swap(&mut packet.src, &mut packet.dst);
    std::mem::swap(&mut packet.sport, &mut packet.dport);
    packet.kind = kind;
    packet.device = None;
    packet.mark = 0;
    packet.iif = None;
    packet.oif = None;
    packet.way = None;
    packet.from_wire = false;
    packet.user = User::Nobody;
    state.tracking = Tracking::None;
    state.reply = state.conn.is_some();
    state
}

/// Whether a later packet of the client ends up where the first one did, and looks as if it
/// came from there too.
fn same_end(state: &State, request: &State) -> bool {
    let (a, b) = (&state.packet, &request.packet);
    let known = |a: Option<u128>, b: Option<u128>| a.is_some() && a == b;
    let addr = |x, y| x == y || known(state.known_addr(x), request.known_addr(y));
    let number = |of: &State, port| of.known_port(port).map(u128::from);
    let port = |x, y| x == y || known(number(state, x), number(request, y));
    addr(&a.dst, &b.dst)
        && port(&a.dport, &b.dport)
        && addr(&a.src, &b.src)
        && port(&a.sport, &b.sport)
}
