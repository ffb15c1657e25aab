//! The cases that need no privilege: each question of `cases/*.md` is asked of the host that
//! its blocks describe, and has to make the story that is written there.
//!
//! `UPDATE_CASES=1` rewrites the stories.

use testkit::case::{Case, Folder};

#[test]
fn every_case_makes_the_story_written_in_it() {
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let has_all = |case: &Case| !case.needs_kernel();
    let differences = Folder::of_project().check(update, has_all, Case::tell);
    assert!(differences.is_empty(), "{differences}");
}
