//! Hands one target to the engine: the last word of the command line names it.
#![no_main]

use std::env;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

static RUN: OnceLock<fn(&[u8])> = OnceLock::new();

fuzz_target!(
    init: {
        let name = env::args().next_back().unwrap_or_default();
        let target = fuzz::find(&name).expect("the last word names a target");
        let _ = RUN.set(target.run);
    },
    |bytes: &[u8]| {
        if let Some(run) = RUN.get() {
            run(bytes);
        }
    }
);
