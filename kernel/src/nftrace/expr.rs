//! The one rule of the table, in nftables' expressions.

use std::net::IpAddr;

use host::nftrace::Wanted;
use net::Proto;

use crate::netlink::Request;

/// Kernel: include/uapi/linux/netfilter/nf_tables.h.
const LIST_ELEMENT: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_META_DREG: u16 = 1;
const NFTA_META_KEY: u16 = 2;
const NFTA_META_SREG: u16 = 3;
const NFTA_PAYLOAD_DREG: u16 = 1;
const NFTA_PAYLOAD_BASE: u16 = 2;
const NFTA_PAYLOAD_OFFSET: u16 = 3;
const NFTA_PAYLOAD_LEN: u16 = 4;
const NFTA_BITWISE_SREG: u16 = 1;
const NFTA_BITWISE_DREG: u16 = 2;
const NFTA_BITWISE_LEN: u16 = 3;
const NFTA_BITWISE_MASK: u16 = 4;
const NFTA_BITWISE_XOR: u16 = 5;
const NFTA_CMP_SREG: u16 = 1;
const NFTA_CMP_OP: u16 = 2;
const NFTA_CMP_DATA: u16 = 3;
const NFTA_IMMEDIATE_DREG: u16 = 1;
const NFTA_IMMEDIATE_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
const META_IIF: u32 = 4;
const META_IIFNAME: u32 = 6;
const META_NFTRACE: u32 = 12;
const META_NFPROTO: u32 = 15;
const META_L4PROTO: u32 = 16;
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;
const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
/// The first register of 16 bytes.
const REGISTER: u32 = 1;
/// `IFNAMSIZ`.
const NAME: usize = 16;
/// Kernel: `LOOPBACK_IFINDEX` (include/net/flow.h), of every namespace.
const LOOPBACK: u32 = 1;
/// Where TCP's flags are, FIN SYN RST ACK among them, and SYN alone.
const TCP_FLAGS: u32 = 13;
const OPENING: u8 = 0x17;
const SYN: u8 = 0x02;

/// Where the addresses of a packet are, and how long they are.
struct Places {
    nfproto: u8,
    from: u32,
    to: u32,
    len: u32,
}

/// Appends the rule: tests that wanted packets and no others pass, and the mark that has the
/// kernel report their way.
pub(super) fn rule(list: Request, wanted: &Wanted) -> Request {
    let places = match wanted.to.addr {
        IpAddr::V4(_) => Places {
            nfproto: 2,
            from: 12,
            to: 16,
            len: 4,
        },
        IpAddr::V6(_) => Places {
            nfproto: 10,
            from: 8,
            to: 24,
            len: 16,
        },
    };
    let mut list = arrival(list, wanted);
    list = equal(meta(list, META_NFPROTO), &[places.nfproto]);
    if let Some(from) = wanted.from {
        list = load(list, NETWORK, places.from, places.len);
        list = equal(list, &net::octets(from));
    }
    list = load(list, NETWORK, places.to, places.len);
    list = equal(list, &net::octets(wanted.to.addr));
    list = equal(meta(list, META_L4PROTO), &[wanted.proto.0]);
    if let Some(port) = wanted.sport {
        list = equal(load(list, TRANSPORT, 0, 2), &port.to_be_bytes());
    }
    list = equal(load(list, TRANSPORT, 2, 2), &wanted.to.port.to_be_bytes());
    if wanted.proto == Proto::TCP {
        list = masked(load(list, TRANSPORT, TCP_FLAGS, 1), OPENING);
        list = equal(list, &[SYN]);
    }
    traced(list)
}

/// Packets that arrive are not those that loop back, which a client here made.
fn arrival(list: Request, wanted: &Wanted) -> Request {
    match (&wanted.iif, wanted.hook) {
        (Some(name), _) => {
            let mut bytes = name.as_bytes().to_vec();
            bytes.resize(NAME, 0);
            equal(meta(list, META_IIFNAME), &bytes)
        }
        (None, host::Hook::Prerouting) => {
            let list = meta(list, META_IIF);
            compare(list, NOT_EQUAL, &LOOPBACK.to_ne_bytes())
        }
        (None, _) => list,
    }
}

fn traced(list: Request) -> Request {
    let list = expr(list, "immediate", |args| {
        let args = number(args, NFTA_IMMEDIATE_DREG, REGISTER);
        data(args, NFTA_IMMEDIATE_DATA, &[1])
    });
    expr(list, "meta", |args| {
        let args = number(args, NFTA_META_KEY, META_NFTRACE);
        number(args, NFTA_META_SREG, REGISTER)
    })
}

fn meta(list: Request, key: u32) -> Request {
    expr(list, "meta", |args| {
        let args = number(args, NFTA_META_DREG, REGISTER);
        number(args, NFTA_META_KEY, key)
    })
}

fn load(list: Request, base: u32, offset: u32, len: u32) -> Request {
    expr(list, "payload", |args| {
        let args = number(args, NFTA_PAYLOAD_DREG, REGISTER);
        let args = number(args, NFTA_PAYLOAD_BASE, base);
        let args = number(args, NFTA_PAYLOAD_OFFSET, offset);
        number(args, NFTA_PAYLOAD_LEN, len)
    })
}

fn masked(list: Request, mask: u8) -> Request {
    expr(list, "bitwise", |args| {
        let args = number(args, NFTA_BITWISE_SREG, REGISTER);
        let args = number(args, NFTA_BITWISE_DREG, REGISTER);
        let args = number(args, NFTA_BITWISE_LEN, 1);
        let args = data(args, NFTA_BITWISE_MASK, &[mask]);
        data(args, NFTA_BITWISE_XOR, &[0])
    })
}

fn equal(list: Request, value: &[u8]) -> Request {
    compare(list, EQUAL, value)
}

fn compare(list: Request, op: u32, value: &[u8]) -> Request {
    expr(list, "cmp", |args| {
        let args = number(args, NFTA_CMP_SREG, REGISTER);
        let args = number(args, NFTA_CMP_OP, op);
        data(args, NFTA_CMP_DATA, value)
    })
}

fn expr(list: Request, name: &str, args: impl FnOnce(Request) -> Request) -> Request {
    list.nested(LIST_ELEMENT, |element| {
        element
            .text(NFTA_EXPR_NAME, name)
            .nested(NFTA_EXPR_DATA, args)
    })
}

fn data(args: Request, kind: u16, value: &[u8]) -> Request {
    args.nested(kind, |data| data.attribute(NFTA_DATA_VALUE, value))
}

fn number(args: Request, kind: u16, value: u32) -> Request {
    args.attribute(kind, &value.to_be_bytes())
}
