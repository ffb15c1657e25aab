//! A question as an address has it, understood.

use net::Proto;

use crate::source::Source;
use crate::subject::Inquiry;
use crate::target::Target;

use super::problem::Problem;
use super::query::Query;

/// A question as it was asked, understood.
pub(super) struct Question {
    pub(super) target: Target,
    pub(super) proto: Proto,
    pub(super) inquiry: Inquiry,
}

/// Understands the query of `/why`.
pub(super) fn question(query: &Query) -> Result<Question, Problem> {
    let bad = |text: String| Problem::bad(&text);
    let mut words = query.target();
    let from = query.source(&mut words);
    let (source, target) =
        meant(from.as_deref(), &mut words).map_err(|error| bad(error.to_string()))?;
    Ok(Question {
        target,
        proto: query.proto().map_err(bad)?,
        inquiry: Inquiry {
            source,
            iif: query.get("in").map(str::to_owned),
            sport: query.sport().map_err(bad)?,
            mac: query.mac().map_err(bad)?,
            user: query.user().map_err(bad)?,
        },
    })
}

fn meant(from: Option<&str>, words: &mut Vec<String>) -> anyhow::Result<(Source, Target)> {
    let source = Source::parse(from, words)?;
    Ok((source, Target::parse(words)?))
}
