//! Replays the corpus through every target, as it is and with a fixed number of changes.

#![expect(
    clippy::unwrap_used,
    reason = "a test helper that fails fails its test"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, panic};

use fuzz::mutate::{Chance, mutate};
use fuzz::{TARGETS, Target, seeds};

/// Changed inputs that readers and decoders are given, each of which takes microseconds.
const CHANGED: usize = 200;

/// Changed inputs that go the whole way to a story.
const CHANGED_WAYS: usize = 15;

/// The largest corpus that a clone should have to carry.
const MOST_FILES: usize = 400;
const MOST_BYTES: u64 = 2 << 20;

fn corpus() -> impl Iterator<Item = (String, Vec<fs::DirEntry>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    fs::read_dir(root).unwrap().map(|folder| {
        let folder = folder.unwrap();
        let name = folder.file_name().into_string().unwrap();
        let files = fs::read_dir(folder.path()).unwrap();
        (name, files.map(Result::unwrap).collect())
    })
}

#[test]
fn every_target_has_a_folder_of_the_corpus_and_every_folder_a_target() {
    let folders: BTreeSet<String> = corpus().map(|(name, _)| name).collect();
    let targets = TARGETS.iter().map(|target| target.name.to_owned());
    assert_eq!(folders, targets.collect());
}

#[test]
fn the_corpus_stays_small() {
    let files: Vec<fs::DirEntry> = corpus().flat_map(|(_, files)| files).collect();
    let bytes: u64 = files
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert!(files.len() <= MOST_FILES, "{} files", files.len());
    assert!(bytes <= MOST_BYTES, "{bytes} bytes");
}

#[test]
fn no_reader_breaks_on_its_corpus_or_on_changes_to_it() {
    replay(CHANGED, |name| !name.starts_with("way-"));
}

#[test]
fn no_way_to_a_story_breaks_on_its_corpus_or_on_changes_to_it() {
    replay(CHANGED_WAYS, |name| name.starts_with("way-"));
}

fn replay(changed: usize, is_wanted: impl Fn(&str) -> bool) {
    for target in TARGETS.iter().filter(|target| is_wanted(target.name)) {
        let inputs = seeds::of(target.name).unwrap();
        assert!(!inputs.is_empty(), "{} starts from nothing", target.name);
        for input in &inputs {
            run(target, input);
        }
        let mut chance = Chance::new(7);
        for _ in 0..changed {
            let [one, other] = [0, 0].map(|_| &inputs[chance.below(inputs.len())]);
            run(target, &mutate(one, other, &mut chance));
        }
    }
}

/// Runs a target; what breaks it is kept where `cargo xtask fuzz` keeps it.
fn run(target: &Target, input: &[u8]) {
    if panic::catch_unwind(|| (target.run)(input)).is_ok() {
        return;
    }
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz/found");
    let folder = found.join(target.name);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("replayed");
    fs::write(&path, input).unwrap();
    panic!("{} breaks on {}", target.name, path.display());
}
