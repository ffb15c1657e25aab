//! `nft list ruleset`: tables, chains, sets and maps, and rules.
//!
//! A listing shows less than the kernel has: tests that a header needs are hidden, and are put
//! back; rules of iptables-nft lose the options of their extensions, and are gaps. Where a
//! save of iptables-nft is given too, it goes before.

mod bits;
mod nat;
mod rule;
mod selector;
mod sets;
mod statement;
mod tokens;
mod values;

use std::collections::BTreeMap;

use crate::{
    Base, Chain, ChainKind, Hook, Language, Policy, Rule, RuleBody, Table, TableFamily, nft,
};

use crate::nft::ObjectBody;

use super::problem::{Input, Problem, Problems};
use tokens::{Cursor, Token, tokens, written};

/// Handles by line.
type Handles = BTreeMap<usize, u64>;

/// A chain that is still to be read.
struct Block<'t, 'a> {
    name: String,
    line: usize,
    tokens: &'t [Token<'a>],
}

/// Reads the tables of a listing.
pub fn nft_list(input: Input<'_>) -> (Vec<Table>, Vec<Problem>) {
    let mut problems = Problems::of(input);
    let text = String::from_utf8_lossy(input.text);
    let tokens = tokens(&text);
    if let Some(line) = tokens::unclosed(&tokens) {
        let what = "a brace is not closed: was the file cut?";
        problems.add(line, "", what);
    }
    let handles = tokens::handles(&text);
    let mut cursor = Cursor::new(&tokens);
    let mut tables = Vec::new();
    loop {
        cursor.skip_lines();
        if cursor.is_done() {
            break;
        }
        let line = cursor.peek().map_or(0, |token| token.line);
        if let Some(table) = table(&mut cursor, &handles, &mut problems) {
            tables.push(table);
        } else {
            let statement = written(cursor.statement());
            let what = "line is no table as `nft list ruleset` prints it: skipped";
            problems.add(line, &statement, what);
            let _ = cursor.skip("}");
        }
    }
    (tables, problems.into_vec())
}

/// `table FAMILY NAME { … }`.
fn table(
    cursor: &mut Cursor<'_, '_>,
    handles: &Handles,
    problems: &mut Problems<'_>,
) -> Option<Table> {
    let line = cursor.peek().map_or(0, |token| token.line);
    if cursor.word() != "table" {
        return None;
    }
    let family = family(cursor.word_after(1))?;
    if cursor.word_after(3) != "{" {
        return None;
    }
    let name = cursor.word_after(2).to_owned();
    for _ in 0..4 {
        let _ = cursor.take();
    }
    let mut table = Table {
        family,
        name,
        language: Language::Nft,
        handle: handles.get(&line).copied(),
        dormant: false,
        comment: None,
        chains: Vec::new(),
        sets: Vec::new(),
        objects: Vec::new(),
    };
    let block = cursor.block();
    // Rules look into sets, wherever these stand.
    let mut chains = Vec::new();
    let mut inside = Cursor::new(block);
    loop {
        inside.skip_lines();
        if inside.is_done() {
            break;
        }
        part(&mut inside, &mut table, &mut chains, problems);
    }
    for block in chains {
        let chain = chain(block, &mut table, handles, problems);
        table.chains.push(chain);
    }
    Some(table)
}

/// What stands in a table: one of its parts, with braces, or a word about it.
fn part<'t, 'a>(
    cursor: &mut Cursor<'t, 'a>,
    table: &mut Table,
    chains: &mut Vec<Block<'t, 'a>>,
    problems: &mut Problems<'_>,
) {
    let line = cursor.peek().map_or(0, |token| token.line);
    let kind = cursor.word();
    if kind == "flags" {
        let statement = cursor.statement();
        table.dormant = statement.iter().any(|token| &*token.text == "dormant");
        return;
    }
    if kind == "comment" {
        table.comment = comment(cursor.statement());
        return;
    }
    // `ct helper NAME {` has a word more.
    let at = if kind == "ct" { 2 } else { 1 };
    let is_headed = (0..=at).all(|word| cursor.word_after(word) != "{");
    if !is_headed || cursor.word_after(at + 1) != "{" {
        let _ = cursor.statement();
        return;
    }
    let name = cursor.word_after(at).to_owned();
    let object = if kind == "ct" {
        cursor.word_after(1)
    } else {
        kind
    };
    for _ in 0..at + 2 {
        let _ = cursor.take();
    }
    let block = cursor.block();
    match object {
        "chain" => chains.push(Block {
            name,
            line,
            tokens: block,
        }),
        "set" | "map" => {
            let set = sets::set(&name, block);
            let problem = match &set {
                None => Some("set of a type that is not understood was skipped"),
                Some(set) if set.unread => {
                    Some("elements of a set are not understood: its contents are unknown")
                }
                Some(_) => None,
            };
            if let Some(what) = problem {
                problems.note(line, &name, what);
            }
            table.sets.extend(set);
        }
        object => table
            .objects
            .extend(object_kind(object).map(|kind| nft::Object {
                name,
                kind,
                body: object_body(object, block),
            })),
    }
}

