//! What a rule does: verdicts, translations, marks, counters.

use net::{Family, Proto};

use crate::nft::{
    BitOp, CtKey, DataKind, Expr, ICMP_CODES, ICMP6_CODES, ICMPX_CODES, Limit, MetaKey, Register,
    Reject, SetOp, Type, Verdict,
};

use super::nat::{nat, to_own};
use super::rule::{Compiler, concatenation};
use super::selector::Needs;
use super::sets::{duration, stateful};
use super::tokens::{Cursor, Token, written};

/// Where what a statement computes is put: behind what a rule reads to find it.
pub(super) const VALUE: Register = 8;

/// Takes a statement; `None` where none begins here, or where it is not understood.
pub(super) fn statement(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    let before = cursor.clone();
    let done = read(compiler, cursor);
    if done.is_none() {
        *cursor = before;
    }
    done
}

fn read(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    match cursor.word() {
        "accept" | "drop" | "continue" | "return" | "jump" | "goto" => {
            let verdict = verdict(cursor)?;
            compiler.push(Expr::Verdict(verdict));
        }
        "counter" | "last" => counter(compiler, cursor)?,
        "log" => log(compiler, cursor)?,
        "limit" => {
            cursor.take()?;
            let limit = limit(cursor)?;
            compiler.push(Expr::Limit(limit));
        }
        "quota" => quota(compiler, cursor)?,
        "ct" if cursor.word_after(1) == "count" => count(compiler, cursor)?,
        "reject" => reject(compiler, cursor)?,
        "notrack" => {
            cursor.take()?;
            compiler.push(Expr::Notrack);
        }
        "queue" => queue(compiler, cursor)?,
        "masquerade" | "redirect" => to_own(compiler, cursor)?,
        "snat" | "dnat" => nat(compiler, cursor)?,
        "meta" if cursor.word_after(2) == "set" => set_meta(compiler, cursor)?,
        "mark" if cursor.word_after(1) == "set" => set_meta(compiler, cursor)?,
        "ct" if cursor.word_after(2) == "set" => set_ct(compiler, cursor)?,
        "add" | "update" | "delete" => dynset(compiler, cursor)?,
        _ => return None,
    }
    Some(())
}

/// `accept`, `jump CHAIN`, ….
pub(super) fn verdict(cursor: &mut Cursor<'_, '_>) -> Option<Verdict> {
    let token = cursor.take()?;
    // A chain in braces has no name.
    let mut chain = || -> Option<Box<str>> {
        let name = cursor.take().filter(|token| token.text != "{")?;
        Some((&*name.text).into())
    };
    Some(match &*token.text {
        "accept" => Verdict::Accept,
        "drop" => Verdict::Drop,
        "continue" => Verdict::Continue,
        "return" => Verdict::Return,
        "jump" => Verdict::Jump(chain()?),
        "goto" => Verdict::Goto(chain()?),
        _ => return None,
    })
}

/// `counter`, `counter packets N bytes N`, `counter name "x"`, `last used …`.
fn counter(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    let what = cursor.take()?;
    let mut text = what.text.to_string();
    if cursor.skip("packets") {
        cursor.take()?;
        let _ = cursor.skip("bytes");
        cursor.take()?;
    } else if cursor.skip("name") {
        // A name, and no map that gives one.
        let name = cursor.take().filter(|name| name.quoted)?;
        text = format!("{text} name \"{}\"", name.text);
    } else if cursor.skip("used") {
        cursor.take()?;
    }
    compiler.push(Expr::Pass(text.into()));
    Some(())
}

