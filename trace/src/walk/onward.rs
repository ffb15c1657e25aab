//! What the client sends once the server has answered.

use host::xt::RejectWith;
use net::addr_bits;

use super::{Facts, Refused, Walk};
use crate::answer::{Cause, Client, Did, Stage, Verdict};
use crate::chain::same_trail;
use crate::end::End;
use crate::journey::Landing;
use crate::packet::{Fact, Kind, State, Tracking, User};

impl Walk<'_, '_> {
    /// The next packet of a client whose answer has arrived.
    fn next_packet(&self, kind: Kind, state: &State, facts: &Facts) -> State {
        let mut ack = facts.request.clone();
        (ack.addr, ack.port) = (state.addr.clone(), state.port.clone());
        (ack.conn, ack.choices, ack.added) = (
            state.conn.clone(),
            state.choices.clone(),
            state.added.clone(),
        );
        (ack.trail, ack.tracking, ack.reply) = (state.trail.clone(), Tracking::None, false);
        let to = self.eval.question.to;
        let packet = &mut ack.packet;
        (packet.kind, packet.iif, packet.mark) = (kind, self.entry.iif, 0);
        (packet.src, packet.sport) = (self.entry.source.clone(), Fact::Client);
        (packet.dst, packet.dport) = (Fact::Known(addr_bits(to.addr)), Fact::Known(to.port.into()));
        (packet.user, packet.from_wire) = match self.entry.iif {
            Some(_) => (User::Nobody, true),
            None => (User::Client, false),
        };
        ack
    }

    /// The connection after the error about a packet of the client's, where rules that the
    /// error met have marked the connection otherwise than `mark`: the next packet may pass.
    fn changed_by_error(
        &mut self,
        state: &State,
        with: RejectWith,
        mark: Option<u32>,
    ) -> Option<State> {
        if with == RejectWith::TcpReset || state.entry().is_none() {
            return None;
        }
        let refused = Refused::of(state, with, Cause::RuleRejects(with));
        let errors = self.error_packets(state.clone(), &refused, Tracking::Related);
        let sent = errors.into_iter().flat_map(|error| self.send(error, None));
        let conns: Vec<_> = sent.map(|(after, _)| after.conn).collect();
        let conn = conns
            .into_iter()
            .flatten()
            .find(|conn| Some(conn.mark) != mark)?;
        let mut state = state.clone();
        state.conn = Some(conn);
        Some(state)
    }

    /// Follows packets of the client behind the answer: as many as `left`, as long as each
    /// leaves the connection or a set changed for the next one.
    pub(super) fn follow(&mut self, kind: Kind, state: &State, facts: &Facts, left: u8) {
        let arrived = state.trail.clone();
        let (conn, added) = (
            state.conn.as_ref().map(|conn| conn.mark),
            state.added.clone(),
        );
        let mut ack = self.next_packet(kind, state, facts);
        ack.note(Stage::Start, None, Did::AckStarts);
        let landed = if self.entry.iif.is_some() {
            self.eval.come_in(ack)
        } else {
            ack.packet.way.clone_from(&self.entry.way);
            self.eval.go_out(ack)
        };
        for (state, landing) in landed {
            let arrives = self.arrives_too(&state, &landing, facts);
            let changed = state.conn.as_ref().map(|conn| conn.mark) != conn
                || !same_trail(state.added.as_ref(), added.as_ref())
                || state.half_open;
            if arrives && changed && left > 1 {
                let mut state = state;
                state.trail.clone_from(&arrived);
                self.follow(Kind::Data, &state, facts, left - 1);
                continue;
            }
            // What is lost may be sent again, or more with it: the connection lives if that
            // gets there.
            if matches!(landing, Landing::Lost { .. }) && changed && left > 1 {
                let mut state = state;
                state.trail.clone_from(&arrived);
                self.follow(kind, &state, facts, 1);
                continue;
            }
            if let (Landing::Rejected { with, .. }, true) = (&landing, left > 1)
                && let Some(mut state) = self.changed_by_error(&state, *with, conn)
            {
                state.trail.clone_from(&arrived);
                self.follow(kind, &state, facts, left - 1);
                continue;
            }
            let end = match landing {
                // The way of the packet adds nothing to the story.
                _ if arrives => {
                    let mut state = state;
                    state.trail.clone_from(&arrived);
                    facts.success(state)
                }
                Landing::Unknown(why) => End::unknown(state, why),
                Landing::Queued => End::unknown(state, "a program in user space decides".into()),
                other => {
                    let cause = match other {
                        Landing::Lost { cause, .. } | Landing::Answered { cause, .. } => cause,
                        Landing::Rejected { with, .. } => Cause::RuleRejects(with),
                        Landing::Here
                        | Landing::Left { .. }
                        | Landing::Queued
                        | Landing::Unknown(_) => Cause::WrongSource,
                    };
                    let cause = Cause::HandshakeLost(Box::new(cause));
                    End::new(state, Verdict::Dropped, Client::Silent, cause)
                }
            };
            self.ends.push(facts.complete(end));
        }
    }
}