/// `NFT_OBJECT_*` by nft's word; what is no object of a table has none.
fn object_kind(word: &str) -> Option<u32> {
    Some(match word {
        "counter" => 1,
        "quota" => 2,
        "helper" => 3,
        "limit" => 4,
        "timeout" => 7,
        "secmark" => 8,
        "expectation" => 9,
        "synproxy" => 10,
        _ => return None,
    })
}

/// What an object was told: a line of it.
fn object_body(object: &str, block: &[Token<'_>]) -> ObjectBody {
    let mut cursor = Cursor::new(block);
    cursor.skip_lines();
    let body = match object {
        "counter" => Some(ObjectBody::Nothing),
        "quota" => {
            let over = cursor.skip("over");
            let number = cursor.take().map(|token| &*token.text);
            let bytes = number.and_then(|number| statement::sized(number, cursor.word()));
            bytes.map(|bytes| ObjectBody::Quota { bytes, over })
        }
        "limit" => statement::limit(&mut cursor).map(ObjectBody::Limit),
        _ => None,
    };
    body.unwrap_or(ObjectBody::Unread)
}

/// The text of `comment "…"`.
fn comment(statement: &[Token<'_>]) -> Option<Box<str>> {
    Some((&*statement.get(1)?.text).into())
}

fn family(word: &str) -> Option<TableFamily> {
    Some(match word {
        "ip" => TableFamily::Ip,
        "ip6" => TableFamily::Ip6,
        "inet" => TableFamily::Inet,
        "arp" => TableFamily::Arp,
        "bridge" => TableFamily::Bridge,
        "netdev" => TableFamily::Netdev,
        _ => return None,
    })
}

fn chain(
    block: Block<'_, '_>,
    table: &mut Table,
    handles: &Handles,
    problems: &mut Problems<'_>,
) -> Chain {
    let mut chain = Chain {
        name: block.name,
        base: None,
        handle: handles.get(&block.line).copied(),
        comment: None,
        rules: Vec::new(),
    };
    let mut cursor = Cursor::new(block.tokens);
    loop {
        cursor.skip_lines();
        if cursor.is_done() {
            return chain;
        }
        let line = cursor.peek().map_or(0, |token| token.line);
        match (cursor.word(), cursor.word_after(1)) {
            ("type", "filter" | "nat" | "route") => {
                let statement = cursor.statement();
                chain.base = base(&mut Cursor::new(statement), table.family);
                if chain.base.is_none() {
                    let what = "place of a chain is not understood: taken for a chain that is \
                                only called";
                    problems.add(line, &written(statement), what);
                }
            }
            ("policy", policy) => {
                let is_drop = policy == "drop";
                let _ = cursor.statement();
                if let Some(base) = &mut chain.base {
                    base.policy = if is_drop {
                        Policy::Drop
                    } else {
                        Policy::Accept
                    };
                }
            }
            ("comment", _) => chain.comment = comment(cursor.statement()),
            _ => {
                let statement = cursor.statement();
                let read = rule::rule(statement, table.family, &mut table.sets);
                if let Some(unread) = read.unread {
                    let what = "rest of a rule is not understood: it may do anything";
                    problems.note(line, &unread, what);
                }
                chain.rules.push(Rule {
                    body: RuleBody::Nft(read.exprs),
                    // Behind the last line of the rule.
                    handle: statement
                        .last()
                        .and_then(|token| handles.get(&token.line).copied()),
                    comment: read.comment,
                    text: Some(written(statement).into()),
                });
            }
        }
    }
}

/// `type KIND hook HOOK [device D | devices = { … }] priority P`.
fn base(cursor: &mut Cursor<'_, '_>, family: TableFamily) -> Option<Base> {
    cursor.take()?;
    let kind = match &*cursor.take()?.text {
        "filter" => ChainKind::Filter,
        "nat" => ChainKind::Nat,
        _ => ChainKind::Route,
    };
    if !cursor.skip("hook") {
        return None;
    }
    let hook = match &*cursor.take()?.text {
        "ingress" => Hook::Ingress,
        "prerouting" => Hook::Prerouting,
        "input" => Hook::Input,
        "forward" => Hook::Forward,
        "output" => Hook::Output,
        "postrouting" => Hook::Postrouting,
        "egress" => Hook::Egress,
        _ => return None,
    };
    let mut devices = Vec::new();
    if cursor.skip("device") {
        devices.push(cursor.take()?.text.to_string());
    } else if cursor.skip("devices") && cursor.skip("=") && cursor.skip("{") {
        let names = cursor
            .block()
            .iter()
            .filter(|token| !matches!(&*token.text, "," | "\n"));
        devices.extend(names.map(|token| token.text.to_string()));
    }
    if !cursor.skip("priority") {
        return None;
    }
    Some(Base {
        hook,
        priority: priority(cursor, family)?,
        kind,
        policy: Policy::Accept,
        devices,
    })
}

/// A number, or a name and what is added to it.
fn priority(cursor: &mut Cursor<'_, '_>, family: TableFamily) -> Option<i32> {
    let word = &cursor.take()?.text;
    let is_bridge = family == TableFamily::Bridge;
    let named = match &**word {
        "raw" => -300,
        "mangle" => -150,
        "dstnat" if is_bridge => -300,
        "dstnat" => -100,
        "filter" if is_bridge => -200,
        "filter" => 0,
        "security" => 50,
        "out" => 100,
        "srcnat" if is_bridge => 300,
        "srcnat" => 100,
        number => return number.parse().ok(),
    };
    let sign = match cursor.word() {
        "+" => 1,
        "-" => -1,
        _ => return Some(named),
    };
    cursor.take()?;
    let more: i32 = cursor.take()?.text.parse().ok()?;
    Some(named + sign * more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nft::{CmpOp, Expr, MetaKey, PayloadBase, Type, Verdict};
    use net::Family;

    fn read(text: &str) -> (Vec<Table>, Vec<Problem>) {
        nft_list(Input {
            name: "listing",
            text: text.as_bytes(),
        })
    }

    fn rule(text: &str) -> Vec<Expr> {
        let (tables, problems) = read(&format!("table inet t {{\n chain c {{\n {text}\n }}\n}}\n"));
        assert_eq!(problems, [], "{text}");
        match &tables[0].chains[0].rules[0].body {
            RuleBody::Nft(exprs) => exprs.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_brace_in_the_place_of_a_name_is_passed() {
        let (tables, _) = read("table ip t {\n chain { {\n }\n }\n chain c {\n }\n}\n");
        assert_eq!(tables[0].chains[0].name, "c");
    }

    #[test]
    fn a_base_chain_has_a_place_by_name_or_number() {
        let text = "table ip t {\n\tchain c {\n\t\ttype nat hook prerouting priority dstnat + 5; \
                    policy drop;\n\t}\n}\n";
        let base = read(text).0[0].chains[0].base.clone().unwrap();
        assert_eq!((base.hook, base.priority), (Hook::Prerouting, -95));
        assert_eq!((base.kind, base.policy), (ChainKind::Nat, Policy::Drop));
    }

    #[test]
    fn a_listing_that_was_cut_is_told() {
        let whole = "table ip t {\n\tchain c {\n\t\tdrop comment \"}\"\n\t}\n}\n";
        assert_eq!(read(whole).1, []);
        let (_, problems) = read(&whole[..whole.len() - 5]);
        assert!(problems[0].lost && problems[0].what.contains("was the file cut?"));
    }

    #[test]
    fn what_has_no_name_is_a_gap() {
        for text in [
            "jump { drop }",
            "counter name tcp dport map { 80 : \"c\" } drop",
        ] {
            let (tables, problems) =
                read(&format!("table inet t {{\n chain c {{\n {text}\n }}\n}}\n"));
            assert_eq!(problems.len(), 1, "{text}");
            let RuleBody::Nft(exprs) = &tables[0].chains[0].rules[0].body else {
                panic!("{text}");
            };
            assert!(matches!(exprs[..], [Expr::Unread(_)]), "{exprs:?}");
        }
    }

    #[test]
    fn a_link_that_is_not_there_is_a_number() {
        assert!(matches!(
            rule("oif != 0 drop")[..],
            [
                Expr::Meta {
                    key: MetaKey::Oif,
                    ..
                },
                Expr::Cmp { op: CmpOp::Neq, .. },
                Expr::Verdict(Verdict::Drop)
            ]
        ));
    }

    #[test]
    fn handles_tell_what_was_made_first() {
        let text = "table inet t { # handle 7\n\tchain a { # handle 2\n\t\taccept comment \
                    \"# handle 9\" # handle 4\n\t\ttcp dport { 1,\n\t\t\t2 } drop # handle 5\n\t}\n}\n";
        let table = &read(text).0[0];
        let chain = &table.chains[0];
        assert_eq!((table.handle, chain.handle), (Some(7), Some(2)));
        let handles: Vec<_> = chain.rules.iter().map(|rule| rule.handle).collect();
        assert_eq!(handles, [Some(4), Some(5)]);
    }

    #[test]
    fn a_group_without_a_number_is_a_gap_but_the_default_one_is_0() {
        assert!(matches!(
            &rule("iifgroup default drop")[1],
            Expr::Cmp { data, .. } if **data == [0; 4]
        ));
        let text = "table inet t {\n chain c {\n  iifgroup \"dmz\" drop\n }\n}\n";
        assert_eq!(read(text).1.len(), 1);
    }

    #[test]
    fn bits_of_a_header_are_held_against_shifted_constants() {
        let data = |text: &str| match rule(text).into_iter().rev().nth(1) {
            Some(Expr::Cmp { data, .. }) => data.to_vec(),
            other => panic!("{other:?}"),
        };
        // What `nft --debug=netlink` has of the same rules.
        assert_eq!(data("ip dscp af11 accept"), [0x28]);
        assert_eq!(data("ip6 dscp cs1 accept"), [0x02, 0x00]);
        assert_eq!(data("ip version 4 accept"), [0x40]);
        let priority = rule("meta priority set 1:2");
        let value: Box<[u8]> = 0x0001_0002_u32.to_ne_bytes().into();
        assert!(matches!(&priority[0], Expr::Immediate { data, .. } if *data == value));
    }

    #[test]
    fn a_limit_counts_packets_or_bytes() {
        let limit = |text: &str| match &rule(text)[0] {
            Expr::Limit(limit) => (limit.rate, limit.burst, limit.bytes),
            other => panic!("{other:?}"),
        };
        assert_eq!(limit("limit rate 10/second drop"), (10, 5, false));
        assert_eq!(
            limit("limit rate 2 kbytes/second burst 9 kbytes drop"),
            (2048, 9216, true)
        );
    }

    #[test]
    fn tests_that_a_header_needs_are_put_back() {
        let meta = |key| Expr::Meta { dreg: 0, key };
        let is = |data: &[u8]| Expr::Cmp {
            sreg: 0,
            op: CmpOp::Eq,
            data: data.into(),
        };
        let port = Expr::Payload {
            dreg: 0,
            base: PayloadBase::Transport,
            offset: 2,
            len: 2,
        };
        assert_eq!(
            rule("tcp dport 80 accept"),
            [
                meta(MetaKey::L4Proto),
                is(&[6]),
                port.clone(),
                is(&[0, 80]),
                Expr::Verdict(Verdict::Accept)
            ]
        );
        // What the rule has tested itself is not tested again.
        assert_eq!(
            rule("meta l4proto tcp tcp dport 80 drop").len(),
            rule("tcp dport 80 drop").len()
        );
        let source = rule("ip saddr 10.0.0.1 drop");
        assert_eq!(source[..2], [meta(MetaKey::NfProto), is(&[2])]);
    }

    #[test]
    fn what_is_not_understood_is_the_rest_of_its_rule() {
        let text = "table ip t {\n chain c {\n  tcp dport 80 osf name \"Linux\" drop\n }\n}\n";
        let (tables, problems) = read(text);
        let RuleBody::Nft(exprs) = &tables[0].chains[0].rules[0].body else {
            panic!("a rule of expressions");
        };
        assert_eq!(
            exprs.last(),
            Some(&Expr::Unread("osf name \"Linux\" drop".into()))
        );
        assert_eq!(problems[0].line, 3);
        assert!(!problems[0].lost);
    }

    #[test]
    fn sets_and_maps_have_their_elements() {
        let text = "table ip t {\n map m {\n  type ipv4_addr . inet_service : verdict\n  \
                    elements = { 10.0.0.1 . 80 comment \"a/b\" : goto x,\n  10.0.0.2 . 1-9 : drop }\n \
                    }\n chain x { }\n}\n";
        let (tables, problems) = read(text);
        assert_eq!(problems, []);
        let set = &tables[0].sets[0];
        assert_eq!(set.key, [Type::Addr(Family::V4), Type::Port]);
        assert_eq!(set.elements.len(), 2);
        assert_eq!(set.elements[0].comment.as_deref(), Some("a/b"));
        let goto = nft::Data::Verdict(Verdict::Goto("x".into()));
        assert_eq!(set.elements[0].data, Some(goto));
    }
}
