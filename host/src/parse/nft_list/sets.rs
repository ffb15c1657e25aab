//! Sets and maps: what they hold, and their elements.

use crate::nft::{Data, DataKind, Element, Expr, Key, KeyRange, Set, SetOptions, Type};

use super::rule::{concatenation, padded};
use super::statement::{limit, verdict};
use super::tokens::{Cursor, Token};

/// The types that a set declares; a map's values as well.
#[derive(Debug, Default)]
pub(super) struct Types {
    pub(super) keys: Vec<Type>,
    pub(super) values: Vec<Type>,
}

/// Reads a set or a map; `None` where its types are not known.
pub(super) fn set(name: &str, tokens: &[Token<'_>]) -> Option<Set> {
    let mut cursor = Cursor::new(tokens);
    let mut types = Types::default();
    let (mut interval, mut dynamic) = (false, false);
    let mut options = SetOptions::default();
    let mut elements: Option<&[Token<'_>]> = None;
    loop {
        cursor.skip_lines();
        let statement = cursor.statement();
        let mut line = Cursor::new(statement);
        match line.take().map(|token| &*token.text) {
            None if cursor.is_done() => break,
            Some("type") => types = named(&mut line)?,
            Some("typeof") => types = typeof_(&mut line)?,
            Some("flags") => {
                let has = |flag: &str| statement.iter().any(|token| &*token.text == flag);
                (interval, dynamic) = (has("interval"), has("dynamic"));
                (options.constant, options.expires) = (has("constant"), has("timeout"));
            }
            Some("elements") if line.skip("=") && line.skip("{") => elements = Some(line.block()),
            Some(_) => option(statement, &mut options),
            None => {}
        }
    }
    let data = match types.values.as_slice() {
        [] => DataKind::None,
        [Type::Verdict] => DataKind::Verdict,
        [one] => DataKind::Value(one.len()),
        several => DataKind::Value(several.iter().map(|k| k.len().next_multiple_of(4)).sum()),
    };
    let read = elements.map(|tokens| self::elements(tokens, &types.keys, &types.values));
    let unread = matches!(read, Some(None));
    let values = types.values.iter().copied();
    let mut set = Set {
        name: name.to_owned(),
        key: types.keys,
        data,
        values: values.filter(|of| of.len() > 0).collect(),
        anonymous: false,
        interval,
        dynamic,
        elements: read.flatten().unwrap_or_default(),
        unread,
        options,
    };
    if set.is_turned() {
        turn(&mut set);
    }
    Some(set)
}

/// Turns the bytes of keys around, as an interval set of numbers in the host's order has them.
pub(super) fn turn(set: &mut Set) {
    for element in &mut set.elements {
        if let Key::Fields(fields) = &mut element.key {
            for range in fields {
                range.first.reverse();
                range.last.reverse();
            }
        }
    }
}

/// A line of a set about how it is kept.
fn option(statement: &[Token<'_>], options: &mut SetOptions) {
    let mut line = Cursor::new(statement);
    let value = || statement.get(1).map_or("", |token| &*token.text);
    match line.word() {
        "timeout" => options.timeout = duration(value()),
        "gc-interval" => {
            options.sweep = duration(value()).and_then(|time| u32::try_from(time).ok());
        }
        "size" => options.size = value().parse().ok(),
        "policy" => options.saves_memory = value() == "memory",
        "auto-merge" => options.merges = true,
        "comment" => options.comment = Some(value().into()),
        "counter" | "limit" => options.exprs.extend(stateful(&mut line)),
        _ => {}
    }
}

/// `1h30m5s500ms`, in milliseconds.
pub(super) fn duration(text: &str) -> Option<u64> {
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit());
        let (unit, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        let unit = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    Some(total)
}

/// A statement that elements carry: `counter [packets N bytes N]`, `limit …`.
pub(super) fn stateful(cursor: &mut Cursor<'_, '_>) -> Option<Expr> {
    if cursor.skip("limit") {
        return limit(cursor).map(Expr::Limit);
    }
    if !cursor.skip("counter") {
        return None;
    }
    if cursor.skip("packets") {
        cursor.take()?;
        let _ = cursor.skip("bytes");
        cursor.take()?;
    }
    Some(Expr::Pass("counter".into()))
}

/// `ipv4_addr . inet_service : verdict`.
fn named(line: &mut Cursor<'_, '_>) -> Option<Types> {
    types(line, |line| {
        let mut kinds = Vec::new();
        let _ = line.skip("interval");
        loop {
            // Links are listed by name, wherever they are kept by index.
            kinds.push(match Type::named(line.word())? {
                Type::IfIndex => Type::IfName,
                other => other,
            });
            line.take()?;
            if !line.skip(".") {
                return Some(kinds);
            }
        }
    })
}

/// `ip saddr . tcp dport : meta mark`.
fn typeof_(line: &mut Cursor<'_, '_>) -> Option<Types> {
    types(line, |line| {
        if line.skip("verdict") {
            return Some(vec![Type::Verdict]);
        }
        let _ = line.skip("interval");
        Some(concatenation(line)?.iter().map(|part| part.kind).collect())
    })
}

/// The types of the keys, and of a map's values behind a colon.
fn types(
    line: &mut Cursor<'_, '_>,
    list: impl Fn(&mut Cursor<'_, '_>) -> Option<Vec<Type>>,
) -> Option<Types> {
    let keys = list(line)?;
    let values = if line.skip(":") {
        list(line)?
    } else {
        Vec::new()
    };
    Some(Types { keys, values })
}

/// The elements between braces; `None` where one is not understood.
pub(super) fn elements(
    tokens: &[Token<'_>],
    keys: &[Type],
    values: &[Type],
) -> Option<Vec<Element>> {
    let mut cursor = Cursor::new(tokens);
    let mut elements = Vec::new();
    loop {
        cursor.skip_lines();
        if cursor.is_done() {
            return Some(elements);
        }
        elements.push(element(&mut cursor, keys, values)?);
        cursor.skip_lines();
        if !cursor.skip(",") && !cursor.is_done() {
            return None;
        }
    }
}

fn element(cursor: &mut Cursor<'_, '_>, keys: &[Type], values: &[Type]) -> Option<Element> {
    let key = if cursor.skip("*") {
        Key::CatchAll
    } else {
        Key::Fields(fields(cursor, keys)?)
    };
    let mut element = Element {
        key,
        data: None,
        comment: None,
        timeout: None,
        exprs: Vec::new(),
    };
    loop {
        cursor.skip_lines();
        match cursor.word() {
            "timeout" => {
                cursor.take()?;
                element.timeout = Some(duration(&cursor.take()?.text)?);
            }
            "expires" => {
                cursor.take()?;
                cursor.take()?;
            }
            "counter" | "limit" => element.exprs.push(stateful(cursor)?),
            "comment" => {
                cursor.take()?;
                element.comment = cursor.take().map(|token| (&*token.text).into());
            }
            ":" => {
                cursor.take()?;
                cursor.skip_lines();
                element.data = Some(data(cursor, values)?);
            }
            _ => return Some(element),
        }
    }
}

fn fields(cursor: &mut Cursor<'_, '_>, kinds: &[Type]) -> Option<Vec<KeyRange>> {
    let mut fields = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        if at > 0 && !cursor.skip(".") {
            return None;
        }
        let token = cursor.take()?;
        // Bits in braces are one exact value, joined by `|`.
        let mut range = kind.range(&token.text)?;
        while kind.is_bits() && cursor.skip("|") {
            let more = kind.value(&cursor.take()?.text)?;
            for (bit, more) in range.first.iter_mut().zip(&more) {
                *bit |= more;
            }
            range.last.clone_from(&range.first);
        }
        fields.push(range);
    }
    Some(fields)
}

/// The value of an element: a verdict, or constants.
fn data(cursor: &mut Cursor<'_, '_>, kinds: &[Type]) -> Option<Data> {
    if let [Type::Verdict] = kinds {
        return verdict(cursor).map(Data::Verdict);
    }
    let ranges = fields(cursor, kinds)?;
    if ranges.iter().all(|range| range.first == range.last) {
        let values: Vec<Box<[u8]>> = ranges.into_iter().map(|range| range.first).collect();
        return Some(padded(&values));
    }
    let (first, last): (Vec<_>, Vec<_>) = ranges.into_iter().map(|r| (r.first, r.last)).unzip();
    match (padded(&first), padded(&last)) {
        (Data::Value(first), Data::Value(last)) => Some(Data::Range(first, last)),
        _ => None,
    }
}
