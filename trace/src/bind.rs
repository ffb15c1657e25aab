//! The binding that a NAT rule makes: which address, which port.

use std::net::IpAddr;
use std::rc::Rc;

use host::Hook;
use net::{Family, addr_bits};

use crate::answer::{Cause, Did, RuleRef, Stage};
use crate::chain::Flow;
use crate::eval::{Eval, Fork};
use crate::lower::{End, NatTo, Value, number};
use crate::nat::is_link_local;
use crate::packet::{Binding, Fact, State};
use crate::ranges::Ranges;
use crate::source::UNIVERSE;
use crate::value::{Dim, Loaded, Seg};
use crate::ways::Ways;

/// A binding that a rule asks for, or that the rule does not match after all, or a verdict.
type Bound = Ways<Option<Flow>>;

/// As many addresses or ports as are told apart one by one.
const MOST: u128 = 16;

impl Eval<'_> {
    /// Makes the binding that a NAT rule asks for.
    pub(crate) fn bind(
        &mut self,
        hook: Hook,
        state: State,
        end: &End,
        rule: Option<&RuleRef>,
    ) -> Bound {
        let (to, source, masquerade) = match end {
            End::Dnat(to) | End::Redirect(to) => (to, false, false),
            End::Snat(to) => (to, true, false),
            End::Masquerade(to) => (to, true, true),
            End::Netmap(to) => (to, matches!(hook, Hook::Input | Hook::Postrouting), false),
            End::Accept
            | End::Drop
            | End::Return
            | End::Jump(_)
            | End::Goto(_)
            | End::Reject(_)
            | End::RejectXt(_)
            | End::Queue
            | End::Gap(_) => return vec![(state, None)],
        };
        if let Some(why) = &to.gap {
            return vec![(state, Some(Flow::Unknown(why.clone())))];
        }
        if to
            .is_v6
            .is_some_and(|is_v6| is_v6 != (state.family == Family::V6))
        {
            return vec![(state, None)];
        }
        let binder = Binder {
            hook,
            source,
            masquerade,
            random: to.random,
            rule,
        };
        if masquerade {
            let parts = self.by_masquerade(state).into_iter();
            return parts
                .flat_map(|(state, addr)| {
                    let addrs = addr.map(|a| Some((addr_bits(a), addr_bits(a))));
                    let addrs = addrs.ok_or(Flow::Drop(Cause::RuleDrops));
                    self.bind_to(state, &binder, to, addrs)
                })
                .collect();
        }
        if to.netmap || matches!(end, End::Netmap(_)) {
            return self.map_network(state, &binder, to);
        }
        let addrs = match end {
            End::Redirect(_) => self.own_address(&state, hook).map(|a| Some((a, a))),
            _ => self.range(&state, to.addr.as_ref()),
        };
        self.bind_to(state, &binder, to, addrs)
    }

    /// The bits in which the two ends of the range agree become the address's
    /// (xt_NETMAP.c, nft_nat.c).
    fn map_network(&mut self, state: State, binder: &Binder<'_>, to: &NatTo) -> Bound {
        let (low, high) = match self.range(&state, to.addr.as_ref()) {
            Ok(Some(ends)) => ends,
            Ok(None) | Err(Flow::Return) => return vec![(state, None)],
            Err(flow) => return vec![(state, Some(flow))],
        };
        let own = if binder.source {
            &state.packet.src
        } else {
            &state.packet.dst
        };
        let mapped = |addr: u128| low & !(low ^ high) | addr & (low ^ high);
        let Some(addr) = state.known_addr(own) else {
            let why = "which address NETMAP makes goes with the client's: ask about one client";
            return vec![(state, Some(Flow::Unknown(why.into())))];
        };
        let addr = Fact::Known(mapped(addr));
        self.pick_port(state, binder, &addr, None)
    }

    /// Makes the binding to an address of these, or to what the packet has already.
    fn bind_to(
        &mut self,
        state: State,
        binder: &Binder<'_>,
        to: &NatTo,
        addrs: Result<Option<(u128, u128)>, Flow>,
    ) -> Bound {
        let ports = self.range(&state, to.port.as_ref());
        let (addrs, ports) = match (addrs, ports) {
            (Ok(addrs), Ok(ports)) => (addrs, ports),
            (Err(Flow::Return), _) | (_, Err(Flow::Return)) => return vec![(state, None)],
            (Err(flow), _) | (_, Err(flow)) => return vec![(state, Some(flow))],
        };
        let mut bound = Bound::new();
        for (state, addr) in self.pick_addr(state, binder.source, addrs) {
            match addr {
                Ok(addr) => bound.extend(self.pick_port(state, binder, &addr, ports)),
                Err(why) => bound.push((state, Some(Flow::Unknown(why.into())))),
            }
        }
        bound
    }

    /// Lowest and highest value; `Err(Flow::Return)` where the rule does not match.
    fn range(
        &mut self,
        state: &State,
        range: Option<&(Value, Value)>,
    ) -> Result<Option<(u128, u128)>, Flow> {
        let Some((low, high)) = range else {
            return Ok(None);
        };
        let mut read = |value: &Value| match self.load(state, value) {
            Loaded::Segs(segs) => match &segs[..] {
                [Seg::Known(bytes)] => Ok(number(bytes)),
                _ => Err(Flow::Unknown(
                    "a packet is translated to the client's own address".into(),
                )),
            },
            Loaded::Absent => Err(Flow::Return),
            Loaded::Unknown(why) => Err(Flow::Unknown(why)),
            Loaded::Parts(_) => Err(Flow::Unknown("a packet is translated by a route".into())),
        };
        let (low, high) = (read(low)?, read(high)?);
        if high < low {
            // The tools refuse it, a kernel takes it, and older ones make something else of it.
            let why = "a range of NAT ends before it begins";
            return Err(Flow::Unknown(why.into()));
        }
        Ok(Some((low, high)))
    }

    /// `redirect` leads to the first address of the incoming link, and to loopback for
    /// packets made here (nf_nat_redirect.c).
    fn own_address(&self, state: &State, hook: Hook) -> Result<u128, Flow> {
        if hook == Hook::Output {
            return Ok(match state.family {
                Family::V4 => 0x7f00_0001,
                Family::V6 => 1,
            });
        }
        let of_family = |a: &&host::Address| Family::of(a.addr) == state.family;
        let on_link = |a: &&host::Address| Some(a.link) == state.packet.iif;
        let scope = |a: &&host::Address| {
            state.family == Family::V4
                || state
                    .ip(&state.packet.dst)
                    .is_none_or(|dst| is_link_local(dst) == is_link_local(a.addr))
        };
        let mut own = self
            .host
            .addresses
            .iter()
            .filter(of_family)
            .filter(on_link)
            .filter(scope);
        own.next()
            .map(|a| addr_bits(a.addr))
            .ok_or(Flow::Drop(Cause::RuleDrops))
    }

    /// `masquerade` takes the address of the outgoing link that goes with the gateway, or with
    /// the destination (nf_nat_masquerade.c).
    fn by_masquerade(&mut self, state: State) -> Ways<Option<IpAddr>> {
        let oif = state.packet.oif.unwrap_or(0);
        let gateway = state.packet.way.as_ref().and_then(|way| way.gateway);
        if let (Family::V4, Some(gateway)) = (state.family, gateway) {
            let source = self.select_source_v4(oif, Some(gateway), UNIVERSE);
            return vec![(state, source)];
        }
        let dst = state.packet.dst.clone();
        self.by_source(state, &dst, Some(oif), UNIVERSE)
    }

    /// Chooses an address of a range: the kernel hashes the client's, so each may be taken.
    fn pick_addr(
        &mut self,
        state: State,
        source: bool,
        addrs: Option<(u128, u128)>,
    ) -> Vec<(State, Result<Fact, &'static str>)> {
        let own = if source {
            state.packet.src.clone()
        } else {
            state.packet.dst.clone()
        };
        let Some((low, high)) = addrs else {
            return vec![(state, Ok(own))];
        };
        if low == high {
            return vec![(state, Ok(Fact::Known(low)))];
        }
        let range = Ranges::span(low, high);
        // A source that is in the range already stays (nf_nat_core.c, get_unique_tuple).
        let (keep, rest) = if source && own == Fact::Client {
            state.cut(Dim::Addr, &range)
        } else if source
            && state
                .known_addr(&own)
                .is_some_and(|addr| range.contains(addr))
        {
            (Some(state), None)
        } else {
            (None, Some(state))
        };
        let mut ways: Vec<_> = keep.map(|state| (state, Ok(own))).into_iter().collect();
        let Some(state) = rest else { return ways };
        if high - low >= MOST {
            let why = "which address of a large NAT range is taken depends on a hash";
            ways.push((state, Err(why)));
            return ways;
        }
        let count = high - low + 1;
        #[expect(clippy::cast_precision_loss, reason = "at most 16")]
        let shares = vec![1.0 / count as f64; count as usize];
        let fork = self.new_fork(Fork::Chance(shares));
        for (branch, addr) in (low..=high).enumerate() {
            let mut state = state.clone();
            state.choose(fork, branch);
            ways.push((state, Ok(Fact::Known(addr))));
        }
        ways
    }

    fn pick_port(
        &mut self,
        state: State,
        binder: &Binder,
        addr: &Fact,
        ports: Option<(u128, u128)>,
    ) -> Bound {
        let packet = &state.packet;
        let own = if binder.source {
            packet.sport.clone()
        } else {
            packet.dport.clone()
        };
        // Whether a port is the one that is there already makes a difference.
        if let (Some((low, high)), Some(asked)) = (ports, self.alike.asked()) {
            self.alike.compared(asked, &Ranges::span(low, high));
            if high - low < MOST {
                (low..=high).for_each(|port| self.alike.compared(asked, &Ranges::one(port)));
            }
        }
        let (low, high) = ports.unwrap_or((1, u128::from(u16::MAX)));
        let random = Fact::Among(low, high, "a source port that NAT picks");
        let (keep, rest) = match ports {
            None if binder.random && binder.source => (None, Some(state)),
            None => (Some(state), None),
            Some((low, high)) if low == high => {
                return Self::make(state, binder, addr, &Fact::Known(low));
            }
            // A port in the range stays, unless it is to be random.
            Some(_) if binder.random => (None, Some(state)),
            Some((low, high)) => {
                let range = Ranges::span(low, high);
                match (state.known_port(&own), &own) {
                    (Some(port), _) if range.contains(port.into()) => (Some(state), None),
                    (None, Fact::Client) => state.cut(Dim::Port, &range),
                    _ => (None, Some(state)),
                }
            }
        };
        let mut bound = Bound::new();
        if let Some(state) = keep {
            bound.extend(Self::make(state, binder, addr, &own));
        }
        let Some(state) = rest else { return bound };
        match ports {
            Some((low, high)) if !binder.source && high - low < MOST => {
                let count = high - low + 1;
                #[expect(clippy::cast_precision_loss, reason = "at most 16")]
                let shares = vec![1.0 / count as f64; count as usize];
                let fork = self.new_fork(Fork::Chance(shares));
                for (branch, port) in (low..=high).enumerate() {
                    let mut state = state.clone();
                    state.choose(fork, branch);
                    bound.extend(Self::make(state, binder, addr, &Fact::Known(port)));
                }
            }
            Some(_) if !binder.source => {
                let why: Rc<str> = "which port of a large NAT range is taken is random".into();
                bound.push((state, Some(Flow::Unknown(why))));
            }
            _ => bound.extend(Self::make(state, binder, addr, &random)),
        }
        bound
    }

    fn make(state: State, binder: &Binder, addr: &Fact, port: &Fact) -> Bound {
        // Where a free source may be the new one already, those packets are not changed.
        let own = if binder.source {
            &state.packet.src
        } else {
            &state.packet.dst
        };
        let parts = match (own, addr) {
            (Fact::Client, Fact::Known(addr)) => state.cut(Dim::Addr, &Ranges::one(*addr)),
            _ => (None, Some(state)),
        };
        let parts = [
            parts.0.map(|state| (state, true)),
            parts.1.map(|state| (state, false)),
        ];
        let parts = parts.into_iter().flatten();
        let bind =
            |(state, same_addr)| (binder.bind(state, addr, port, same_addr), Some(Flow::Bound));
        parts.map(bind).collect()
    }
}

