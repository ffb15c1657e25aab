//! One packet through the hooks of the node: base chains, conntrack and NAT by priority.

use std::net::Ipv4Addr;

use host::{ChainKind, Hook, Policy, RuleBody, Table};

use super::connection::{Connection, Place};
use super::packet::Packet;
use super::world::{LO, World};
use super::{nft, xt};

/// What NAT does to a packet; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rewrite {
    Destination(Option<Ipv4Addr>, Option<u16>),
    Source(Option<Ipv4Addr>, Option<u16>),
    Redirect(Option<u16>),
    Masquerade,
}

/// What a rule did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Did {
    Accept,
    Drop,
    Reject,
    Return,
    Jump(Box<str>),
    Goto(Box<str>),
    Rewrite(Rewrite),
}

/// Where a packet got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Landing {
    /// The sockets of the node.
    Here,
    /// A link.
    Left(u32),
    /// Nowhere; whether a call to send fails for it.
    Dropped { in_send: bool },
    /// Answered with "port unreachable"; whether a call to send fails for it.
    Rejected { in_send: bool },
    /// No route leads there.
    NoRoute,
}

/// The kernel on its way with one packet.
pub(super) struct Path<'a> {
    pub(super) world: &'a World,
    pub(super) packet: &'a mut Packet,
    pub(super) connection: &'a mut Connection,
}

/// Conntrack's place among the priorities (NF_IP_PRI_CONNTRACK).
const CONNTRACK: i32 = -200;

