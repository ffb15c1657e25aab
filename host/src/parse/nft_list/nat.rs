//! Translations: where they lead, and how the port is picked.

use net::Family;

use crate::TableFamily;
use crate::nft::{Data, DataKind, Expr, Nat, NatKind, Register, Type};

use super::rule::{Compiler, concatenation};
use super::statement::VALUE;
use super::tokens::Cursor;

/// `random`, `fully-random`, `persistent`, with commas between.
fn nat_flags(cursor: &mut Cursor<'_, '_>) -> u32 {
    let mut flags = 0;
    loop {
        flags |= match cursor.word() {
            "random" => 4,
            "persistent" => 8,
            "fully-random" => 0x10,
            "," if flags != 0 => 0,
            _ => return flags,
        };
        let _ = cursor.take();
    }
}

/// `masquerade`, `redirect`, with `to :PORT[-PORT]`.
pub(super) fn to_own(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    let is_redirect = &*cursor.take()?.text == "redirect";
    let mut port = None;
    if cursor.skip("to") {
        let word = cursor.take()?;
        port = Some(ports(compiler, word.text.strip_prefix(':')?)?);
    }
    let flags = nat_flags(cursor);
    compiler.push(if is_redirect {
        Expr::Redirect { port, flags }
    } else {
        Expr::Masquerade { port, flags }
    });
    Some(())
}

/// Puts `PORT[-PORT]` into registers.
fn ports(compiler: &mut Compiler<'_>, text: &str) -> Option<(Register, Register)> {
    let range = Type::Port.range(text)?;
    let is_one = range.first == range.last;
    let (first, last) = (VALUE + 4, VALUE + 5);
    compiler.push(Expr::Immediate {
        dreg: first,
        data: range.first,
    });
    if is_one {
        return Some((first, first));
    }
    compiler.push(Expr::Immediate {
        dreg: last,
        data: range.last,
    });
    Some((first, last))
}

/// `dnat [ip|ip6] [prefix] to ADDRESS[:PORT] [flags]`, or to what a map gives.
pub(super) fn nat(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    let kind = if &*cursor.take()?.text == "dnat" {
        NatKind::Dnat
    } else {
        NatKind::Snat
    };
    let mut family = match compiler.family {
        TableFamily::Ip6 => Family::V6,
        _ => Family::V4,
    };
    if matches!(cursor.word(), "ip" | "ip6") && matches!(cursor.word_after(1), "to" | "addr") {
        family = if cursor.word() == "ip" {
            Family::V4
        } else {
            Family::V6
        };
        cursor.take()?;
    }
    let mut has_port = false;
    if cursor.skip("addr") {
        // `addr . port to …`: the map gives both.
        has_port = cursor.skip(".") && cursor.skip("port");
    }
    if !cursor.skip("to") {
        return None;
    }
    let (addr, port) = match literal(compiler, cursor.word(), family) {
        Some(place) => {
            cursor.take()?;
            place
        }
        None => computed(compiler, cursor, family, has_port)?,
    };
    let flags = nat_flags(cursor);
    compiler.push(Expr::Nat(Nat {
        kind,
        is_v6: family == Family::V6,
        addr,
        port,
        flags,
    }));
    Some(())
}

/// Registers of the lowest and highest value.
type Place = Option<(Register, Register)>;

