//! One packet's way through this host, from where it enters to where it ends up.

use std::rc::Rc;

use host::Hook;
use host::xt::RejectWith;

use crate::answer::{Cause, Did, Stage};
use crate::base::Fate;
use crate::eval::Eval;
use crate::packet::State;
use crate::routing::{Inbound, may_cross};

/// Where a packet ends up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Landing {
    /// At the sockets of this host.
    Here,
    /// On a link.
    Left { oif: u32 },
    /// Nowhere; at which hook, if at one.
    Lost { cause: Cause, hook: Option<Hook> },
    /// Rejected by a rule.
    Rejected { with: RejectWith, hook: Hook },
    /// Answered by routing, with this code of destination unreachable.
    Answered { cause: Cause, code: u8 },
    /// In the hands of a program.
    Queued,
    /// Not known.
    Unknown(Rc<str>),
}

/// Packets and where they end up.
pub(crate) type Landings = Vec<(State, Landing)>;

impl Eval<'_> {
    /// A packet that came in over `state.packet.iif`.
    pub(crate) fn come_in(&mut self, mut state: State) -> Landings {
        state.packet.oif = None;
        state.packet.way = None;
        if !may_cross(&state) {
            let cause = Cause::Martian;
            state.note(Stage::Start, None, Did::Stops(cause.clone()));
            return vec![(state, Landing::Lost { cause, hook: None })];
        }
        let mut landed = Landings::new();
        for state in self.pass(state, Hook::Prerouting, &mut landed) {
            for (mut state, inbound) in self.route_in(state) {
                match inbound {
                    Inbound::Local => landed.extend(self.enter_host(state)),
                    Inbound::Forward(way) => {
                        state.packet.oif = Some(way.oif);
                        state.packet.way = Some(way);
                        self.forward(state, &mut landed);
                    }
                    Inbound::Lost(cause) => {
                        landed.push((state, Landing::Lost { cause, hook: None }));
                    }
                    Inbound::Answered(cause, code) => {
                        landed.push((state, Landing::Answered { cause, code }));
                    }
                }
            }
        }
        landed
    }

    fn forward(&mut self, state: State, landed: &mut Landings) {
        for state in self.pass(state, Hook::Forward, landed) {
            self.leave(state, landed);
        }
    }

    /// A packet made here and routed.
    pub(crate) fn go_out(&mut self, mut state: State) -> Landings {
        let mut landed = Landings::new();
        state.packet.iif = None;
        state.packet.oif = state.packet.way.as_ref().map(|way| way.oif);
        for state in self.pass(state, Hook::Output, &mut landed) {
            self.leave(state, &mut landed);
        }
        landed
    }

    /// POSTROUTING, and out over a link or back over `lo`.
    fn leave(&mut self, mut state: State, landed: &mut Landings) {
        let way = state.packet.way.clone();
        state.packet.oif = way.as_ref().map(|way| way.oif);
        for mut state in self.pass(state, Hook::Postrouting, landed) {
            if let Some(conn) = &mut state.conn {
                conn.confirmed = true;
            }
            let loopback = self.loopback();
            let oif = state.packet.oif.unwrap_or(loopback);
            if oif == loopback {
                landed.extend(self.loop_back(state));
                continue;
            }
            let src = state.ip(&state.packet.src);
            if src.is_some_and(|addr| addr.is_loopback()) || !may_cross(&state) {
                // The machine it reaches discards loopback addresses.
                let cause = Cause::Martian;
                state.note(Stage::Leave, None, Did::Stops(cause.clone()));
                landed.push((state, Landing::Lost { cause, hook: None }));
                continue;
            }
            state.note(
                Stage::Leave,
                None,
                Did::Leaves {
                    oif: self.link_name(oif),
                },
            );
            landed.push((state, Landing::Left { oif }));
        }
    }

    /// Back in over `lo`: routed already, connection and mark kept.
    fn loop_back(&mut self, mut state: State) -> Landings {
        state.packet.iif = Some(self.loopback());
        state.packet.oif = None;
        state.note(Stage::Start, None, Did::LoopsBack);
        let mut landed = Landings::new();
        for state in self.pass(state, Hook::Prerouting, &mut landed) {
            landed.extend(self.enter_host(state));
        }
        landed
    }

    fn enter_host(&mut self, mut state: State) -> Landings {
        state.packet.oif = None;
        let mut landed = Landings::new();
        for mut state in self.pass(state, Hook::Input, &mut landed) {
            if let Some(conn) = &mut state.conn {
                conn.confirmed = true;
            }
            landed.push((state, Landing::Here));
        }
        landed
    }

    /// Sends packets through a hook; those that pass are returned.
    fn pass(&mut self, state: State, hook: Hook, landed: &mut Landings) -> Vec<State> {
        let mut passed = Vec::new();
        for (state, fate) in self.hook(state, hook) {
            let landing = match fate {
                Fate::Pass => {
                    passed.push(state);
                    continue;
                }
                Fate::Drop(cause) => Landing::Lost {
                    cause,
                    hook: Some(hook),
                },
                Fate::Reject(with) => Landing::Rejected { with, hook },
                Fate::Queue => Landing::Queued,
                Fate::Unknown(why) => Landing::Unknown(why),
            };
            landed.push((state, landing));
        }
        passed
    }
}
