//! What a rule does: verdicts, translations, marks, counters.

use crate::nft::{BitOp, CtKey, DataKind, Expr, Limit, MetaKey, Register, Reject, SetOp, Verdict};

use super::kinds::{ICMP_CODES, ICMP6_CODES, ICMPX_CODES, Kind};
use super::nat::{nat, to_own};
use super::rule::{Compiler, concatenation};
use super::tokens::Cursor;

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
    if cursor.skip("packets") {
        cursor.take()?;
        let _ = cursor.skip("bytes");
        cursor.take()?;
    } else if cursor.skip("name") {
        // A name, and no map that gives one.
        cursor.take().filter(|name| name.quoted)?;
    } else if cursor.skip("used") {
        cursor.take()?;
    }
    compiler.push(Expr::Pass((&*what.text).into()));
    Some(())
}

/// `log` with its options, none of which a packet can tell.
fn log(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
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
    compiler.push(Expr::Pass("log".into()));
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

/// `10 mbytes`, `5 packets`.
fn sized(number: &str, unit: &str) -> Option<u64> {
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
    let reject = if cursor.skip("with") {
        let of = cursor.take()?;
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
    compiler.push(Expr::Reject(reject));
    Some(())
}

/// `queue [num N[-M]] [bypass|fanout]`, `queue flags bypass to N`.
fn queue(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    cursor.take()?;
    let (mut num, mut bypass) = (0, false);
    loop {
        match cursor.word() {
            "num" | "to" => {
                cursor.take()?;
                let first = cursor.word().split('-').next().unwrap_or_default();
                num = first.parse().ok()?;
                cursor.take()?;
            }
            "flags" | "," | "fanout" => {
                cursor.take()?;
            }
            "bypass" => {
                cursor.take()?;
                bypass = true;
            }
            _ => break,
        }
    }
    compiler.push(Expr::Queue { num, bypass });
    Some(())
}

/// `meta mark set …`; what else of `meta` is set changes nothing that a rule can see, or is a
/// gap.
fn set_meta(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    let _ = cursor.skip("meta");
    let key = match cursor.word() {
        "mark" => MetaKey::Mark,
        "priority" => MetaKey::Priority,
        "nftrace" => MetaKey::NfTrace,
        _ => return None,
    };
    cursor.take()?;
    cursor.take()?;
    value(compiler, cursor, Kind::Mark)?;
    compiler.push(Expr::MetaSet { sreg: VALUE, key });
    Some(())
}

fn set_ct(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>) -> Option<()> {
    cursor.take()?;
    let key = match cursor.word() {
        "mark" => CtKey::Mark,
        _ => return None,
    };
    cursor.take()?;
    cursor.take()?;
    value(compiler, cursor, Kind::Mark)?;
    compiler.push(Expr::CtSet { sreg: VALUE, key });
    Some(())
}

/// A value to set: a constant, a field with bits changed, or what a map gives.
fn value(compiler: &mut Compiler<'_>, cursor: &mut Cursor<'_, '_>, kind: Kind) -> Option<()> {
    if let Some(data) = kind.value(cursor.word()) {
        cursor.take()?;
        compiler.push(Expr::Immediate { dreg: VALUE, data });
        return Some(());
    }
    let parts = concatenation(cursor)?;
    if cursor.skip("map") {
        compiler.load(&parts, 0);
        let keys: Vec<Kind> = parts.iter().map(|part| part.kind).collect();
        let set = compiler.set(cursor, &keys, DataKind::Value(kind.len()), &[kind])?;
        compiler.lookup(set, Some(VALUE), false, false);
        return Some(());
    }
    let [part] = &parts[..] else { return None };
    let of_numgen = part.kind != kind;
    compiler.load(&parts, VALUE);
    // Older versions write the operations in words.
    while let word @ ("&" | "|" | "^" | "and" | "or" | "xor") = cursor.word() {
        if of_numgen {
            return None;
        }
        cursor.take()?;
        let bits = kind.value(cursor.word())?;
        cursor.take()?;
        let len = bits.len();
        let all = |fill: u8| -> Box<[u8]> { vec![fill; len].into() };
        let not = bits.iter().map(|bit| !bit).collect();
        let (mask, xor) = match word {
            "&" | "and" => (bits, all(0)),
            "|" | "or" => (not, bits),
            _ => (all(0xff), bits),
        };
        compiler.push(Expr::Bitwise {
            sreg: VALUE,
            dreg: VALUE,
            len: kind.len(),
            op: BitOp::MaskXor { mask, xor },
        });
    }
    Some(())
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
    let mut sreg_data = None;
    loop {
        inside.skip_lines();
        match inside.word() {
            "timeout" | "expires" => {
                inside.take()?;
                inside.take()?;
            }
            "limit" => {
                inside.take()?;
                exprs.push(Expr::Limit(limit(&mut inside)?));
            }
            "counter" => {
                let outer = std::mem::take(&mut compiler.exprs);
                let read = counter(compiler, &mut inside);
                exprs.append(&mut compiler.exprs);
                compiler.exprs = outer;
                read?;
            }
            ":" => {
                inside.take()?;
                value(compiler, &mut inside, Kind::Mark)?;
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
        exprs,
    });
    Some(())
}
