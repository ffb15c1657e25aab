//! nftables as `nft` lists it: rules for people, and whole tables that `nft -f` loads.
//!
//! The kernel holds loads, tests and actions over registers; a person reads `tcp dport 80`.
//! So a load is kept as text until a test or an action uses its register.

mod fields;
mod known;
mod registers;
mod rule;
mod set;
mod statement;
mod table;
mod values;

#[cfg(test)]
mod tests;

use crate::nft::Expr;
use crate::{Link, Table};

pub(super) use table::table;

/// Where a rule stands: what its text depends on beside its expressions.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scope<'a> {
    /// Its table; absent where nobody knows it. Fields are then called by the name that they
    /// are likely to have, and sets by theirs.
    pub(super) table: Option<&'a Table>,
    /// The links, which rules know by index.
    pub(super) links: &'a [Link],
}

/// Expressions of one rule as one line.
pub(super) fn exprs(exprs: &[Expr], scope: Scope<'_>) -> String {
    rule::line(exprs, scope)
}
