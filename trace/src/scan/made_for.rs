//! Whether a connection ended by a rule that was made for its port.

use crate::answer::{Did, Outcome, RuleRef, Step};
use crate::explore::Tracer;
use crate::index;
use crate::question::Question;

/// Whether the rule that ended a connection or led it away asks for the port that the client
/// connected to, by itself or by a set, or stands in a chain that a rule for it leads to.
pub(super) fn port(tracer: &mut Tracer<'_>, question: &Question, outcome: &Outcome) -> bool {
    let steps = &outcome.steps[..outcome.request];
    let decides = |step: &Step| matches!(step.did, Did::Drop | Did::Reject(_) | Did::Queue);
    let leads_away = |step: &Step| matches!(step.did, Did::Dnat { .. });
    let last = steps.iter().rposition(decides);
    let Some(last) = last.or_else(|| steps.iter().rposition(leads_away)) else {
        return false;
    };
    callers(tracer, &steps[..=last]).iter().any(|at| {
        let rules = tracer.rules(question, at);
        let found = rules.rules.iter().find(|rule| Some(rule.index) == at.rule);
        found.is_some_and(|rule| index::names_port(rule, question.to.port))
    })
}

/// The rule of the last step, and those whose calls had not returned there.
fn callers(tracer: &Tracer<'_>, steps: &[Step]) -> Vec<RuleRef> {
    let mut open: Vec<(&RuleRef, &str)> = Vec::new();
    for step in steps {
        let Some(at) = &step.rule else {
            open.clear();
            continue;
        };
        let name = &tracer.host().ruleset.tables[at.table].chains[at.chain].name;
        while let Some((caller, called)) = open.last()
            && (caller.table != at.table || called != name)
        {
            let _ = open.pop();
        }
        // A rule that calls nothing is left by the next, whatever that is.
        let called = match &step.did {
            Did::Jump { chain } | Did::Goto { chain } => chain,
            _ => "",
        };
        open.push((at, called));
    }
    open.into_iter().map(|(at, _)| at.clone()).collect()
}
