//! The two ends of a packet on its way: who it is from and for, before each step.

use std::net::IpAddr;

use host::Hook;
use net::Endpoint;
use trace::{Cause, Did, Outcome, Region, Stage, Step};

use crate::Story;

use super::sources::client_words;

/// One end: an address, or words for many, and a port where it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    who: String,
    port: Option<u16>,
    /// Several sources that have no address in common.
    is_many: bool,
}

impl End {
    fn at(addr: IpAddr, port: Option<u16>) -> Self {
        Self {
            who: addr.to_string(),
            port,
            is_many: false,
        }
    }

    fn of(to: Endpoint) -> Self {
        Self::at(to.addr, Some(to.port))
    }

    /// The client as the question has it.
    fn client(story: &Story, region: &Region) -> Self {
        let (who, is_many) = client_words(story, region);
        Self {
            who,
            port: story.question.sport,
            is_many,
        }
    }

    /// The address, where it is one.
    pub(crate) fn addr(&self) -> Option<IpAddr> {
        self.who.parse().ok()
    }

    /// This end as a source: `192.0.2.9:*`, `192.0.2.0/24`, `any source`.
    pub(crate) fn text(&self) -> String {
        match (self.addr(), self.port) {
            (Some(addr), Some(port)) => Endpoint { addr, port }.to_string(),
            (Some(IpAddr::V4(addr)), None) => format!("{addr}:*"),
            (Some(IpAddr::V6(addr)), None) => format!("[{addr}]:*"),
            (None, Some(port)) => format!("{} port {port}", self.who),
            (None, None) => self.who.clone(),
        }
    }

    /// This end as a destination.
    pub(crate) fn as_target(&self) -> String {
        if self.is_many {
            "the client".to_owned()
        } else {
            self.text()
        }
    }

    /// This end without its port.
    pub(crate) fn who(&self) -> &str {
        &self.who
    }

    /// This end as a destination, without its port.
    pub(crate) fn target(&self) -> &str {
        if self.is_many {
            "the client"
        } else {
            &self.who
        }
    }

    /// `addr` with the port that this end has.
    pub(crate) fn moved(&self, addr: IpAddr) -> Self {
        Self::at(addr, self.port)
    }
}

/// What both ends are once a packet of a known connection is translated.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    src: End,
    dst: End,
}

/// The two ends of the packet, and its mark, as they are before a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) src: End,
    pub(crate) dst: End,
    pub(crate) mark: u32,
    /// What the client sent.
    pub(crate) asked: (End, End),
    /// The request as it got to its server.
    reached: (End, End),
    /// What the kernel translates a packet to that no rule is asked about any more.
    bound: Option<Bound>,
    /// The packet came in from a wire, or was routed once: the next route is behind the
    /// translation of its destination.
    is_past_start: bool,
    has_left: bool,
    from_here: bool,
    keeps_source: bool,
}

impl Ends {
    /// Those of a packet as the client sends it.
    pub(crate) fn of(story: &Story, region: &Region, outcome: &Outcome) -> Self {
        let src = End::client(story, region);
        let dst = End::of(story.question.to);
        let inner = match &outcome.cause {
            Cause::AnswerLost(inner) | Cause::HandshakeLost(inner) => inner,
            cause => cause,
        };
        Self {
            asked: (src.clone(), dst.clone()),
            reached: (src.clone(), dst.clone()),
            src,
            dst,
            mark: 0,
            bound: None,
            is_past_start: false,
            has_left: false,
            from_here: false,
            keeps_source: *inner == Cause::WrongSource,
        }
    }

    /// Those of the packet where it ended up: before the step that decided.
    pub(crate) fn at_end(story: &Story, region: &Region, outcome: &Outcome) -> Self {
        let mut ends = Self::of(story, region, outcome);
        let deciding = outcome.deciding();
        for step in &outcome.steps {
            ends.enter(step);
            if deciding.is_some_and(|last| std::ptr::eq(last, step)) {
                break;
            }
            ends.follow(&step.did);
        }
        ends
    }

    pub(crate) fn arrow(&self, story: &Story) -> String {
        let (src, dst) = (self.src.text(), self.dst.as_target());
        format!("{} {src} → {dst}", story.question.proto)
    }

