//! Rules from several files: saves of iptables and listings of nft, put side by side.

use std::path::{Path, PathBuf};

use anyhow::bail;
use host::parse::{self, Input, Kind, Problem};
use host::{GapKind, Language, Ruleset, Table, TableFamily};
use net::Family;

use super::{Desk, content, text};

/// Reads the files. Tables of a save headed `(nf_tables)` take the place of the same tables
/// in a listing of nft, which shows less of them.
pub(super) fn read(desk: &mut Desk, paths: &[PathBuf]) -> anyhow::Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    desk.host.ruleset = Ruleset::default();
    desk.forget(GapKind::Rules);
    let mut rules = Rules::default();
    for path in paths {
        rules.file(desk, path)?;
    }
    rules.place(desk);
    Ok(())
}

/// Tables by where they were read.
#[derive(Default)]
struct Rules {
    saved: Vec<Table>,
    listed: Vec<Listed>,
    /// What was wrong with listings, with the table that it was in where that is known.
    problems: Vec<(Option<(TableFamily, String)>, Problem)>,
    legacy_beside: Vec<host::Gap>,
}

/// A table, and the listing it was in.
struct Listed {
    file: String,
    table: Table,
}

impl Listed {
    /// Whether iptables-nft made the table: a listing shows its rules translated, at times
    /// wrongly, and loses options of theirs.
    fn is_of_iptables(&self) -> bool {
        let table = &self.table;
        let is_named = ["raw", "mangle", "nat", "filter", "security"].contains(&&*table.name);
        let mut bases = table.chains.iter().filter(|chain| chain.base.is_some());
        let is_shouted = |name: &str| name.bytes().all(|b| b.is_ascii_uppercase());
        let has_one = bases.any(|chain| is_shouted(&chain.name));
        matches!(table.family, TableFamily::Ip | TableFamily::Ip6) && is_named && has_one
    }
}

impl Rules {
    fn file(&mut self, desk: &mut Desk, path: &Path) -> anyhow::Result<()> {
        let bytes = text::utf8(content(path)?);
        let name = path.display().to_string();
        let input = Input {
            name: &name,
            text: &bytes,
        };
        if let Some(problem) = text::empty(input) {
            // No rules at all, or no right to read them: as if the file were not given.
            let what = "file is empty, as iptables-save leaves it where there are no rules and \
                        where it fails: taken for neither";
            let what = what.to_owned();
            let lost = false;
            desk.add_problems(
                GapKind::Rules,
                [Problem {
                    what,
                    lost,
                    ..problem
                }],
            );
            return Ok(());
        }
        match parse::kind(&bytes) {
            Kind::IptablesSave => self.save(desk, input),
            Kind::NftText => self.listing(desk, input, parse::nft_list(input)),
            Kind::NftJson => self.listing(desk, input, parse::nft_json(input)),
            Kind::Snapshot => bail!("cannot read {name} as rules: give it as --snapshot"),
            Kind::Ss => bail!("cannot read {name} as rules: give it as --sockets"),
            Kind::Unknown => bail!(
                "cannot read {name} as rules: it is neither of iptables-save nor of nft list \
                 ruleset"
            ),
        }
        Ok(())
    }

    fn save(&mut self, desk: &mut Desk, input: Input<'_>) {
        let (tables, save, problems) = parse::iptables_save(input);
        desk.host.gaps.extend(save.gaps);
        desk.add_problems(GapKind::Rules, problems);
        self.legacy_beside.extend(save.legacy_beside);
        let given = &mut desk.host.given;
        match save.family {
            Some(Family::V4) => given.rules_v4 = true,
            Some(Family::V6) => given.rules_v6 = true,
            None => (given.rules_v4, given.rules_v6) = (true, true),
        }
        for table in tables {
            self.add(desk, input.name, table);
        }
    }

    fn listing(
        &mut self,
        desk: &mut Desk,
        input: Input<'_>,
        (tables, problems): (Vec<Table>, Vec<Problem>),
    ) {
        let text = String::from_utf8_lossy(input.text);
        let placed = problems
            .into_iter()
            .map(|problem| (table_at(&text, &tables, problem.line), problem));
        self.problems.extend(placed);
        let given = &mut desk.host.given;
        (given.rules_v4, given.rules_v6) = (true, true);
        self.listed.extend(tables.into_iter().map(|table| Listed {
            file: input.name.to_owned(),
            table,
        }));
    }

