//! Expressions as they are listed.

use super::*;
use crate::nft::PayloadBase::{Network, Transport};
use crate::nft::{BitOp, CmpOp, Nat, NatKind, NumgenKind};
use crate::nft::{CtKey, MetaKey, PayloadBase};

fn line(exprs: &[Expr]) -> String {
    super::exprs(exprs, Scope::default())
}

fn payload(dreg: u8, base: PayloadBase, offset: u32, len: u32) -> Expr {
    Expr::Payload {
        dreg,
        base,
        offset,
        len,
    }
}

fn meta(dreg: u8, key: MetaKey) -> Expr {
    Expr::Meta { dreg, key }
}

fn cmp(sreg: u8, op: CmpOp, data: &[u8]) -> Expr {
    Expr::Cmp {
        sreg,
        op,
        data: data.into(),
    }
}

fn is(sreg: u8, data: &[u8]) -> Expr {
    cmp(sreg, CmpOp::Eq, data)
}

fn constant(dreg: u8, data: &[u8]) -> Expr {
    Expr::Immediate {
        dreg,
        data: data.into(),
    }
}

fn mask(mask: u32) -> Expr {
    Expr::Bitwise {
        sreg: 0,
        dreg: 0,
        len: 4,
        op: BitOp::MaskXor {
            mask: mask.to_ne_bytes().into(),
            xor: [0; 4].into(),
        },
    }
}

#[test]
fn a_test_of_the_protocol_is_left_out_where_the_port_says_it() {
    let dnat = Expr::Nat(Nat {
        kind: NatKind::Dnat,
        is_v6: false,
        addr: Some((0, 0)),
        port: Some((1, 1)),
        flags: 8,
    });
    let exprs = [
        payload(0, Network, 16, 4),
        is(0, &[10, 0, 0, 1]),
        meta(0, MetaKey::L4Proto),
        is(0, &[6]),
        payload(0, Transport, 2, 2),
        is(0, &[0, 80]),
        constant(0, &[10, 1, 1, 1]),
        constant(1, &[0, 80]),
        dnat,
    ];
    assert_eq!(
        line(&exprs),
        "ip daddr 10.0.0.1 tcp dport 80 dnat to 10.1.1.1:80 persistent"
    );
    assert_eq!(
        line(&[meta(0, MetaKey::L4Proto), is(0, &[6]), Expr::Notrack]),
        "meta l4proto tcp notrack"
    );
}

#[test]
fn masks_are_prefixes_names_of_bits_or_numbers() {
    let prefix = Expr::Bitwise {
        sreg: 0,
        dreg: 0,
        len: 4,
        op: BitOp::MaskXor {
            mask: [255, 255, 240, 0].into(),
            xor: [0; 4].into(),
        },
    };
    let saddr = [payload(0, Network, 12, 4), prefix, is(0, &[10, 1, 16, 0])];
    assert_eq!(line(&saddr), "ip saddr 10.1.16.0/20");
    let short = [payload(0, Network, 12, 2), cmp(0, CmpOp::Neq, &[10, 1])];
    assert_eq!(line(&short), "ip saddr != 10.1.0.0/16");
    let state = Expr::Ct {
        dreg: 0,
        key: CtKey::State,
        reply: None,
    };
    let states = [state, mask(6), cmp(0, CmpOp::Neq, &[0; 4])];
    assert_eq!(line(&states), "ct state established,related");
    let mark = [
        meta(0, MetaKey::Mark),
        mask(0x4000),
        is(0, &0x4000u32.to_ne_bytes()),
    ];
    assert_eq!(line(&mark), "meta mark & 0x00004000 == 0x00004000");
}

#[test]
fn a_mark_is_set_bit_by_bit() {
    let set = |mask: u32, xor: u32| {
        let change = Expr::Bitwise {
            sreg: 0,
            dreg: 0,
            len: 4,
            op: BitOp::MaskXor {
                mask: mask.to_ne_bytes().into(),
                xor: xor.to_ne_bytes().into(),
            },
        };
        let write = Expr::MetaSet {
            sreg: 0,
            key: MetaKey::Mark,
        };
        line(&[meta(0, MetaKey::Mark), change, write])
    };
    assert_eq!(set(!0x4000, 0x4000), "meta mark set meta mark | 0x00004000");
    assert_eq!(
        set(u32::MAX, 0x4000),
        "meta mark set meta mark ^ 0x00004000"
    );
    assert_eq!(set(0xff, 0), "meta mark set meta mark & 0x000000ff");
    assert_eq!(
        set(0xff, 1),
        "meta mark set meta mark & 0x000000ff ^ 0x00000001"
    );
}

#[test]
fn a_key_is_all_that_was_loaded_for_it() {
    let look_up = Expr::Lookup {
        set: "nodeports".into(),
        sreg: 0,
        dreg: None,
        to_verdict: true,
        not: false,
    };
    let exprs = [
        meta(0, MetaKey::L4Proto),
        payload(1, Transport, 2, 2),
        look_up,
    ];
    assert_eq!(line(&exprs), "meta l4proto . th dport vmap @nodeports");
}

#[test]
fn the_value_of_a_map_can_be_where_nat_leads() {
    let map = Expr::Lookup {
        set: "backends".into(),
        sreg: 0,
        dreg: Some(0),
        to_verdict: false,
        not: false,
    };
    let random = Expr::Numgen {
        dreg: 0,
        kind: NumgenKind::Random,
        modulus: 3,
        offset: 0,
    };
    let dnat = Expr::Nat(Nat {
        kind: NatKind::Dnat,
        is_v6: false,
        addr: Some((0, 0)),
        port: Some((1, 1)),
        flags: 0,
    });
    assert_eq!(
        line(&[random, map, dnat]),
        "dnat to numgen random mod 3 map @backends"
    );
}

#[test]
fn names_of_devices_may_be_beginnings() {
    let exact = [
        meta(0, MetaKey::IifName),
        is(0, b"eth0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ];
    assert_eq!(line(&exact), "iifname \"eth0\"");
    let begins = [meta(0, MetaKey::OifName), cmp(0, CmpOp::Neq, b"veth")];
    assert_eq!(line(&begins), "oifname != \"veth*\"");
}

#[test]
fn what_is_not_modelled_stands_in_brackets() {
    let gap = |dreg| Expr::Gap {
        name: "tunnel".into(),
        dreg,
    };
    assert_eq!(
        line(&[gap(None), gap(Some(0)), is(0, &[1])]),
        "[tunnel] [tunnel] 1"
    );
    assert_eq!(
        line(&[is(3, &[1]), payload(0, Transport, 40, 3), is(0, &[1, 2, 3])]),
        "[reg 3] 1 @th,320,24 66051"
    );
}