impl Path<'_> {
    /// A packet that a link brought.
    pub(super) fn come_in(&mut self) -> Landing {
        match self.try_come_in() {
            Ok(landing) | Err(landing) => landing,
        }
    }

    /// A packet that was made here.
    pub(super) fn go_out(&mut self) -> Landing {
        match self.try_go_out() {
            Ok(landing) | Err(landing) => landing,
        }
    }

    fn try_come_in(&mut self) -> Result<Landing, Landing> {
        self.hook(Hook::Prerouting)?;
        let link = World::route(self.packet.dst).ok_or(Landing::NoRoute)?;
        if link == LO {
            self.hook(Hook::Input)?;
            return Ok(Landing::Here);
        }
        self.packet.oif = Some(link);
        self.hook(Hook::Forward)?;
        self.hook(Hook::Postrouting)?;
        Ok(Landing::Left(link))
    }

    fn try_go_out(&mut self) -> Result<Landing, Landing> {
        self.packet.oif = Some(World::route(self.packet.dst).ok_or(Landing::NoRoute)?);
        self.hook(Hook::Output)?;
        // The rules of OUTPUT see the link that the packet had before NAT (nf_hook_state).
        self.packet.oif = Some(World::route(self.packet.dst).ok_or(Landing::NoRoute)?);
        self.hook(Hook::Postrouting)?;
        let link = self.packet.oif.unwrap_or(LO);
        if link != LO {
            return Ok(Landing::Left(link));
        }
        (self.packet.iif, self.packet.oif) = (Some(LO), None);
        self.hook(Hook::Prerouting)?;
        self.hook(Hook::Input)?;
        Ok(Landing::Here)
    }

    /// Everything at a hook, by priority.
    fn hook(&mut self, hook: Hook) -> Result<(), Landing> {
        /// What has a place among the priorities.
        enum Item {
            Conntrack,
            Nat,
            Chain(usize, usize),
        }
        let chains = self.world.base_chains(hook, false);
        let chain = |&(priority, table, chain)| (priority, Item::Chain(table, chain));
        let mut items: Vec<(i32, Item)> = chains.iter().map(chain).collect();
        match hook {
            Hook::Prerouting | Hook::Output => {
                items.extend([(CONNTRACK, Item::Conntrack), (-100, Item::Nat)]);
            }
            Hook::Input | Hook::Postrouting => items.push((100, Item::Nat)),
            Hook::Forward | Hook::Ingress | Hook::Egress => {}
        }
        items.sort_by_key(|(priority, _)| *priority);
        for (_, item) in items {
            match item {
                Item::Conntrack => self.packet.tracked = true,
                Item::Nat => self.nat(hook)?,
                Item::Chain(table, chain) => match self.base_chain(table, chain) {
                    Did::Drop => return Err(self.dropped(hook)),
                    Did::Reject => {
                        let in_send = self.in_send(hook);
                        return Err(Landing::Rejected { in_send });
                    }
                    _ => {}
                },
            }
        }
        Ok(())
    }

    fn in_send(&self, hook: Hook) -> bool {
        self.packet.iif.is_none() && matches!(hook, Hook::Output | Hook::Postrouting)
    }

    fn dropped(&self, hook: Hook) -> Landing {
        Landing::Dropped {
            in_send: self.in_send(hook),
        }
    }

    /// The NAT hook (nf_nat_core.c, nf_nat_inet_fn): a new connection asks its chains once for
    /// each side; then every packet is rewritten as was decided.
    fn nat(&mut self, hook: Hook) -> Result<(), Landing> {
        if !self.packet.tracked {
            return Ok(());
        }
        let is_source = matches!(hook, Hook::Input | Hook::Postrouting);
        let decided = if is_source {
            self.connection.snat
        } else {
            self.connection.dnat
        };
        let is_new = !self.packet.is_reply && !self.connection.answered;
        if is_new && decided.is_none() {
            self.decide(hook, is_source)?;
        }
        self.rewrite(is_source);
        Ok(())
    }

    fn decide(&mut self, hook: Hook, is_source: bool) -> Result<(), Landing> {
        let own = if is_source {
            (self.packet.src, self.packet.sport)
        } else {
            (self.packet.dst, self.packet.dport)
        };
        let mut place = own;
        for &(_, table, chain) in self.world.base_chains(hook, true) {
            match self.base_chain(table, chain) {
                Did::Rewrite(rewrite) => {
                    place = self.place(own, &rewrite);
                    break;
                }
                Did::Drop => return Err(self.dropped(hook)),
                _ => {}
            }
        }
        if is_source {
            self.connection.snat = Some(place);
        } else {
            self.connection.dnat = Some(place);
        }
        Ok(())
    }

    fn place(&self, own: Place, rewrite: &Rewrite) -> Place {
        match *rewrite {
            Rewrite::Destination(addr, port) | Rewrite::Source(addr, port) => {
                (addr.unwrap_or(own.0), port.unwrap_or(own.1))
            }
            Rewrite::Redirect(port) => {
                let addr = self.packet.iif.map_or(Ipv4Addr::LOCALHOST, World::addr_on);
                (addr, port.unwrap_or(own.1))
            }
            Rewrite::Masquerade => (World::addr_on(self.packet.oif.unwrap_or(LO)), own.1),
        }
    }

    /// nf_nat_packet: the request's side as decided, the answer's the other way round.
    fn rewrite(&mut self, is_source: bool) {
        let connection = &*self.connection;
        let place = match (self.packet.is_reply, is_source) {
            (false, true) => connection.snat.filter(|_| connection.is_snat()),
            (false, false) => connection.dnat.filter(|_| connection.is_dnat()),
            (true, true) => Some(connection.dst).filter(|_| connection.is_dnat()),
            (true, false) => Some(connection.src).filter(|_| connection.is_snat()),
        };
        let Some((addr, port)) = place else { return };
        if is_source {
            (self.packet.src, self.packet.sport) = (addr, port);
        } else {
            (self.packet.dst, self.packet.dport) = (addr, port);
        }
    }

    /// A base chain to its end: a verdict, or its policy.
    fn base_chain(&mut self, table: usize, chain: usize) -> Did {
        let world = self.world;
        let table = &world.host.ruleset.tables[table];
        let chain = &table.chains[chain];
        let base = chain.base.as_ref().expect("it was found as a base chain");
        match self.chain(table, &chain.name) {
            Did::Return if base.policy == Policy::Drop && base.kind != ChainKind::Nat => Did::Drop,
            Did::Return => Did::Accept,
            did => did,
        }
    }

    /// A chain: what ends it, `Return` where nothing does.
    fn chain(&mut self, table: &Table, name: &str) -> Did {
        let mut chains = table.chains.iter();
        let chain = chains.find(|chain| chain.name == name);
        for rule in &chain.expect("jumps lead to chains that are there").rules {
            let did = match &rule.body {
                RuleBody::Xt(rule) => xt::run(rule, self.packet, self.connection),
                RuleBody::Nft(exprs) => nft::run(table, exprs, (self.packet, self.connection)),
                RuleBody::Gap(text) => panic!("a rule was not understood: {text}"),
            };
            match did {
                None => {}
                Some(Did::Jump(to)) => match self.chain(table, &to) {
                    Did::Return => {}
                    did => return did,
                },
                Some(Did::Goto(to)) => return self.chain(table, &to),
                Some(did) => return did,
            }
        }
        Did::Return
    }
}