    /// Translates a packet of a known connection as far as the kernel has when it gets to a
    /// step: its destination in front of routing, or behind the first route of a packet made
    /// here; its source where it leaves or is delivered.
    pub(crate) fn enter(&mut self, step: &Step) {
        let Some(bound) = &self.bound else { return };
        let is_end = matches!(step.stage, Stage::Leave | Stage::Socket);
        let is_routed = match step.stage {
            Stage::Routing => self.is_past_start,
            Stage::Hook(Hook::Forward | Hook::Input | Hook::Postrouting) => true,
            Stage::Start => step.did == Did::LoopsBack,
            Stage::Hook(_) | Stage::Leave | Stage::Socket => is_end,
        };
        if is_routed {
            self.dst = bound.dst.clone();
        }
        if (is_end || step.did == Did::LoopsBack) && !self.keeps_source {
            self.src = bound.src.clone();
        }
        self.is_past_start |= step.stage == Stage::Routing;
    }

    /// Carries out what a step changed.
    pub(crate) fn follow(&mut self, did: &Did) {
        match did {
            Did::Sent { .. } => self.from_here = true,
            Did::Dnat { addr, port } => {
                let (addr, port) = (*addr, *port);
                self.dst = End::of(Endpoint { addr, port });
            }
            Did::Snat {
                addr: Some(addr), ..
            } => self.src = self.src.moved(*addr),
            Did::Mark { mark } => self.mark = *mark,
            Did::Leaves { .. } => self.has_left = true,
            // What is not tracked is not translated.
            Did::Notrack => self.bound = None,
            Did::AnswerStarts => {
                let (client, target) = self.asked.clone();
                self.reached = (self.src.clone(), self.dst.clone());
                std::mem::swap(&mut self.src, &mut self.dst);
                self.is_past_start = self.has_left;
                self.bound = Some(Bound {
                    src: target,
                    dst: client,
                });
                self.mark = 0;
            }
            Did::AckStarts => {
                (self.src, self.dst) = self.asked.clone();
                let (src, dst) = self.reached.clone();
                self.is_past_start = !self.from_here;
                self.bound = Some(Bound { src, dst });
                self.mark = 0;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> End {
        End::of(text.parse().unwrap())
    }

    #[test]
    fn an_end_is_written_with_what_is_known_of_its_port() {
        let addr = |text: &str| End::at(text.parse().unwrap(), None).text();
        assert_eq!(addr("192.0.2.9"), "192.0.2.9:*");
        assert_eq!(addr("fd00::9"), "[fd00::9]:*");
        assert_eq!(end("[fd00::9]:80").text(), "[fd00::9]:80");
        let many = End {
            who: "any source".to_owned(),
            port: Some(4000),
            is_many: true,
        };
        assert_eq!(many.text(), "any source port 4000");
        assert_eq!(many.as_target(), "the client");
    }

    #[test]
    fn a_translated_end_keeps_its_port() {
        let moved = end("[fd00::2]:4000").moved("fd00::1".parse().unwrap());
        assert_eq!(moved.text(), "[fd00::1]:4000");
    }

    #[test]
    fn the_answer_of_a_masqueraded_connection_is_translated_back() {
        let (client, target) = (end("192.0.2.9:4000"), end("192.0.2.1:80"));
        let mut ends = Ends {
            src: client.clone(),
            dst: target.clone(),
            mark: 0,
            asked: (client.clone(), target.clone()),
            reached: (client.clone(), target.clone()),
            bound: None,
            is_past_start: false,
            has_left: false,
            from_here: false,
            keeps_source: false,
        };
        let at = |stage, did| Step {
            stage,
            rule: None,
            did,
        };
        let addr = |text: &str| text.parse::<IpAddr>().unwrap();
        let steps = [
            Did::Dnat {
                addr: addr("10.0.0.7"),
                port: 8080,
            },
            Did::Snat {
                addr: Some(addr("10.0.0.1")),
                masquerade: true,
            },
            Did::Leaves {
                oif: "pods".to_owned(),
            },
            Did::AnswerStarts,
        ];
        for did in &steps {
            ends.follow(did);
        }
        assert_eq!(ends.src.text(), "10.0.0.7:8080");
        assert_eq!(ends.dst.text(), "10.0.0.1:4000");
        ends.enter(&at(Stage::Routing, Did::Stops(Cause::NoRoute)));
        assert_eq!(
            (&ends.src.text()[..], &ends.dst),
            ("10.0.0.7:8080", &client)
        );
        ends.enter(&at(
            Stage::Leave,
            Did::Leaves {
                oif: "eth0".to_owned(),
            },
        ));
        assert_eq!((&ends.src, &ends.dst), (&target, &client));
    }
}
