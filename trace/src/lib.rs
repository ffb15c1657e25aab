//! Where packets go: one, or all of a kind; and what is wrong when they do not arrive.
//!
//! One evaluator over sets of flows: a single packet is a set of one.

mod answer;
mod question;

pub use answer::{
    Answer, Cause, Client, Did, From, Outcome, Region, RuleRef, Server, Stage, Step, Verdict,
};
pub use question::{Origin, Question};