/// `ADDRESS[-ADDRESS][:PORT[-PORT]]`, `[ADDRESS]:PORT`, `:PORT`.
fn literal(compiler: &mut Compiler<'_>, word: &str, family: Family) -> Option<(Place, Place)> {
    let (addr, port) = match (family, word.strip_prefix('[')) {
        (Family::V6, Some(rest)) => {
            let (addr, rest) = rest.split_once(']')?;
            // `[A]-[B]:PORT`.
            match rest
                .strip_prefix("-[")
                .and_then(|rest| rest.split_once(']'))
            {
                Some((last, port)) => (format!("{addr}-{last}"), port.strip_prefix(':')),
                None => (addr.to_owned(), rest.strip_prefix(':')),
            }
        }
        (Family::V6, None) if word.starts_with(':') && !word.starts_with("::") => {
            (String::new(), word.strip_prefix(':'))
        }
        (Family::V6, None) => (word.to_owned(), None),
        (Family::V4, _) => match word.split_once(':') {
            Some((addr, port)) => (addr.to_owned(), Some(port)),
            None => (word.to_owned(), None),
        },
    };
    let mut place = None;
    if !addr.is_empty() {
        let range = Type::Addr(family).range(&addr)?;
        // An IPv6 address fills a whole register; the highest has the first one's.
        let is_one = range.first == range.last;
        let last = if is_one { VALUE } else { 4 };
        compiler.push(Expr::Immediate {
            dreg: VALUE,
            data: range.first,
        });
        if !is_one {
            compiler.push(Expr::Immediate {
                dreg: last,
                data: range.last,
            });
        }
        place = Some((VALUE, last));
    }
    let port = match port {
        Some(port) => Some(ports(compiler, port)?),
        None => None,
    };
    Some((place, port))
}

/// An address, and perhaps a port, that a field or a map gives.
fn computed(
    compiler: &mut Compiler<'_>,
    cursor: &mut Cursor<'_, '_>,
    family: Family,
    has_port: bool,
) -> Option<(Place, Place)> {
    let parts = concatenation(cursor)?;
    if !cursor.skip("map") {
        // `dnat to ip daddr`.
        compiler.load(&parts, VALUE);
        return (parts.len() == 1).then_some((Some((VALUE, VALUE)), None));
    }
    compiler.load(&parts, 0);
    let keys: Vec<Type> = parts.iter().map(|part| part.kind).collect();
    let addr = Type::Addr(family);
    let mut values = vec![addr];
    // A map written out tells by its values whether they have ports.
    let is_named = cursor.word().starts_with('@');
    let has_port = has_port
        || (!is_named && gives_ports(cursor))
        || compiler.gives_more(cursor.word(), addr.len());
    values.extend(has_port.then_some(Type::Port));
    let len = values
        .iter()
        .map(|kind| kind.len().next_multiple_of(4))
        .sum();
    let data = if has_port {
        DataKind::Value(len)
    } else {
        DataKind::Value(addr.len())
    };
    let set = compiler.set(cursor, &keys, data, &values)?;
    // A range of addresses lands one behind the other.
    let is_range = compiler.gives_ranges(&set);
    compiler.lookup(set, Some(VALUE), false, false);
    let last = if is_range {
        VALUE + addr.words()
    } else {
        VALUE
    };
    let port = VALUE + addr.words();
    Some((Some((VALUE, last)), has_port.then_some((port, port))))
}

/// Whether the values of a map written out are an address and a port.
fn gives_ports(cursor: &Cursor<'_, '_>) -> bool {
    let mut ahead = cursor.clone();
    if !ahead.skip("{") {
        return false;
    }
    let mut block = Cursor::new(ahead.block());
    while let Some(token) = block.take() {
        if &*token.text == ":" && !token.quoted {
            return block.word_after(1) == ".";
        }
    }
    false
}

impl Compiler<'_> {
    /// Whether a named map gives more than an address.
    fn gives_more(&self, word: &str, addr: u32) -> bool {
        let name = word.strip_prefix('@').unwrap_or_default();
        // Mostly one of the rule's own, which came last.
        let set = self.sets.iter().rev().find(|set| set.name == name);
        set.is_some_and(|set| matches!(set.data, DataKind::Value(len) if len > addr))
    }

    /// Whether a map gives the lowest and the highest of a range.
    fn gives_ranges(&self, name: &str) -> bool {
        // Mostly one of the rule's own, which came last.
        let set = self.sets.iter().rev().find(|set| set.name == name);
        let mut elements = set.into_iter().flat_map(|set| &set.elements);
        elements.any(|element| matches!(element.data, Some(Data::Range(..))))
    }
}
