//! nftables expressions, put together to statements as `nft` lists them.
//!
//! The kernel holds loads, tests and actions over registers; a person reads `tcp dport 80`.
//! So a load is kept as text until a test or an action uses its register.

mod fields;
mod registers;
mod values;

#[cfg(test)]
mod tests;

use net::Proto;

use crate::nft::{BitOp, CmpOp, Expr, FibFlags, FibResult, Limit, Nat, NatKind, NumgenKind};
use crate::nft::{Register, Reject, SetOp, Verdict};

use fields::Field;
use registers::{Registers, Value};
use values::Kind;

/// Expressions of one rule as one line.
pub(super) fn exprs(exprs: &[Expr]) -> String {
    let mut rule = Statements::default();
    for expr in exprs {
        rule.add(expr);
    }
    rule.flush();
    rule.words.join(" ")
}

/// Statements of one rule in the making.
#[derive(Debug, Default)]
struct Statements {
    words: Vec<String>,
    registers: Registers,
    /// The protocol that was tested last.
    proto: Option<Proto>,
    /// A test that `nft` leaves out when the next one implies it.
    implied: Option<Implied>,
}

/// A test that a later one can imply.
#[derive(Debug)]
struct Implied {
    text: String,
    is_proto: bool,
}

impl Statements {
    fn add(&mut self, expr: &Expr) {
        match expr {
            Expr::Payload { .. }
            | Expr::Meta { .. }
            | Expr::Ct { .. }
            | Expr::Fib { .. }
            | Expr::Socket { .. }
            | Expr::Numgen { .. }
            | Expr::Immediate { .. }
            | Expr::Bitwise { .. }
            | Expr::Byteorder { .. } => self.load(expr),
            Expr::Cmp { sreg, op, data } => self.compare(*sreg, *op, data),
            Expr::Range {
                sreg,
                not,
                first,
                last,
            } => {
                let value = self.registers.take(*sreg);
                let span = [first, last].map(|bytes| value.kind.text(bytes)).join("-");
                let not = if *not { "!= " } else { "" };
                self.say(format!("{} {not}{span}", value.text));
            }
            Expr::Lookup {
                set,
                sreg,
                dreg,
                to_verdict,
                not,
            } => self.look_up(
                set,
                *sreg,
                dreg.filter(|_| !to_verdict),
                (*to_verdict, *not),
            ),
            Expr::PayloadSet {
                sreg,
                base,
                offset,
                len,
            } => {
                let field = fields::payload(*base, *offset, *len, self.proto);
                self.assign(&field, *sreg);
            }
            Expr::MetaSet { sreg, key } => self.assign(&fields::meta(*key), *sreg),
            Expr::CtSet { sreg, key } => self.assign(&fields::ct(*key, None), *sreg),
            Expr::Verdict(_)
            | Expr::Nat(_)
            | Expr::Masquerade { .. }
            | Expr::Redirect { .. }
            | Expr::Reject(_)
            | Expr::Dynset { .. }
            | Expr::Limit(_)
            | Expr::Notrack
            | Expr::Queue { .. }
            | Expr::Pass(_)
            | Expr::Match(_)
            | Expr::Target(_)
            | Expr::Unread(_)
            | Expr::Gap { .. } => self.act(expr),
        }
    }

    /// Expressions that put a value into a register.
    fn load(&mut self, expr: &Expr) {
        match expr {
            Expr::Payload {
                dreg,
                base,
                offset,
                len,
            } => {
                let field = fields::payload(*base, *offset, *len, self.proto);
                let implies = |implied: &Implied| {
                    field.is_of_proto == implied.is_proto && (field.is_of_proto || field.is_of_ip)
                };
                if self.implied.as_ref().is_some_and(implies) {
                    self.implied = None;
                }
                self.registers.put(*dreg, Value::of(field, *len));
            }
            Expr::Meta { dreg, key } => self.put(*dreg, fields::meta(*key)),
            Expr::Ct { dreg, key, reply } => self.put(*dreg, fields::ct(*key, *reply)),
            Expr::Fib {
                dreg,
                result,
                flags,
            } => self.put(*dreg, fib(*result, *flags)),
            Expr::Numgen {
                dreg,
                kind,
                modulus,
                offset,
            } => {
                let kind = match kind {
                    NumgenKind::Incremental => "inc",
                    NumgenKind::Random => "random",
                };
                let offset = match offset {
                    0 => String::new(),
                    offset => format!(" offset {offset}"),
                };
                let text = format!("numgen {kind} mod {modulus}{offset}");
                self.put(*dreg, Field::plain(text, Kind::Number));
            }
            Expr::Immediate { dreg, data } => self.registers.put(*dreg, Value::constant(data)),
            Expr::Bitwise {
                sreg,
                dreg,
                len,
                op,
            } => {
                let mut value = bitwise(self.registers.take(*sreg), op);
                value.len = *len;
                self.registers.put(*dreg, value);
            }
            Expr::Byteorder { sreg, dreg, .. } => {
                let value = self.registers.take(*sreg);
                self.registers.put(*dreg, value);
            }
            _ => {}
        }
    }

