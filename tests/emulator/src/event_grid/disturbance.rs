//! What becomes of the events of one resource on their way to Event Grid. Azure promises neither: the source may raise an
//! event late or not at all ("Azure Event Grid message delivery and retry", which begins with the published event).

use std::time::Duration;

use time::OffsetDateTime;

use crate::write::ResourceWrite;

/// A disturbance of all events of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// They never come.
    Lost,
    /// They come this long after their write, by the clock of the event: it names an earlier time, and nobody waits.
    Late(Duration),
}

impl Disturbance {
    /// The write that the event names; none if there is no event.
    pub(super) fn of(&self, write: &ResourceWrite) -> Option<ResourceWrite> {
        match self {
            Self::Lost => None,
            Self::Late(by) => Some(ResourceWrite { at: earlier(write.at, *by), ..write.clone() }),
        }
    }
}

fn earlier(at: OffsetDateTime, by: Duration) -> OffsetDateTime {
    time::Duration::try_from(by).ok().and_then(|by| at.checked_sub(by)).unwrap_or(at)
}