    /// Adds a table. A kernel has one of each name, so of two that differ one is of another
    /// host or another time.
    fn add(&mut self, desk: &mut Desk, file: &str, table: Table) {
        let is_same = |known: &&Table| {
            known.family == table.family
                && known.name == table.name
                && known.language == table.language
        };
        match self.saved.iter().find(is_same) {
            None => self.saved.push(table),
            Some(known) if *known == table => {}
            Some(_) => {
                let (family, name) = (family_word(table.family), &table.name);
                let what = format!(
                    "table {name} of {family} was in a file before this and was not taken: give \
                     only one of the two"
                );
                let problem = Problem {
                    file: file.to_owned(),
                    line: 0,
                    text: String::new(),
                    what,
                    lost: true,
                };
                desk.add_problems(GapKind::Rules, [problem]);
            }
        }
    }

    /// Puts all tables into the host: legacy ones first, then those of nftables.
    fn place(self, desk: &mut Desk) {
        let key = |table: &Table| (table.family, table.name.clone());
        let saved = self.saved.iter();
        let replaced: Vec<(TableFamily, String)> = saved
            .filter(|table| table.language == Language::Nft)
            .map(key)
            .collect();
        let problems = self.problems.into_iter();
        let left = problems
            .filter(|(table, _)| table.as_ref().is_none_or(|table| !replaced.contains(table)));
        desk.add_problems(GapKind::Rules, left.map(|(_, problem)| problem));
        let has_legacy = self.saved.iter().any(|t| t.language == Language::Legacy);
        if !has_legacy {
            desk.host.gaps.extend(self.legacy_beside);
        }
        let listed = self.listed.into_iter();
        let listed: Vec<Listed> = listed
            .filter(|listed| !replaced.contains(&key(&listed.table)))
            .collect();
        for listed in listed.iter().filter(|listed| listed.is_of_iptables()) {
            let (save, name) = match listed.table.family {
                TableFamily::Ip6 => ("ip6tables-save", &listed.table.name),
                _ => ("iptables-save", &listed.table.name),
            };
            let what = format!(
                "table {name} is of iptables-nft, whose rules a listing of nft shows wrongly: give \
                 the output of {save} as well"
            );
            let problem = Problem {
                file: listed.file.clone(),
                line: 0,
                text: String::new(),
                what,
                lost: true,
            };
            desk.add_problems(GapKind::Rules, [problem]);
        }
        let listed = listed.into_iter().map(|listed| listed.table);
        let tables = &mut desk.host.ruleset.tables;
        tables.extend(self.saved.into_iter().chain(listed));
        tables.sort_by_key(|table| table.language);
    }
}

/// The table that a line of a listing stands in, by the last heading before it.
fn table_at(text: &str, tables: &[Table], line: usize) -> Option<(TableFamily, String)> {
    let before = text.lines().take(line);
    let heading = before
        .filter_map(|line| line.strip_prefix("table "))
        .last()?;
    let mut words = heading.split_whitespace();
    let (family, name) = (words.next()?, words.next()?);
    let mut known = tables.iter();
    let table = known.find(|table| table.name == name && table.family.to_string() == family)?;
    Some((table.family, table.name.clone()))
}

fn family_word(family: TableFamily) -> &'static str {
    if family == TableFamily::Ip6 {
        "IPv6"
    } else {
        "IPv4"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(language: Language, chains: usize) -> Table {
        let chain = host::Chain {
            name: "INPUT".to_owned(),
            base: None,
            handle: None,
            comment: None,
            rules: Vec::new(),
        };
        Table {
            family: TableFamily::Ip,
            name: "filter".to_owned(),
            language,
            handle: None,
            dormant: false,
            comment: None,
            chains: vec![chain; chains],
            sets: Vec::new(),
            objects: Vec::new(),
        }
    }

    #[test]
    fn a_saved_table_replaces_the_listed_one_and_stands_beside_a_legacy_one() {
        let rules = Rules {
            saved: vec![table(Language::Nft, 2), table(Language::Legacy, 3)],
            listed: vec![Listed {
                file: String::new(),
                table: table(Language::Nft, 1),
            }],
            ..Rules::default()
        };
        let mut desk = Desk::default();
        rules.place(&mut desk);
        let tables = desk.host.ruleset.tables.iter();
        let chains: Vec<_> = tables.map(|table| table.chains.len()).collect();
        assert_eq!(chains, [3, 2]);
    }
}
