//! The Markdown of a case file: its blocks, and which of them belong to which question.

use super::CaseError;

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Rules of IPv4.
    Iptables,
    /// Rules of IPv6.
    Ip6tables,
    /// Legacy rules of IPv4, where they stand beside others.
    LegacyIptables,
    /// Legacy rules of IPv6, where they stand beside others.
    LegacyIp6tables,
    /// Native rules.
    Nft,
    /// Sockets as `ss` prints them.
    Ss,
    /// Listeners in short form.
    Listen,
    /// Addresses in short form.
    Addresses,
    /// Routes.
    Routes,
    /// Routing rules.
    IpRules,
    /// Kernel settings.
    Sysctls,
    /// What takes packets past the rules: `KIND: WHAT`, or `KIND on DEVICE: WHAT`.
    Bypasses,
    /// Objects of the cluster.
    Manifests,
}

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The line of its opening fence, from 1.
    pub line: usize,
    /// Its content; every line ends with a line feed.
    pub text: String,
}

/// One question about a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The heading above it.
    pub title: String,
    /// What the host is made of, in the order of the file.
    pub inputs: Vec<(Kind, Block)>,
    /// The question.
    pub ask: Block,
    /// The story expected; absent where none was written yet.
    pub story: Option<Block>,
}

impl Case {
    /// The blocks of a kind.
    pub fn blocks(&self, kind: Kind) -> impl Iterator<Item = &Block> {
        let of_kind = self.inputs.iter().filter(move |(known, _)| *known == kind);
        of_kind.map(|(_, block)| block)
    }

    /// Whether rules have to be loaded into a kernel before they can be read.
    pub fn needs_kernel(&self) -> bool {
        self.blocks(Kind::Nft).next().is_some()
    }
}

/// A case file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFile {
    /// The whole text.
    pub text: String,
    /// Its questions.
    pub cases: Vec<Case>,
}

impl CaseFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Where a block is of no known kind, is never closed, or is a story that nobody asked for.
    pub fn parse(text: &str) -> Result<Self, CaseError> {
        let mut reader = Reader::default();
        let mut lines = (1..).zip(text.lines());
        while let Some((number, line)) = lines.next() {
            if let Some(heading) = line.strip_prefix("## ") {
                reader.section(heading);
            } else if let Some(heading) = line.strip_prefix("# ") {
                heading.clone_into(&mut reader.title);
            }
            let Some(name) = line.strip_prefix("```") else {
                continue;
            };
            let mut text = String::new();
            loop {
                match lines.next() {
                    Some((_, "```")) => break,
                    Some((_, line)) => {
                        text.push_str(line);
                        text.push('\n');
                    }
                    None => return Err(CaseError::at(number, "this block is never closed")),
                }
            }
            reader.block(name, Block { line: number, text })?;
        }
        Ok(Self {
            text: text.to_owned(),
            cases: reader.cases,
        })
    }

    /// The text with these stories in place of its own, one for each case; a case without one
    /// stays as it is.
    pub fn with_stories(&self, stories: &[Option<String>]) -> String {
        let mut lines: Vec<String> = self.text.lines().map(str::to_owned).collect();
        for (case, story) in self.cases.iter().zip(stories).rev() {
            let Some(story) = story else { continue };
            let told = story.lines().map(str::to_owned);
            if let Some(old) = &case.story {
                let end = old.line + old.text.lines().count();
                lines.splice(old.line..end, told);
            } else {
                let end = case.ask.line + case.ask.text.lines().count() + 1;
                let fence = |text: &str| std::iter::once(text.to_owned());
                let block = [String::new(), "```story".to_owned()].into_iter();
                lines.splice(end..end, block.chain(told).chain(fence("```")));
            }
        }
        lines.join("\n") + "\n"
    }
}

/// What was read so far.
#[derive(Debug, Default)]
struct Reader {
    title: String,
    /// Blocks above the first section, which hold for all.
    shared: Option<Vec<(Kind, Block)>>,
    inputs: Vec<(Kind, Block)>,
    /// Kinds whose next block takes the place of those before.
    settled: Vec<Kind>,
    cases: Vec<Case>,
}

