//! Rules from several files: saves of iptables and listings of nft, put side by side.

use std::path::PathBuf;

use host::parse;
use host::{GapKind, Language, Table, TableFamily};
use net::Family;

use super::{Desk, content, input, name};

/// Reads the files. Tables of a save headed `(nf_tables)` take the place of the same tables
/// in a listing of nft, which shows them with less.
pub(super) fn read(desk: &mut Desk, paths: &[PathBuf]) -> anyhow::Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    desk.host.ruleset = host::Ruleset::default();
    desk.forget(GapKind::Rules);
    let mut saved = Vec::new();
    for path in paths {
        let bytes = content(path)?;
        let (tables, save, problems) = parse::iptables_save(input(&name(path), &bytes));
        desk.host.gaps.extend(save.gaps);
        desk.problems.extend(problems);
        let given = &mut desk.host.given;
        match save.family {
            Some(Family::V4) => given.rules_v4 = true,
            Some(Family::V6) => given.rules_v6 = true,
            None => (given.rules_v4, given.rules_v6) = (true, true),
        }
        saved.extend(tables);
    }
    desk.host.ruleset.tables = ordered(saved, Vec::new());
    Ok(())
}

/// Legacy tables first, then those of nftables; a listed table that was saved as well is left
/// out.
fn ordered(saved: Vec<Table>, listed: Vec<Table>) -> Vec<Table> {
    let key = |table: &Table| (table.family, table.name.clone());
    let replaced: Vec<(TableFamily, String)> = saved
        .iter()
        .filter(|table| table.language == Language::Nft)
        .map(key)
        .collect();
    let listed = listed
        .into_iter()
        .filter(|table| !replaced.contains(&key(table)));
    let mut tables: Vec<Table> = saved.into_iter().chain(listed).collect();
    tables.sort_by_key(|table| table.language);
    tables
}