/// What a NAT rule does, apart from the addresses.
struct Binder<'a> {
    hook: Hook,
    source: bool,
    masquerade: bool,
    random: bool,
    rule: Option<&'a RuleRef>,
}

impl Binder<'_> {
    fn bind(&self, mut state: State, addr: &Fact, port: &Fact, same_addr: bool) -> State {
        let packet = &state.packet;
        let (own_addr, own_port) = if self.source {
            (&packet.src, &packet.sport)
        } else {
            (&packet.dst, &packet.dport)
        };
        let same_port = own_port == port
            || matches!((state.known_port(own_port), state.known_port(port)),
                (Some(a), Some(b)) if a == b);
        let same = same_addr
            || own_addr == addr
            || matches!((state.known_addr(own_addr), state.known_addr(addr)),
                (Some(a), Some(b)) if a == b);
        let binding = Binding {
            addr: addr.clone(),
            port: port.clone(),
            changes: !(same && same_port),
        };
        let did = if self.source {
            Did::Snat {
                addr: state.ip(addr),
                masquerade: self.masquerade,
            }
        } else {
            let (addr, port) = (state.ip(addr), state.known_port(port));
            Did::Dnat {
                addr: addr.unwrap_or_else(|| net::addr_of(state.family, 0)),
                port: port.unwrap_or(0),
            }
        };
        if let Some(conn) = &mut state.conn {
            let slot = if self.source {
                &mut conn.snat
            } else {
                &mut conn.dnat
            };
            *slot = Some(binding);
        }
        state.note(Stage::Hook(self.hook), self.rule.cloned(), did);
        state
    }
}
