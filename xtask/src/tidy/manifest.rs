//! Just enough of TOML for our own manifests and lists: tables of one-line entries.

/// `key = value` in `[section]`. Quotes around the key and a plain value are taken off.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) line: usize,
    pub(super) section: &'a str,
    pub(super) key: &'a str,
    pub(super) value: &'a str,
}

/// The entries of `text`, in order. Lines that only continue a value are left out.
pub(super) fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut section = "";
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = header(line) {
            section = name;
        } else if let Some((key, value)) = line.split_once('=')
            && !line.starts_with(['#', '{'])
        {
            found.push(Entry {
                line: index + 1,
                section,
                key: key.trim().trim_matches('"'),
                value: value.trim().trim_matches('"'),
            });
        }
    }
    found
}

fn header(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.strip_suffix(']')
}

/// A crate that another one asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dependency<'a> {
    pub(super) line: usize,
    pub(super) name: &'a str,
    /// Whether only tests see it.
    pub(super) dev: bool,
}

/// What the manifest `text` asks for, of every kind and for every target.
pub(super) fn dependencies(text: &str) -> Vec<Dependency<'_>> {
    let mut found: Vec<Dependency<'_>> = Vec::new();
    for entry in entries(text) {
        // `[dependencies]` with one entry a crate, or `[dependencies.NAME]` for one crate.
        let (table, name) = match entry.section.rsplit_once("dependencies") {
            Some((kind, "")) => (kind, entry.key.split('.').next().unwrap_or_default()),
            Some((kind, name)) => (kind, name.trim_start_matches('.')),
            None => continue,
        };
        let dependency = Dependency {
            line: entry.line,
            name,
            dev: table.ends_with("dev-"),
        };
        if found.last().is_none_or(|last| last.name != name) {
            found.push(dependency);
        }
    }
    found
}

/// The members of the workspace manifest `text`, in order, with their lines.
pub(super) fn members(text: &str) -> Vec<(usize, &str)> {
    let lines = (1..).zip(text.lines());
    lines
        .skip_while(|(_, line)| !line.starts_with("members"))
        .skip(1)
        .take_while(|(_, line)| !line.starts_with(']'))
        .filter_map(|(number, line)| Some((number, line.split('"').nth(1)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_knows_its_section() {
        let expected = Entry {
            line: 3,
            section: "lines",
            key: "a/b.rs",
            value: "a table",
        };
        let text = "# about x = y\n[lines]\n\"a/b.rs\" = \"a table\"";
        assert_eq!(entries(text), [expected]);
    }

    #[test]
    fn dependencies_of_every_form_are_seen() {
        let text = "[package]\nname = \"x\"\n[dependencies]\nnet.workspace = true\n\
            [dependencies.host]\npath = \"p\"\nfeatures = []\n\
            [target.'cfg(unix)'.dev-dependencies]\nlibc = { version = \"1\" }";
        let found: Vec<_> = dependencies(text)
            .into_iter()
            .map(|dependency| (dependency.line, dependency.name, dependency.dev))
            .collect();
        let expected = [(4, "net", false), (6, "host", false), (9, "libc", true)];
        assert_eq!(found, expected);
    }

    #[test]
    fn members_keep_their_order() {
        let text = "[workspace]\nmembers = [\n    \"net\",\n    \"host\",\n]\n[x]\ny = \"z\"";
        assert_eq!(members(text), [(3, "net"), (4, "host")]);
    }
}