impl Reader {
    fn section(&mut self, heading: &str) {
        heading.clone_into(&mut self.title);
        let shared = self.shared.get_or_insert_with(|| self.inputs.clone());
        self.inputs.clone_from(shared);
        self.settle();
    }

    fn settle(&mut self) {
        self.settled = self.inputs.iter().map(|(kind, _)| *kind).collect();
    }

    fn block(&mut self, name: &str, block: Block) -> Result<(), CaseError> {
        match name {
            "ask" => {
                self.settle();
                self.cases.push(Case {
                    title: self.title.clone(),
                    inputs: self.inputs.clone(),
                    ask: block,
                    story: None,
                });
            }
            "story" => {
                let unasked = CaseError::at(block.line, "nobody asked for this story");
                let case = self.cases.last_mut().filter(|case| case.story.is_none());
                case.ok_or(unasked)?.story = Some(block);
            }
            "text" | "sh" => {}
            _ => {
                let unknown = || CaseError::at(block.line, format!("`{name}` is no kind of block"));
                let kind = kind_of(name).ok_or_else(unknown)?;
                if self.settled.contains(&kind) {
                    self.settled.retain(|known| *known != kind);
                    self.inputs.retain(|(known, _)| *known != kind);
                }
                self.inputs.push((kind, block));
            }
        }
        Ok(())
    }
}

fn kind_of(name: &str) -> Option<Kind> {
    Some(match name {
        "iptables-save" => Kind::Iptables,
        "ip6tables-save" => Kind::Ip6tables,
        "iptables-legacy-save" => Kind::LegacyIptables,
        "ip6tables-legacy-save" => Kind::LegacyIp6tables,
        "nft" => Kind::Nft,
        "ss" => Kind::Ss,
        "listen" => Kind::Listen,
        "addresses" => Kind::Addresses,
        "routes" => Kind::Routes,
        "ip-rules" => Kind::IpRules,
        "sysctls" => Kind::Sysctls,
        "bypasses" => Kind::Bypasses,
        "manifests" => Kind::Manifests,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Title

```listen
tcp/0.0.0.0:1
```

```ask
why 192.0.2.1:1
```

## Other

```listen
tcp/0.0.0.0:2
```

```ask
why 192.0.2.1:2
```

```story
old
```
";

    fn listens(case: &Case) -> Vec<&str> {
        case.blocks(Kind::Listen)
            .map(|block| block.text.trim())
            .collect()
    }

    #[test]
    fn a_section_keeps_what_stands_above_all_and_may_replace_it() {
        let file = CaseFile::parse(TEXT).unwrap();
        assert_eq!(listens(&file.cases[0]), ["tcp/0.0.0.0:1"]);
        assert_eq!(listens(&file.cases[1]), ["tcp/0.0.0.0:2"]);
        assert_eq!(file.cases[1].title, "Other");
    }

    #[test]
    fn blocks_of_a_kind_add_up_until_the_question() {
        let more = "```listen\na\n```\n```listen\nb\n```\n```ask\nwhy\n```\n\
                    ```listen\nc\n```\n```ask\nwhy\n```\n";
        let file = CaseFile::parse(more).unwrap();
        assert_eq!(listens(&file.cases[0]), ["a", "b"]);
        assert_eq!(listens(&file.cases[1]), ["c"]);
    }

    #[test]
    fn only_stories_are_rewritten_and_missing_ones_are_added() {
        let file = CaseFile::parse(TEXT).unwrap();
        let told = file.with_stories(&["one\n", "two\nlines\n"].map(|text| Some(text.to_owned())));
        let added = TEXT.replace("1:1\n```\n", "1:1\n```\n\n```story\none\n```\n");
        assert_eq!(told, added.replace("old", "two\nlines"));
    }

    #[test]
    fn a_block_of_no_kind_is_an_error() {
        let error = CaseFile::parse("# A\n```iptable-save\n```\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: `iptable-save` is no kind of block"
        );
    }
}
