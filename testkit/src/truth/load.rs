//! Gives the node of a world the random part of a host.

use super::spec::HostSpec;
use crate::world::{World, WorldError, run};

impl World {
    /// Gives the node its addresses, routes, settings and rules. The calling thread is in the
    /// node before and after.
    ///
    /// # Errors
    /// Where a program refuses its input: the generator wrote what may not be.
    pub fn configure(&self, spec: &HostSpec) -> Result<(), WorldError> {
        self.set_up(&spec.sysctls, &spec.ip)?;
        if !spec.ipsets.is_empty() {
            run(&["ipset", "restore"], &spec.ipset_text())?;
        }
        for load in &spec.loads {
            if !load.tables.is_empty() {
                run(load.tool.restore(), &load.text())?;
            }
        }
        Ok(())
    }
}