    fn put(&mut self, dreg: Register, field: Field) {
        let len = field.kind.len();
        self.registers.put(dreg, Value::of(field, len));
    }

    fn compare(&mut self, sreg: Register, op: CmpOp, data: &[u8]) {
        let value = self.registers.take(sreg);
        let text = value.compare(op, data);
        let is_proto = value.text == "meta l4proto";
        if op == CmpOp::Eq && (is_proto || value.text == "meta nfproto") {
            self.flush();
            if is_proto {
                self.proto = data.first().map(|number| Proto(*number));
            }
            self.implied = Some(Implied { text, is_proto });
            return;
        }
        self.say(text);
    }

    fn look_up(
        &mut self,
        set: &str,
        sreg: Register,
        dreg: Option<Register>,
        (to_verdict, not): (bool, bool),
    ) {
        let key = self.registers.take_key(sreg);
        let not = if not { "!= " } else { "" };
        match dreg {
            Some(dreg) => {
                let text = format!("{key} map @{set}");
                self.registers
                    .put(dreg, Value::of(Field::plain(text, Kind::Bytes), 4));
            }
            None if to_verdict => self.say(format!("{key} vmap @{set}")),
            None => self.say(format!("{key} {not}@{set}")),
        }
    }

    fn assign(&mut self, field: &Field, sreg: Register) {
        let value = self.registers.take(sreg).as_kind(field.kind);
        self.say(format!("{} set {value}", field.text));
    }

    /// Expressions that do something.
    fn act(&mut self, expr: &Expr) {
        let text = match expr {
            Expr::Verdict(verdict) => self::verdict(verdict),
            Expr::Nat(nat) => self.nat(nat),
            Expr::Masquerade { port, flags } => self.ports_only("masquerade", *port, *flags),
            Expr::Redirect { port, flags } => self.ports_only("redirect", *port, *flags),
            Expr::Reject(reject) => self::reject(*reject),
            Expr::Dynset {
                set,
                op,
                sreg_key,
                sreg_data,
                exprs: inner,
            } => {
                let key = self.registers.take_key(*sreg_key);
                let data = sreg_data.map(|reg| self.registers.take(reg).text);
                dynset(set, *op, &key, data, inner)
            }
            Expr::Limit(limit) => self::limit(*limit),
            Expr::Notrack => "notrack".to_owned(),
            Expr::Queue { num, bypass } => {
                let flags = if *bypass { " flags bypass" } else { "" };
                format!("queue{flags} to {num}")
            }
            Expr::Pass(name) => name.to_string(),
            Expr::Unread(text) => text.to_string(),
            Expr::Match(item) => super::xt_match(item, self.proto == Some(Proto::ICMP6)),
            Expr::Target(target) => super::xt_target(target),
            Expr::Gap { name, dreg } => {
                if let Some(dreg) = dreg {
                    let field = Field::plain(format!("[{name}]"), Kind::Bytes);
                    self.registers.put(*dreg, Value::of(field, 4));
                    return;
                }
                format!("[{name}]")
            }
            _ => return,
        };
        self.say(text);
    }

    fn nat(&mut self, nat: &Nat) -> String {
        let name = match nat.kind {
            NatKind::Snat => "snat",
            NatKind::Dnat => "dnat",
        };
        let kind = if nat.is_v6 { Kind::Ipv6 } else { Kind::Ipv4 };
        let addr = nat.addr.map(|(first, last)| self.span(first, last, kind));
        let port = match nat.port {
            // A map can hold address and port in one value.
            Some((first, _)) if addr.is_some() && !self.registers.has(first) => None,
            Some((first, last)) => Some(self.span(first, last, Kind::Port)),
            None => None,
        };
        let to = match (addr, port) {
            (Some(addr), Some(port)) if nat.is_v6 => format!(" to [{addr}]:{port}"),
            (Some(addr), Some(port)) => format!(" to {addr}:{port}"),
            (Some(addr), None) => format!(" to {addr}"),
            (None, Some(port)) => format!(" to :{port}"),
            (None, None) => String::new(),
        };
        format!("{name}{to}{}", nat_flags(nat.flags))
    }

