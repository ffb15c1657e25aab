//! The commands, one file each.

pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod page;
pub(crate) mod scan;
pub(crate) mod schema;
pub(crate) mod snapshot;
pub(crate) mod why;
