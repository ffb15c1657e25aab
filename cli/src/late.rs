//! A progress bar for work that may be over before anybody wonders.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::live;

/// How long work may take before it tells how far it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// A progress bar on stderr, for work that takes longer than people wait without a word.
pub(crate) struct Late(ProgressBar);

impl Late {
    /// `what` is done, as in `asking about listeners`.
    pub(crate) fn new(what: &'static str) -> Self {
        let bar = ProgressBar::hidden().with_style(live::style());
        Self(bar.with_message(what))
    }

    pub(crate) fn show(&self, done: usize, all: usize) {
        if self.0.is_hidden() && self.0.elapsed() > PATIENCE {
            self.0.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.0.set_length(all as u64);
        self.0.set_position(done as u64);
    }

    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}
