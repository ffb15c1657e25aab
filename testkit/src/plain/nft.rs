//! nftables rules, run as the kernel's machine runs them: registers of bytes.

use host::Table;
use host::nft::{
    BitOp, CmpOp, CtKey, Data, Element, Expr, FibFlags, FibResult, Key, MetaKey, Nat, NatKind,
    PayloadBase, Register, Reject, Set, Verdict,
};

use super::connection::Connection;
use super::packet::Packet;
use super::path::{Did, Rewrite};
use super::world::World;

/// A machine that runs one rule.
struct Machine<'a> {
    table: &'a Table,
    packet: &'a mut Packet,
    connection: &'a mut Connection,
    registers: [u8; 64],
}

/// An expression has ended the rule.
struct Over;

/// Runs a rule; `None` where it ends without a verdict.
pub(super) fn run(
    table: &Table,
    exprs: &[Expr],
    (packet, connection): (&mut Packet, &mut Connection),
) -> Option<Did> {
    let mut machine = Machine {
        table,
        packet,
        connection,
        registers: [0; 64],
    };
    for expr in exprs {
        match machine.step(expr) {
            Ok(None) => {}
            Ok(verdict) => return verdict,
            Err(Over) => return None,
        }
    }
    None
}

impl Machine<'_> {
    fn step(&mut self, expr: &Expr) -> Result<Option<Did>, Over> {
        match expr {
            Expr::Cmp { .. } | Expr::Range { .. } => self.test(expr)?,
            Expr::Lookup { .. } => return self.look_up(expr),
            Expr::Verdict(_)
            | Expr::Reject(_)
            | Expr::Nat(_)
            | Expr::Masquerade { .. }
            | Expr::Redirect { .. } => return self.end(expr),
            Expr::Pass(_) => {}
            _ => self.compute(expr)?,
        }
        Ok(None)
    }

    /// Expressions that read into a register, or write what is in one.
    fn compute(&mut self, expr: &Expr) -> Result<(), Over> {
        match expr {
            Expr::Payload {
                dreg,
                base,
                offset,
                len,
            } => {
                let header = match base {
                    PayloadBase::Network => self.packet.network(),
                    PayloadBase::Transport => self.packet.transport(),
                    PayloadBase::Link | PayloadBase::Inner => return Err(Over),
                };
                let (from, len) = (*offset as usize, *len as usize);
                self.put(*dreg, &header[from..from + len]);
            }
            Expr::Meta { dreg, key } => self.meta(*dreg, *key)?,
            Expr::Ct { dreg, key, reply } => self.ct(*dreg, *key, *reply)?,
            Expr::Immediate { dreg, data } => self.put(*dreg, data),
            Expr::Fib {
                dreg,
                result: FibResult::AddrType,
                flags,
            } => {
                let packet = &self.packet;
                let of_source = flags.has(FibFlags::SADDR);
                let addr = if of_source { packet.src } else { packet.dst };
                self.put(*dreg, &World::address_type(addr).to_ne_bytes());
            }
            Expr::MetaSet {
                sreg,
                key: MetaKey::Mark,
            } => self.packet.mark = self.number(*sreg),
            Expr::CtSet {
                sreg,
                key: CtKey::Mark,
            } => {
                if self.packet.tracked {
                    self.connection.mark = self.number(*sreg);
                }
            }
            other => self.reckon(other),
        }
        Ok(())
    }

    /// Expressions from register to register.
    fn reckon(&mut self, expr: &Expr) {
        match expr {
            Expr::Bitwise {
                sreg,
                dreg,
                len,
                op: BitOp::MaskXor { mask, xor },
            } => {
                let mut value = self.get(*sreg, *len as usize).to_vec();
                for (at, byte) in value.iter_mut().enumerate() {
                    *byte = (*byte & mask[at]) ^ xor[at];
                }
                self.put(*dreg, &value);
            }
            Expr::Byteorder {
                sreg,
                dreg,
                len,
                size,
            } => {
                let mut value = self.get(*sreg, *len as usize).to_vec();
                value.chunks_mut(*size as usize).for_each(<[u8]>::reverse);
                self.put(*dreg, &value);
            }
            other => panic!("the plain machine has no {other:?}"),
        }
    }

    fn test(&mut self, expr: &Expr) -> Result<(), Over> {
        let holds = match expr {
            Expr::Cmp { sreg, op, data } => {
                let found = self.get(*sreg, data.len()).cmp(&**data);
                match op {
                    CmpOp::Eq => found.is_eq(),
                    CmpOp::Neq => found.is_ne(),
                    CmpOp::Lt => found.is_lt(),
                    CmpOp::Lte => found.is_le(),
                    CmpOp::Gt => found.is_gt(),
                    CmpOp::Gte => found.is_ge(),
                }
            }
            Expr::Range {
                sreg,
                not,
                first,
                last,
            } => {
                let value = self.get(*sreg, first.len());
                (&**first..=&**last).contains(&value) != *not
            }
            other => panic!("the plain machine does not test {other:?}"),
        };
        if holds { Ok(()) } else { Err(Over) }
    }

    /// Expressions that give a verdict.
    fn end(&mut self, expr: &Expr) -> Result<Option<Did>, Over> {
        Ok(Some(match expr {
            Expr::Verdict(Verdict::Continue) => return Ok(None),
            Expr::Verdict(Verdict::Break) => return Err(Over),
            Expr::Verdict(verdict) => verdict_of(verdict),
            Expr::Reject(Reject::Icmp(3) | Reject::Icmpx(1)) => Did::Reject,
            Expr::Nat(nat) => self.translate(nat),
            Expr::Masquerade { port: None, .. } => Did::Rewrite(Rewrite::Masquerade),
            Expr::Redirect { port, .. } => {
                Did::Rewrite(Rewrite::Redirect(port.map(|(reg, _)| self.port(reg))))
            }
            other => panic!("the plain machine has no {other:?}"),
        }))
    }

    fn translate(&self, nat: &Nat) -> Did {
        let addr = nat.addr.map(|(register, _)| {
            let bytes = self.get(register, 4);
            [bytes[0], bytes[1], bytes[2], bytes[3]].into()
        });
        let port = nat.port.map(|(register, _)| self.port(register));
        Did::Rewrite(match nat.kind {
            NatKind::Dnat => Rewrite::Destination(addr, port),
            NatKind::Snat => Rewrite::Source(addr, port),
        })
    }

    fn meta(&mut self, dreg: Register, key: MetaKey) -> Result<(), Over> {
        let link = |index: Option<u32>| index.ok_or(Over);
        match key {
            MetaKey::Mark => self.put(dreg, &self.packet.mark.to_ne_bytes()),
            MetaKey::NfProto => self.put(dreg, &[2]),
            MetaKey::L4Proto => self.put(dreg, &[self.packet.proto]),
            MetaKey::Iif => self.put(dreg, &link(self.packet.iif)?.to_ne_bytes()),
            MetaKey::Oif => self.put(dreg, &link(self.packet.oif)?.to_ne_bytes()),
            MetaKey::IifName => self.put(dreg, &name_of(link(self.packet.iif)?)),
            MetaKey::OifName => self.put(dreg, &name_of(link(self.packet.oif)?)),
            other => panic!("the plain machine has no meta {other:?}"),
        }
        Ok(())
    }

    fn ct(&mut self, dreg: Register, key: CtKey, reply: Option<bool>) -> Result<(), Over> {
        if key == CtKey::State {
            let state = self.connection.state(self.packet);
            self.put(dreg, &state.to_ne_bytes());
            return Ok(());
        }
        if !self.packet.tracked {
            return Err(Over);
        }
        let connection = &*self.connection;
        match (key, reply) {
            (CtKey::Direction, _) => self.put(dreg, &[u8::from(self.packet.is_reply)]),
            (CtKey::Mark, _) => self.put(dreg, &connection.mark.to_ne_bytes()),
            (CtKey::Src(_), Some(false)) => self.put(dreg, &connection.src.0.octets()),
            (CtKey::Dst(_), Some(false)) => self.put(dreg, &connection.dst.0.octets()),
            (CtKey::SrcPort, Some(false)) => self.put(dreg, &connection.src.1.to_be_bytes()),
            (CtKey::DstPort, Some(false)) => self.put(dreg, &connection.dst.1.to_be_bytes()),
            other => panic!("the plain machine has no ct {other:?}"),
        }
        Ok(())
    }

    fn look_up(&mut self, expr: &Expr) -> Result<Option<Did>, Over> {
        let Expr::Lookup {
            set,
            sreg,
            dreg,
            to_verdict,
            not,
        } = expr
        else {
            return Ok(None);
        };
        let set = self.table.sets.iter().find(|known| known.name == **set);
        let set = set.expect("a rule's set is in its table");
        let found = self.find(set, *sreg);
        if !to_verdict && dreg.is_none() {
            let holds = found.is_some() != *not;
            return if holds { Ok(None) } else { Err(Over) };
        }
        match found.and_then(|element| element.data.as_ref()) {
            Some(Data::Verdict(Verdict::Continue)) => Ok(None),
            Some(Data::Verdict(verdict)) => Ok(Some(verdict_of(verdict))),
            Some(Data::Value(bytes)) => {
                let bytes = bytes.clone();
                self.put(dreg.expect("a map has a register for its value"), &bytes);
                Ok(None)
            }
            Some(other) => panic!("the plain machine has no {other:?}"),
            None => Err(Over),
        }
    }

    /// The element that a key is found by: one whose every field is in its range.
    fn find<'s>(&self, set: &'s Set, sreg: Register) -> Option<&'s Element> {
        set.elements.iter().find(|element| {
            let Key::Fields(fields) = &element.key else {
                return true;
            };
            let mut register = sreg;
            fields.iter().zip(&set.key).all(|(range, of)| {
                let len = of.len();
                let value = self.get(register, len as usize);
                register += u8::try_from(len.div_ceil(4)).expect("a key is short");
                (&*range.first..=&*range.last).contains(&value)
            })
        })
    }

    fn get(&self, register: Register, len: usize) -> &[u8] {
        let from = usize::from(register) * 4;
        &self.registers[from..from + len]
    }

    fn number(&self, register: Register) -> u32 {
        let bytes = self.get(register, 4);
        u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    fn port(&self, register: Register) -> u16 {
        let bytes = self.get(register, 2);
        u16::from_be_bytes([bytes[0], bytes[1]])
    }

    /// Writes a value, and zeros up to the next register.
    fn put(&mut self, register: Register, bytes: &[u8]) {
        let from = usize::from(register) * 4;
        let end = from + bytes.len().next_multiple_of(4);
        self.registers[from..end].fill(0);
        self.registers[from..from + bytes.len()].copy_from_slice(bytes);
    }
}

fn verdict_of(verdict: &Verdict) -> Did {
    match verdict {
        Verdict::Accept => Did::Accept,
        Verdict::Drop => Did::Drop,
        Verdict::Return => Did::Return,
        Verdict::Jump(chain) => Did::Jump(chain.clone()),
        Verdict::Goto(chain) => Did::Goto(chain.clone()),
        Verdict::Continue | Verdict::Break | Verdict::Queue => {
            panic!("the plain machine has no {verdict:?}")
        }
    }
}

fn name_of(link: u32) -> [u8; 16] {
    let mut name = [0; 16];
    let text = World::link_name(link).as_bytes();
    name[..text.len()].copy_from_slice(text);
    name
}
