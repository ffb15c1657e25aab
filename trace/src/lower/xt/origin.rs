//! Where a packet comes from: its socket, its link, its bridge port, its link-layer sender.

use host::nft::{FibFlags, FibResult, PayloadBase};
use host::xt::{Not, Owner, Physdev, RpFilter, SocketMatch};

use super::super::{ByteOp, Field, Test, Value, number};
use crate::ranges::Ranges;

/// Packets that no socket sent match where every test is inverted (xt_owner.c, owner_mt).
pub(super) fn sender(owner: Owner) -> Test {
    let test = |field, id: Not<(u32, u32)>| {
        Test::In {
            // Numbers compare from the highest byte on.
            value: Value::field(field, 4).then(ByteOp::Swap(4)),
            within: Ranges::span(id.value.0.into(), id.value.1.into()),
        }
        .inverted(id.not)
    };
    let has_sender = Test::Present(Value::field(Field::SkUid, 4));
    let ids = [
        owner.uid.map(|uid| test(Field::SkUid, uid)),
        owner.gid.map(|gid| test(Field::SkGid, gid)),
    ];
    let owned = std::iter::once(has_sender).chain(ids.into_iter().flatten());
    let unowned = Test::Not(Box::new(Test::Present(Value::field(Field::SkUid, 4))));
    Test::Any(vec![
        Test::All(owned.collect()),
        Test::All(vec![unowned, Test::Const(owner.holds_unowned())]),
    ])
}

/// The same look-up as nftables' `fib saddr . iif oif` (ipt_rpfilter.c).
pub(super) fn way_back(filter: RpFilter) -> Test {
    let flag = |is: bool, flag: u32| if is { flag } else { 0 };
    let flags = FibFlags::SADDR
        | FibFlags::PRESENT
        | flag(!filter.loose, FibFlags::IIF)
        | flag(filter.valid_mark, FibFlags::MARK);
    let field = Field::Fib {
        result: FibResult::Oif,
        flags: FibFlags(flags),
    };
    Test::In {
        value: Value::field(field, 4).then(ByteOp::Swap(4)),
        within: Ranges::one(1),
    }
    .inverted(filter.invert)
}

/// Whether a socket goes with the packet (xt_socket.c).
pub(super) fn socket(socket: SocketMatch) -> Test {
    let test = Test::Socket {
        wildcards: socket.no_wildcard,
        transparent: socket.transparent,
    };
    if socket.restore_mark {
        let why = "match socket --restore-skmark is not modelled";
        return Test::All(vec![test, Test::gap(why)]);
    }
    test
}

/// Packets that no bridge carries match where every test is inverted.
pub(super) fn bridge_port(physdev: &Physdev) -> Test {
    let why = "through which port of a bridge a packet comes is not modelled";
    Test::Any(vec![
        Test::All(vec![Test::Bridged, Test::gap(why)]),
        Test::All(vec![
            Test::Not(Box::new(Test::Bridged)),
            Test::Const(physdev.holds_unbridged()),
        ]),
    ])
}

/// Without an Ethernet header the match fails, negated or not (xt_mac.c).
pub(super) fn link_layer(mac: Not<[u8; 6]>) -> Test {
    let source = Field::Header {
        base: PayloadBase::Link,
        offset: 6,
    };
    let value = Value::field(source, 6);
    let within = Ranges::one(number(&mac.value));
    let is = Test::In {
        value: value.clone(),
        within,
    }
    .inverted(mac.not);
    Test::All(vec![Test::Present(value), is])
}
