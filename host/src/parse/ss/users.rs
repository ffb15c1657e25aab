//! `users:(("NAME",pid=1,fd=3),…)`, whatever the processes call themselves.

/// Names and process ids, and the text behind them. Text before `users:` is skipped.
///
/// A process chooses its name: quotes, blanks and parentheses in it mean nothing. An entry
/// ends at the first `)` that stands behind a process id and a descriptor.
pub(super) fn users(text: &str) -> (Vec<(&str, u32)>, &str) {
    let mut found = Vec::new();
    let Some(at) = text.find("users:((\"") else {
        return (found, text);
    };
    let mut rest = &text[at + "users:(".len()..];
    while let Some(entry) = rest.strip_prefix("(\"") {
        let ends = entry.match_indices(')').map(|(end, _)| end);
        let whole = ends.filter_map(|end| user(&entry[..end]).map(|user| (user, end)));
        let Some((user, end)) = whole.into_iter().next() else {
            break;
        };
        found.push(user);
        rest = &entry[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    (found, rest)
}

/// `NAME",pid=1,fd=3`, with a security context between the two or, before version 4,
/// without their names.
fn user(entry: &str) -> Option<(&str, u32)> {
    let (front, fd) = entry.rsplit_once(',')?;
    number(fd.strip_prefix("fd=").unwrap_or(fd))?;
    let front = match front.rsplit_once(",proc_ctx=") {
        Some((front, _)) => front,
        None => front,
    };
    let (name, pid) = front.rsplit_once("\",")?;
    let pid = number(pid.strip_prefix("pid=").unwrap_or(pid))?;
    Some((name, pid))
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}
