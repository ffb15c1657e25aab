//! Headings of Markdown files, and the length of the one that has a limit.

use super::Breach;
use super::tree::Tree;

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const ARCHITECTURE_CAP: usize = 150;

/// Files that do not open with their one title, and headings that skip a level.
pub(super) fn headings(tree: &Tree) -> Vec<Breach> {
    tree.with_ending(".md")
        .flat_map(|(path, text)| {
            let breach = |(line, what): (usize, &str)| Breach::new(path, line, what);
            faults(text).into_iter().map(breach).collect::<Vec<_>>()
        })
        .collect()
}

fn faults(text: &str) -> Vec<(usize, &'static str)> {
    let (prose, open_fence) = prose(text);
    let mut found = Vec::new();
    let mut above = 0;
    for (line, text) in prose {
        let level = level(text);
        if above == 0 && level != 1 && !text.is_empty() {
            return vec![(line, "does not open with a title")];
        }
        if level == 1 && above > 0 {
            found.push((line, "a second title"));
        } else if level > above + 1 {
            found.push((line, "a heading skips a level"));
        }
        above = if level > 0 { level } else { above };
    }
    found.extend(open_fence.map(|line| (line, "a block that is never closed")));
    found
}

/// The lines outside of fenced blocks, and where a block opens that never closes.
fn prose(text: &str) -> (Vec<(usize, &str)>, Option<usize>) {
    let mut outside = Vec::new();
    let mut open: Option<(usize, &str)> = None;
    for (index, line) in text.lines().enumerate() {
        let marks = fence(line);
        match open {
            Some((_, opening)) if marks.starts_with(opening) && line.trim() == marks => open = None,
            Some(_) => {}
            None if marks.is_empty() => outside.push((index + 1, line)),
            None => open = Some((index + 1, marks)),
        }
    }
    (outside, open.map(|(line, _)| line))
}

/// The marks that open or close a block: three or more of one kind.
fn fence(line: &str) -> &str {
    let line = line.trim_start();
    let mark = if line.starts_with('~') { '~' } else { '`' };
    let marks = line.len() - line.trim_start_matches(mark).len();
    if marks >= 3 { &line[..marks] } else { "" }
}

/// The level of the heading on `line`; 0 if there is none.
fn level(line: &str) -> usize {
    let text = line.trim_start_matches('#');
    if text.starts_with(' ') {
        line.len() - text.len()
    } else {
        0
    }
}

/// The picture of the whole: there, and short enough to be read.
pub(super) fn architecture(tree: &Tree) -> Vec<Breach> {
    let length = tree.text(ARCHITECTURE).lines().count();
    let what = match length {
        0 => "is missing".to_owned(),
        1..=ARCHITECTURE_CAP => return Vec::new(),
        _ => format!("{length} lines, the cap is {ARCHITECTURE_CAP}"),
    };
    vec![Breach::new(ARCHITECTURE, 1, what)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_go_down_one_at_a_time() {
        assert_eq!(faults("# A\n\n## B\n### C\n## D\n#no heading\n"), []);
        assert_eq!(faults("# A\n### C\n"), [(2, "a heading skips a level")]);
    }

    #[test]
    fn a_file_has_one_title_and_opens_with_it() {
        assert_eq!(faults("## A\n"), [(1, "does not open with a title")]);
        assert_eq!(faults("\nText.\n"), [(2, "does not open with a title")]);
        assert_eq!(faults("# A\n# B\n"), [(2, "a second title")]);
    }

    #[test]
    fn blocks_hold_no_headings() {
        let text = "# A\n````markdown\n# B\n```sh\n# C\n```\n````\n";
        assert_eq!(faults(text), []);
    }

    #[test]
    fn a_block_is_closed() {
        let found = faults("# A\n```sh\n# C\n");
        assert_eq!(found, [(2, "a block that is never closed")]);
    }

    #[test]
    fn the_architecture_is_short() {
        let long = "x\n".repeat(ARCHITECTURE_CAP + 1);
        let found = architecture(&Tree::from([(ARCHITECTURE, &*long)]));
        let expected = Breach::new(ARCHITECTURE, 1, "151 lines, the cap is 150");
        assert_eq!(found, [expected]);
        let short = "x\n".repeat(ARCHITECTURE_CAP);
        assert_eq!(architecture(&Tree::from([(ARCHITECTURE, &*short)])), []);
    }
}