    fn ports_only(&mut self, name: &str, port: Option<(Register, Register)>, flags: u32) -> String {
        let to = port.map(|(first, last)| format!(" to :{}", self.span(first, last, Kind::Port)));
        format!("{name}{}{}", to.unwrap_or_default(), nat_flags(flags))
    }

    /// What two registers hold, lowest and highest; one text where they are the same.
    fn span(&mut self, first: Register, last: Register, kind: Kind) -> String {
        let low = self.registers.take(first).as_kind(kind);
        if first == last {
            return low;
        }
        let high = self.registers.take(last).as_kind(kind);
        if low == high {
            low
        } else {
            format!("{low}-{high}")
        }
    }

    fn say(&mut self, text: String) {
        self.flush();
        self.words.push(text);
    }

    /// Says a test that nothing implied.
    fn flush(&mut self) {
        self.words
            .extend(self.implied.take().map(|implied| implied.text));
    }
}

fn bitwise(mut value: Value, op: &BitOp) -> Value {
    match op {
        BitOp::MaskXor { mask, xor } => value.mask(mask, xor),
        BitOp::ShiftLeft(bits) => value.text = format!("{} << {bits}", value.text),
        BitOp::ShiftRight(bits) => value.text = format!("{} >> {bits}", value.text),
        BitOp::With { op, .. } => value.text = format!("{} [bitwise {op}]", value.text),
    }
    value
}

fn fib(result: FibResult, flags: FibFlags) -> Field {
    let parts = [
        (FibFlags::SADDR, "saddr"),
        (FibFlags::DADDR, "daddr"),
        (FibFlags::MARK, "mark"),
        (FibFlags::IIF, "iif"),
        (FibFlags::OIF, "oif"),
    ];
    let asked: Vec<_> = parts
        .iter()
        .filter(|(bit, _)| flags.has(*bit))
        .map(|(_, name)| *name)
        .collect();
    let (result, kind) = match result {
        _ if flags.has(FibFlags::PRESENT) => ("oif", Kind::Presence),
        FibResult::Oif => ("oif", Kind::Number),
        FibResult::OifName => ("oifname", Kind::Name),
        FibResult::AddrType => ("type", Kind::AddrType),
    };
    Field::plain(format!("fib {} {result}", asked.join(" . ")), kind)
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Drop => "drop".to_owned(),
        Verdict::Continue => "continue".to_owned(),
        Verdict::Break => "break".to_owned(),
        Verdict::Return => "return".to_owned(),
        Verdict::Jump(chain) => format!("jump {chain}"),
        Verdict::Goto(chain) => format!("goto {chain}"),
        Verdict::Queue => "queue".to_owned(),
    }
}

fn reject(reject: Reject) -> String {
    match reject {
        Reject::Icmp(code) => format!("reject with icmp {code}"),
        Reject::TcpReset => "reject with tcp reset".to_owned(),
        Reject::Icmpx(code) => {
            let names = [
                "no-route",
                "port-unreachable",
                "host-unreachable",
                "admin-prohibited",
            ];
            match names.get(usize::from(code)) {
                Some(name) => format!("reject with icmpx {name}"),
                None => format!("reject with icmpx {code}"),
            }
        }
    }
}

fn dynset(set: &str, op: SetOp, key: &str, data: Option<String>, inner: &[Expr]) -> String {
    let op = match op {
        SetOp::Add => "add",
        SetOp::Update => "update",
        SetOp::Delete => "delete",
    };
    let statements = match exprs(inner) {
        text if text.is_empty() => text,
        text => format!(" {text}"),
    };
    let data = data.map(|data| format!(" : {data}")).unwrap_or_default();
    format!("{op} @{set} {{ {key}{statements}{data} }}")
}

fn limit(limit: Limit) -> String {
    let unit = match limit.unit {
        1 => "second".to_owned(),
        60 => "minute".to_owned(),
        3600 => "hour".to_owned(),
        86400 => "day".to_owned(),
        604_800 => "week".to_owned(),
        seconds => format!("{seconds} seconds"),
    };
    let over = if limit.over { "over " } else { "" };
    let (bytes, counted) = if limit.bytes {
        (" bytes", "bytes")
    } else {
        ("", "packets")
    };
    format!(
        "limit rate {over}{}{bytes}/{unit} burst {} {counted}",
        limit.rate, limit.burst
    )
}

/// `NF_NAT_RANGE_*` of nf_nat.h.
fn nat_flags(flags: u32) -> String {
    let names = [(4, "random"), (0x10, "fully-random"), (8, "persistent")];
    let given: Vec<_> = names
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    if given.is_empty() {
        return String::new();
    }
    format!(" {}", given.join(","))
}