/// `log` with its options, none of which a packet can tell.
fn log(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    let from = cursor.clone();
    cursor.take()?;
    loop {
        match cursor.word() {
            "prefix" | "level" | "group" | "snaplen" | "queue-threshold" => {
                cursor.take()?;
                cursor.take()?;
            }
            "flags" => {
                cursor.take()?;
                cursor.take()?;
                while matches!(cursor.word(), "sequence" | "options" | ",") {
                    cursor.take()?;
                }
            }
            _ => break,
        }
    }
    let taken = from.rest().len() - cursor.rest().len();
    let words: &[Token<'_>] = &from.rest()[..taken];
    compiler.push(Expr::Pass(written(words).replace(", ", ",").into()));
    Some(())
}

/// `rate [over] N/UNIT [burst N packets]`.
pub(super) fn limit(cursor: &mut Cursor<'_, '_>) -> Option<Limit> {
    if !cursor.skip("rate") {
        return None;
    }
    let over = cursor.skip("over");
    // `10/second`, or `10 mbytes/second`.
    let first = &*cursor.take()?.text;
    let (rate, unit, bytes) = if let Some((rate, unit)) = first.split_once('/') {
        (rate.parse().ok()?, unit, false)
    } else {
        let (size, unit) = cursor.word().split_once('/')?;
        cursor.take()?;
        (sized(first, size)?, unit, true)
    };
    let unit = match unit {
        "second" => 1,
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        "week" => 604_800,
        _ => return None,
    };
    let mut burst = if bytes { 0 } else { 5 };
    if cursor.skip("burst") {
        let number = &*cursor.take()?.text;
        burst = u32::try_from(sized(number, &cursor.take()?.text)?).ok()?;
    }
    Some(Limit {
        rate,
        unit,
        burst,
        bytes,
        over,
    })
}

/// `quota [over] N UNIT [used N UNIT]`, of which only that it is one is kept.
fn quota(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    cursor.take()?;
    if cursor.word() == "name" {
        return None;
    }
    let _ = cursor.skip("over") || cursor.skip("until");
    let _ = sized(&cursor.take()?.text, &cursor.take()?.text)?;
    if cursor.skip("used") {
        let _ = sized(&cursor.take()?.text, &cursor.take()?.text)?;
    }
    compiler.push(not_modelled("quota"));
    Some(())
}

/// `ct count [over] N`, of which only that it is one is kept.
fn count(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    cursor.take()?;
    cursor.take()?;
    let _ = cursor.skip("over");
    let _: u32 = cursor.take()?.text.parse().ok()?;
    compiler.push(not_modelled("connlimit"));
    Some(())
}

fn not_modelled(name: &str) -> Expr {
    Expr::Gap {
        name: name.into(),
        dreg: None,
    }
}

/// `10 mbytes`, `5 packets`.
pub(super) fn sized(number: &str, unit: &str) -> Option<u64> {
    let number: u64 = number.parse().ok()?;
    number.checked_mul(match unit {
        "packets" | "bytes" => 1,
        "kbytes" => 1024,
        "mbytes" => 1024 * 1024,
        _ => return None,
    })
}

/// `reject [with …]`.
fn reject(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    cursor.take()?;
    let mut needs = Needs::default();
    let reject = if cursor.skip("with") {
        let of = cursor.take()?;
        match &*of.text {
            "tcp" => needs.proto = Some(Proto::TCP),
            "icmp" => needs.family = Some(Family::V4),
            "icmpv6" => needs.family = Some(Family::V6),
            _ => {}
        }
        let _ = cursor.skip("type");
        let word = cursor.take()?;
        let code = |names: &[(&str, u64)]| -> Option<u8> {
            let named = names.iter().find(|(name, _)| *name == word.text);
            let number = named
                .map(|(_, code)| *code)
                .or_else(|| word.text.parse().ok())?;
            u8::try_from(number).ok()
        };
        match &*of.text {
            "tcp" => Reject::TcpReset,
            "icmp" => Reject::Icmp(code(&ICMP_CODES)?),
            "icmpv6" => Reject::Icmp(code(&ICMP6_CODES)?),
            "icmpx" => Reject::Icmpx(code(&ICMPX_CODES)?),
            _ => return None,
        }
    } else {
        // A closed port's error, in the family's own words.
        match compiler.family {
            crate::TableFamily::Ip => Reject::Icmp(3),
            crate::TableFamily::Ip6 => Reject::Icmp(4),
            _ => Reject::Icmpx(1),
        }
    };
    compiler.require_first(needs);
    compiler.push(Expr::Reject(reject));
    Some(())
}

/// `queue [num N[-M]] [bypass|fanout]`, `queue flags bypass to N`.
fn queue(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    cursor.take()?;
    let (mut num, mut last) = (0, 0);
    let (mut bypass, mut fanout) = (false, false);
    loop {
        match cursor.word() {
            "num" | "to" => {
                cursor.take()?;
                let (first, end) = cursor.word().split_once('-').unzip();
                num = first.unwrap_or(cursor.word()).parse().ok()?;
                last = end.map_or(Some(num), |end| end.parse().ok())?;
                cursor.take()?;
            }
            "flags" | "," => {
                cursor.take()?;
            }
            "fanout" => {
                cursor.take()?;
                fanout = true;
            }
            "bypass" => {
                cursor.take()?;
                bypass = true;
            }
            _ => break,
        }
    }
    compiler.push(Expr::Queue {
        num,
        last,
        bypass,
        fanout,
    });
    Some(())
}

/// `meta mark set …`; what else of `meta` is set changes nothing that a rule can see, or is a
/// gap.
fn set_meta(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    let _ = cursor.skip("meta");
    let (key, kind) = match cursor.word() {
        "mark" => (MetaKey::Mark, Type::Mark),
        "priority" => (MetaKey::Priority, Type::ClassId),
        "nftrace" => (MetaKey::NfTrace, Type::Number(1)),
        "pkttype" => (MetaKey::PktType, Type::PktType),
        _ => return None,
    };
    cursor.take()?;
    cursor.take()?;
    value(compiler, cursor, kind)?;
    compiler.push(Expr::MetaSet { sreg: VALUE, key });
    Some(())
}

fn set_ct(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    cursor.take()?;
    let (key, kind) = match cursor.word() {
        "mark" => (CtKey::Mark, Type::Mark),
        "zone" => (CtKey::Zone, Type::HostNumber(2)),
        _ => return None,
    };
    cursor.take()?;
    cursor.take()?;
    value(compiler, cursor, kind)?;
    compiler.push(Expr::CtSet { sreg: VALUE, key });
    Some(())
}

/// A value to set: a constant, a field with bits changed, or what a map gives.
fn value(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>, kind: Type) -> Option<()> {
    if let Some(data) = kind.value(cursor.word()) {
        cursor.take()?;
        compiler.push(Expr::Immediate { dreg: VALUE, data });
        return Some(());
    }
    let parts = concatenation(cursor)?;
    if cursor.skip("map") {
        compiler.load(&parts, 0);
        let keys: Vec<Type> = parts.iter().map(|part| part.kind).collect();
        let set = compiler.set(cursor, &keys, DataKind::Value(kind.len()), &[kind])?;
        compiler.lookup(set, Some(VALUE), false, false);
        return Some(());
    }
    let [part] = &parts[..] else { return None };
    let is_same = part.kind == kind;
    compiler.load(&parts, VALUE);
    let operations = operations(cursor, kind)?;
    // Bits of a value of another type are none that nft lists.
    if !is_same && !operations.is_empty() {
        return None;
    }
    let change = |op| Expr::Bitwise {
        sreg: VALUE,
        dreg: VALUE,
        len: kind.len(),
        op,
    };
    compiler.exprs.extend(operations.into_iter().map(change));
    Some(())
}

/// What is done to the bits of a value, put together to one operation as nft does; none where
/// nothing is.
fn operations(cursor: &mut Cursor<'_, '_>, kind: Type) -> Option<Vec<BitOp>> {
    if let shift @ ("<<" | ">>") = cursor.word() {
        cursor.take()?;
        let bits = cursor.take()?.text.parse().ok()?;
        return Some(vec![match shift {
            "<<" => BitOp::ShiftLeft(bits),
            _ => BitOp::ShiftRight(bits),
        }]);
    }
    let len = kind.len() as usize;
    let (mut mask, mut xor) = (vec![u8::MAX; len], vec![0; len]);
    let mut is_any = false;
    // Older versions write the operations in words.
    while let word @ ("&" | "|" | "^" | "and" | "or" | "xor") = cursor.word() {
        cursor.take()?;
        let bits = kind.value(cursor.word())?;
        cursor.take()?;
        is_any = true;
        for ((mask, xor), bit) in mask.iter_mut().zip(&mut xor).zip(&bits) {
            match word {
                "&" | "and" => (*mask, *xor) = (*mask & bit, *xor & bit),
                "|" | "or" => (*mask, *xor) = (*mask & !bit, *xor & !bit | bit),
                _ => *xor ^= bit,
            }
        }
    }
    let (mask, xor) = (mask.into(), xor.into());
    Some(Vec::from_iter(
        is_any.then_some(BitOp::MaskXor { mask, xor }),
    ))
}

/// `add @SET { KEY [timeout T] [STATEMENT…] [: VALUE] }`.
fn dynset(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    let op = match &*cursor.take()?.text {
        "add" => SetOp::Add,
        "update" => SetOp::Update,
        _ => SetOp::Delete,
    };
    let set: Box<str> = cursor.take()?.text.strip_prefix('@')?.into();
    if !cursor.skip("{") {
        return None;
    }
    let mut inside = Cursor::new(cursor.block());
    let parts = concatenation(&mut inside)?;
    compiler.load(&parts, 0);
    let mut exprs = Vec::new();
    let (mut sreg_data, mut timeout) = (None, None);
    loop {
        inside.skip_lines();
        match inside.word() {
            "timeout" => {
                inside.take()?;
                timeout = Some(duration(&inside.take()?.text)?);
            }
            "limit" | "counter" => exprs.push(stateful(&mut inside)?),
            ":" => {
                inside.take()?;
                value(compiler, &mut inside, Type::Mark)?;
                sreg_data = Some(VALUE);
            }
            _ => break,
        }
    }
    if !inside.is_done() {
        return None;
    }
    compiler.push(Expr::Dynset {
        set,
        op,
        sreg_key: 0,
        sreg_data,
        timeout,
        exprs,
    });
    Some(())
}
