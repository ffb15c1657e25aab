//! `berth explain`: what is known of a kind of finding.

use anyhow::bail;

use crate::args::ExplainArgs;
use crate::out;

/// Explains one code, or lists them all.
pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<u8> {
    let docs = trace::FINDINGS;
    let Some(code) = &args.code else {
        out::print(&story::explain::list(docs))?;
        return Ok(0);
    };
    let code = code.trim_matches(['[', ']']);
    if let Some(doc) = docs.iter().find(|doc| doc.code == code) {
        out::print(&story::explain::render(doc))?;
        return Ok(0);
    }
    match story::explain::nearest(docs, code) {
        Some(near) => bail!("explain: there is no finding `{code}`: did you mean `{near}`?"),
        None => bail!("explain: there is no finding `{code}`: `berth explain` lists them all"),
    }
}
