//! Where the programs lie, and what they read and write.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Where the programs and what they read and write lie.
pub(super) struct Places {
    pub(super) berth: PathBuf,
    pub(super) rules: PathBuf,
    /// Rules for few Services, and for many.
    pub(super) small: PathBuf,
    pub(super) large: PathBuf,
    /// One listener, and many.
    pub(super) one: PathBuf,
    pub(super) many: PathBuf,
    /// Connections to all of the many.
    pub(super) tracked: PathBuf,
    pub(super) snapshot: PathBuf,
    /// What a program that failed had to say.
    pub(super) stderr: PathBuf,
}

impl Places {
    /// All places are in the folder that cargo builds into, which is where this program lies.
    pub(super) fn of(root: &Path) -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("where is xtask itself?")?;
        let built = this.ancestors().nth(2).unwrap_or(root);
        let folder = built.join("bench");
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Self {
            berth: built.join("release/berth"),
            rules: folder.join("rules"),
            small: folder.join("small"),
            large: folder.join("large"),
            one: folder.join("one"),
            many: folder.join("many"),
            tracked: folder.join("tracked"),
            snapshot: folder.join("snapshot"),
            stderr: folder.join("stderr"),
        })
    }

    /// The words of `command` with paths in their places.
    pub(super) fn words(&self, command: &str) -> Vec<PathBuf> {
        command
            .split(' ')
            .map(|word| match word {
                "{berth}" => self.berth.clone(),
                "{rules}" => self.rules.clone(),
                "{small}" => self.small.clone(),
                "{large}" => self.large.clone(),
                "{one}" => self.one.clone(),
                "{many}" => self.many.clone(),
                "{tracked}" => self.tracked.clone(),
                "{snapshot}" => self.snapshot.clone(),
                _ => PathBuf::from(word),
            })
            .collect()
    }
}
