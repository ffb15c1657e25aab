//! Sets and maps: what they hold, and their elements.

use crate::nft::{Data, DataKind, Element, Expr, Key, KeyRange, Set};

use super::kinds::Kind;
use super::rule::{concatenation, padded};
use super::statement::{limit, verdict};
use super::tokens::{Cursor, Token};

/// The types that a set declares; a map's values as well.
#[derive(Debug, Default)]
pub(super) struct Types {
    pub(super) keys: Vec<Kind>,
    pub(super) values: Vec<Kind>,
}

/// Reads a set or a map; `None` where its types are not known.
pub(super) fn set(name: &str, tokens: &[Token<'_>]) -> Option<Set> {
    let mut cursor = Cursor::new(tokens);
    let mut types = Types::default();
    let (mut interval, mut dynamic) = (false, false);
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
            }
            Some("elements") if line.skip("=") && line.skip("{") => elements = Some(line.block()),
            _ => {}
        }
    }
    let data = match types.values.as_slice() {
        [] => DataKind::None,
        [Kind::Verdict] => DataKind::Verdict,
        [one] => DataKind::Value(one.len()),
        several => DataKind::Value(several.iter().map(|k| k.len().next_multiple_of(4)).sum()),
    };
    let read = elements.map(|tokens| self::elements(tokens, &types.keys, &types.values));
    let unread = matches!(read, Some(None));
    Some(Set {
        name: name.to_owned(),
        key_fields: types.keys.iter().map(|kind| kind.len()).collect(),
        data,
        anonymous: false,
        interval,
        dynamic,
        elements: read.flatten().unwrap_or_default(),
        unread,
    })
}

/// `ipv4_addr . inet_service : verdict`.
fn named(line: &mut Cursor<'_, '_>) -> Option<Types> {
    types(line, |line| {
        let mut kinds = Vec::new();
        let _ = line.skip("interval");
        loop {
            kinds.push(Kind::named(line.word())?);
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
            return Some(vec![Kind::Verdict]);
        }
        let _ = line.skip("interval");
        Some(concatenation(line)?.iter().map(|part| part.kind).collect())
    })
}

/// The types of the keys, and of a map's values behind a colon.
fn types(
    line: &mut Cursor<'_, '_>,
    list: impl Fn(&mut Cursor<'_, '_>) -> Option<Vec<Kind>>,
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
    keys: &[Kind],
    values: &[Kind],
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

fn element(cursor: &mut Cursor<'_, '_>, keys: &[Kind], values: &[Kind]) -> Option<Element> {
    let key = if cursor.skip("*") {
        Key::CatchAll
    } else {
        Key::Fields(fields(cursor, keys)?)
    };
    let mut element = Element {
        key,
        data: None,
        comment: None,
        exprs: Vec::new(),
    };
    loop {
        cursor.skip_lines();
        match cursor.word() {
            "timeout" | "expires" => {
                cursor.take()?;
                cursor.take()?;
            }
            "counter" => {
                cursor.take()?;
                if cursor.skip("packets") {
                    cursor.take()?;
                    let _ = cursor.skip("bytes");
                    cursor.take()?;
                }
                element.exprs.push(Expr::Pass("counter".into()));
            }
            "limit" => {
                cursor.take()?;
                element.exprs.push(Expr::Limit(limit(cursor)?));
            }
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

fn fields(cursor: &mut Cursor<'_, '_>, kinds: &[Kind]) -> Option<Vec<KeyRange>> {
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
fn data(cursor: &mut Cursor<'_, '_>, kinds: &[Kind]) -> Option<Data> {
    if let [Kind::Verdict] = kinds {
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
