//! Why an event is ignored.

use crate::event::{self, Subject};

words! {
    /// Why an event is ignored. Its invocation succeeds.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    pub enum Ignored, reason of reasons {
        /// A write of a machine, while machine events are off.
        #[error("a write of {0}, and DISKSEAL_MACHINE_EVENTS is off")]
        MachineEventsOff(Subject) => "machine_events_off",
        /// A grant of access to a disk or snapshot, while such events are off.
        #[error("a grant of access to {0}, and DISKSEAL_GRANTS is off")]
        GrantsOff(Subject) => "grants_off",
        /// Diskseal's own write: a look would find what was just written.
        #[error("our own write of {0}")]
        Echo(Subject) => "echo",
    } + {
        /// Not a write of a disk, snapshot or machine.
        #[error(transparent)]
        Event(#[from] event::Ignored),
    }
}
