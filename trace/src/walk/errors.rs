//! The errors that the kernel or a rule sends about a packet.

use std::net::IpAddr;

use host::xt::RejectWith;
use net::{Family, Proto, addr_bits};

use super::{Refused, Walk, answer_to};
use crate::answer::Cause;
use crate::packet::{Fact, Kind, State, Tracking, User};
use crate::route::{Found, Key};
use crate::source::UNIVERSE;
use crate::ways::Ways;

impl Walk<'_, '_> {
    /// A reset or an ICMP error about the packets of a state; those from several sources apart.
    pub(super) fn error_packets(
        &mut self,
        state: State,
        refused: &Refused,
        tracking: Tracking,
    ) -> Vec<State> {
        let with = refused.with;
        let kind = match with {
            RejectWith::TcpReset => Kind::Reset {
                by_rule: matches!(refused.cause, Cause::RuleRejects(_)),
            },
            RejectWith::Icmp(code) => Kind::IcmpError(3, code),
            RejectWith::Icmp6(code) => Kind::IcmpError(1, code),
        };
        let lo = self.eval.loopback();
        let iif = state.packet.iif.unwrap_or(lo);
        let mut answer = answer_to(state, kind);
        answer.tracking = tracking;
        answer.packet.user = User::Nobody;
        if with == RejectWith::TcpReset {
            return vec![answer];
        }
        let is_v4 = answer.family == Family::V4;
        answer.packet.proto = if is_v4 { Proto::ICMP } else { Proto::ICMP6 };
        // A packet that was not routed yet counts as not for this host (nf_reject_ipv4.c,
        // nf_reject_fill_skb_dst).
        let is_foreign = is_v4 && refused.unrouted;
        if !is_foreign && self.asks_own_address(&answer, iif) {
            return vec![answer];
        }
        let with_source = |(mut answer, source): (State, Option<IpAddr>)| {
            let unknown = Fact::Unknown("the source of an ICMP error");
            answer.packet.src = source.map_or(unknown, |addr| Fact::Known(addr_bits(addr)));
            answer
        };
        let parts = if is_v4 || iif == lo {
            // The one that the way back gives.
            vec![(answer, None)]
        } else {
            self.sources_of_link(answer, iif)
        };
        parts.into_iter().map(with_source).collect()
    }

    /// Whether the address asked, from which the answer comes, is one of this host; in IPv6
    /// one that is good on that link alone has to be the link's (addrconf.c, ipv6_chk_addr).
    fn asks_own_address(&self, answer: &State, iif: u32) -> bool {
        let Some(asked) = answer.ip(&answer.packet.src) else {
            return false;
        };
        let is_narrow = match asked {
            IpAddr::V4(_) => false,
            IpAddr::V6(addr) => addr.is_loopback() || addr.is_unicast_link_local(),
        };
        if asked.is_loopback() {
            return !is_narrow || iif == self.eval.loopback();
        }
        let mut addresses = self.eval.host.addresses.iter();
        addresses.any(|own| own.addr == asked && (!is_narrow || own.link == iif))
    }

    /// IPv6 takes an address of the link that the packet came in on, unless the way back
    /// prefers a source (icmp.c, icmp6_send, icmpv6_rt_has_prefsrc).
    fn sources_of_link(&mut self, answer: State, iif: u32) -> Ways<Option<IpAddr>> {
        let dst = answer.packet.dst.clone();
        let key = Key {
            dst: dst.clone(),
            src: None,
            iif: None,
            oif: None,
            mark: answer.packet.mark,
            proto: Some(answer.packet.proto),
            ports: None,
        };
        let mut parts = Ways::new();
        for (answer, found) in self.eval.fib_lookup(answer, &key) {
            let prefers =
                matches!(found, Found::Route(route, _) if route.preferred_source.is_some());
            if prefers {
                parts.push((answer, None));
            } else {
                parts.extend(self.eval.by_source(answer, &dst, Some(iif), UNIVERSE));
            }
        }
        parts
    }
}
