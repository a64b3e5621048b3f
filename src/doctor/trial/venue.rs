//! What a trial creates, and where; and how its waits end early.

use std::{future::Future, time::Duration};

use tokio::sync::watch::Receiver;

use crate::{
    azure::Terms,
    policy::{Mode, Policy},
    resource_id::ResourceId,
};

/// How many times somebody has wished to stop: the first ends the waits and deletes the group, the second ends the wait
/// for the deletion.
pub type Stop = Receiver<u8>;

/// The timeout of each request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(25);

/// What to create, and where to look.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The subscription of the group.
    pub subscription_id: String,
    /// Where the disk and the snapshot are created, by the region's name.
    pub location: String,
    /// How long to wait for the seal and the traces.
    pub timeout: Duration,
    pub(super) disk: ResourceId,
    pub(super) snapshot: ResourceId,
    pub(super) workspace: Option<String>,
    /// Why no workspace is read.
    pub(super) without_workspace: String,
    /// Whether the app exports traces, as far as its settings show.
    pub(super) exports_traces: bool,
}

impl Trial {
    /// The ID of the resource group.
    pub fn group(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/{}", self.subscription_id, self.group_name())
    }

    /// What the handler does with the trial's resources, which have no tags: seal or report them.
    pub(super) fn mode(&self, policy: &Policy) -> Mode {
        policy.mode_of_untagged(&self.disk)
    }

    /// Whether traces are to be waited for.
    pub(super) fn awaits_traces(&self) -> bool {
        self.workspace.is_some() && self.exports_traces
    }

    /// The name of the resource group.
    pub fn group_name(&self) -> &str {
        self.disk.resource_group()
    }
}

/// The output of a future, or none if somebody wants to stop.
pub(super) async fn unless_stopped<T>(stop: &Stop, work: impl Future<Output = T>) -> Option<T> {
    let mut stop = stop.clone();
    tokio::select! {
        biased;
        Ok(_) = stop.wait_for(|times| *times > 0) => None,
        done = work => Some(done),
    }
}

pub(super) fn terms() -> Terms {
    Terms::behind_events(REQUEST_TIMEOUT)
}
