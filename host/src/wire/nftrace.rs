//! What the kernel reports of traced packets.
//!
//! Kernel: include/uapi/linux/netfilter/nf_tables.h, `enum nft_trace_attributes`.

use net::{Endpoint, Family, Proto};

use super::attr::{Fields, Messages, Table};
use super::nft::{GENERIC, family_of, verdict};
use super::xt::addr_at;
use crate::nft::Verdict;
use crate::nftrace::{At, Headers, Report};

/// `NFT_MSG_TRACE` (17) of nf_tables (10).
const TRACE: u16 = 0x0a11;
const TABLE: u16 = 1;
const CHAIN: u16 = 2;
const RULE: u16 = 3;
const TYPE: u16 = 4;
const VERDICT: u16 = 5;
const ID: u16 = 6;
const NETWORK: u16 = 8;
const TRANSPORT: u16 = 9;
const IIF: u16 = 10;
const MARK: u16 = 14;
const POLICY: u16 = 16;

type Attributes<'a> = Table<'a, 17>;

/// The reports in what was heard of the kernel, in order. What is no report, or is damaged, is
/// left out.
pub fn reports(bytes: &[u8]) -> Vec<Report> {
    let traces = Messages::of(bytes).filter(|message| message.kind == TRACE);
    traces
        .filter_map(|message| report(message.payload))
        .collect()
}

fn report(payload: &[u8]) -> Option<Report> {
    let attributes = Attributes::behind(payload, GENERIC);
    let at = match attributes.be32(TYPE)? {
        1 => At::Policy,
        2 => At::Return,
        3 => At::Rule(attributes.be64(RULE)?),
        _ => return None,
    };
    Some(Report {
        id: attributes.be32(ID)?,
        family: family_of(*payload.first()?)?,
        table: attributes.text(TABLE)?.into_owned(),
        chain: attributes.text(CHAIN)?.into_owned(),
        at,
        verdict: match at {
            At::Policy => named(attributes.be32(POLICY)?),
            At::Return => Some(Verdict::Return),
            At::Rule(_) => said(attributes.get(VERDICT)?),
        },
        mark: attributes.be32(MARK).unwrap_or_default(),
        headers: headers(&attributes),
    })
}

fn named(policy: u32) -> Option<Verdict> {
    match policy {
        0 => Some(Verdict::Drop),
        1 => Some(Verdict::Accept),
        _ => None,
    }
}

/// A rule's verdict; above a drop's code may stand the error that its sender is told.
fn said(bytes: &[u8]) -> Option<Verdict> {
    const DROP: u8 = 0;
    let [high, .., low] = Table::<3>::of(bytes).be32(1)?.to_be_bytes();
    match verdict(bytes) {
        None if high < 0x80 && low == DROP => Some(Verdict::Drop),
        verdict => verdict,
    }
}

fn headers(attributes: &Attributes<'_>) -> Option<Headers> {
    let ip = Fields(attributes.get(NETWORK)?);
    let transport = Fields(attributes.get(TRANSPORT)?);
    let (family, proto, from, to) = match ip.byte(0)? >> 4 {
        4 => (Family::V4, ip.byte(9)?, 12, 16),
        6 => (Family::V6, ip.byte(6)?, 8, 24),
        _ => return None,
    };
    let (from, to) = (addr_at(family, ip, from)?, addr_at(family, ip, to)?);
    let proto = Proto(proto);
    let end = |addr, at| {
        let port = transport.be16(at)?;
        Some(Endpoint { addr, port })
    };
    Some(Headers {
        proto,
        from: end(from, 0)?,
        to: end(to, 2)?,
        iif: attributes.be32(IIF),
        rest: untranslated(proto, transport.0),
    })
}

/// A transport header without what translation changes.
fn untranslated(proto: Proto, header: &[u8]) -> Vec<u8> {
    const PORTS: usize = 4;
    let checksum = match proto {
        Proto::TCP => 16..18,
        Proto::SCTP => 8..12,
        _ => 6..8,
    };
    let kept = header.iter().enumerate().skip(PORTS);
    kept.filter(|(at, _)| !checksum.contains(at))
        .map(|(_, byte)| *byte)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TableFamily;
    use crate::wire::attr::tests::attr;

    /// A message of the kernel with these attributes.
    fn message(attributes: &[Vec<u8>]) -> Vec<u8> {
        let payload = [vec![1, 0, 0, 0], attributes.concat()].concat();
        let len = u32::try_from(16 + payload.len()).unwrap();
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend(TRACE.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(payload);
        bytes
    }

    fn named(at: u32) -> Vec<Vec<u8>> {
        vec![
            attr(TABLE, b"filter\0"),
            attr(CHAIN, b"INPUT\0"),
            attr(TYPE, &at.to_be_bytes()),
            attr(ID, &7_u32.to_be_bytes()),
        ]
    }

    fn rule(code: i32) -> Vec<u8> {
        let mut all = named(3);
        all.push(attr(RULE, &42_u64.to_be_bytes()));
        all.push(attr(VERDICT, &attr(1, &code.to_be_bytes())));
        message(&all)
    }

    fn verdict_of(bytes: &[u8]) -> Option<Verdict> {
        reports(bytes).remove(0).verdict
    }

    #[test]
    fn a_rule_reports_its_handle_and_verdict() {
        let report = reports(&rule(1)).remove(0);
        assert_eq!(report.at, At::Rule(42));
        assert_eq!(report.verdict, Some(Verdict::Accept));
        assert_eq!(
            (report.family, report.chain.as_str()),
            (TableFamily::Inet, "INPUT")
        );
    }

    #[test]
    fn a_drop_that_tells_its_sender_an_error_is_a_drop() {
        assert_eq!(verdict_of(&rule(1 << 16)), Some(Verdict::Drop));
        assert_eq!(verdict_of(&rule(2)), None);
        assert_eq!(verdict_of(&rule(3 | 5 << 16)), Some(Verdict::Queue));
    }

    #[test]
    fn a_policy_reports_what_it_is() {
        let mut all = named(1);
        all.push(attr(POLICY, &0_u32.to_be_bytes()));
        assert_eq!(verdict_of(&message(&all)), Some(Verdict::Drop));
    }

    #[test]
    fn ports_and_checksum_are_not_part_of_what_stays() {
        let header: Vec<u8> = (0..20).collect();
        let kept: Vec<u8> = (4..16).chain(18..20).collect();
        assert_eq!(untranslated(Proto::TCP, &header), kept);
    }

    #[test]
    fn other_messages_and_damaged_ones_are_left_out() {
        let mut bytes = rule(1);
        bytes[4] = 3;
        assert_eq!(reports(&bytes), []);
        assert_eq!(reports(&message(&named(3))), []);
        assert_eq!(reports(&rule(1)[..30]), []);
    }
}
