//! How a subscription is configured, and how the simulated service misbehaves.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::storage::Container;

/// The form in which events are delivered: the event subscription's `eventDeliverySchema`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliverySchema {
    /// Event Grid's own schema.
    EventGridSchema,
    /// CloudEvents 1.0 in structured mode.
    CloudEventSchemaV1_0,
}

/// How the ids of resources are spelled in events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As the resource was created.
    AsStored,
    /// With `resourcegroups` in lower case, as several providers write it.
    LowerCaseResourceGroups,
    /// With ids and operation names in upper case, as data born in the activity log has them.
    UpperCase,
}

/// How often an event is delivered although once would do: Event Grid promises at least once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Duplicates {
    /// No duplicates but those that time-outs cause.
    Never,
    /// Every event arrives so many times; 1 means no duplicate.
    Times(u32),
    /// Every event arrives twice with this probability, from 0 to 1.
    Sometimes(f64),
}

/// A container for dead letters.
#[derive(Clone, Debug)]
pub enum DeadLetters {
    /// A folder.
    Folder(PathBuf),
    /// A blob container of a real storage account.
    Container(Container),
}

impl From<&Path> for DeadLetters {
    fn from(folder: &Path) -> Self {
        Self::Folder(folder.to_owned())
    }
}

/// An event subscription with its system topic. The defaults are Azure's.
///
/// All waits but [`delivery_timeout`](Self::delivery_timeout) are given in Azure's own length, and divided
/// by [`speed`](Self::speed).
#[derive(Clone, Debug)]
pub struct EventGridOptions {
    /// The event subscription's name, which dead letters are filed under.
    pub name: String,
    /// The delivery schema.
    pub schema: DeliverySchema,
    /// `filter.includedEventTypes`; empty means every type.
    pub included_event_types: Vec<String>,
    /// The values of an advanced filter `StringIn` on `data.operationName`, which ignores case; empty means
    /// every operation.
    pub operation_names: Vec<String>,
    /// The values of an advanced filter `StringNotIn` on `data.claims.appid`, which ignores case.
    pub excluded_app_ids: Vec<String>,
    /// How ids are spelled.
    pub spelling: Spelling,
    /// Whether `data.httpRequest` is there. The documentation says that it is on updates and deletes only.
    pub http_request: bool,
    /// Whether `data.claims` and `data.authorization.evidence` are there: calls between Azure's own services
    /// may lack them.
    pub claims: bool,
    /// `maxEventsPerBatch`, 1 to 5000. A batch is what is there, nothing waits for it to fill.
    pub max_events_per_batch: usize,
    /// `retryPolicy.maxDeliveryAttempts`, 1 to 30.
    pub max_delivery_attempts: u32,
    /// `retryPolicy.eventTimeToLiveInMinutes`, as a duration. Looked at before each attempt only.
    pub event_time_to_live: Duration,
    /// How long an attempt may take. It is the one wait that `speed` does not shorten, because what runs
    /// meanwhile is the real handler.
    pub delivery_timeout: Duration,
    /// How many failures in a row put the endpoint on probation; 0 means never.
    pub probation_after: u32,
    /// The first probation. It doubles while failures go on, up to four hours. The documentation gives no
    /// figures but "up to several hours".
    pub probation: Duration,
    /// The container for dead letters; without one, undeliverable events are dropped.
    pub dead_letters: Option<DeadLetters>,
    /// How long after the last attempt a dead letter is written.
    pub dead_letter_delay: Duration,
    /// From the end of the operation to the first attempt.
    pub latency: Duration,
    /// Up to so much is added to the latency of each batch, at random: events overtake one another.
    pub disorder: Duration,
    /// Duplicates without a cause.
    pub duplicates: Duplicates,
    /// The probability, from 0 to 1, that an event is lost before its first attempt. Azure promises 0.
    pub loss: f64,
    /// Up to this part of each retry's wait is added to it, at random.
    pub jitter: f64,
    /// The seed of everything random.
    pub seed: u64,
    /// What Event Grid's waits are divided by.
    pub speed: f64,
}

impl Default for EventGridOptions {
    fn default() -> Self {
        Self {
            name: "diskseal".to_owned(),
            schema: DeliverySchema::CloudEventSchemaV1_0,
            included_event_types: vec!["Microsoft.Resources.ResourceWriteSuccess".to_owned()],
            operation_names: [
                "Microsoft.Compute/disks/write",
                "Microsoft.Compute/snapshots/write",
                "Microsoft.Compute/virtualMachines/write",
                "Microsoft.Compute/virtualMachineScaleSets/write",
                "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/write",
            ]
            .map(str::to_owned)
            .to_vec(),
            excluded_app_ids: Vec::new(),
            spelling: Spelling::AsStored,
            http_request: true,
            claims: true,
            max_events_per_batch: 1,
            max_delivery_attempts: 30,
            event_time_to_live: Duration::from_hours(24),
            delivery_timeout: Duration::from_secs(30),
            probation_after: 10,
            probation: Duration::from_mins(5),
            dead_letters: None,
            dead_letter_delay: Duration::from_mins(5),
            latency: Duration::ZERO,
            disorder: Duration::ZERO,
            duplicates: Duplicates::Never,
            loss: 0.0,
            jitter: 0.0,
            seed: 0,
            speed: 1.0,
        }
    }
}

impl EventGridOptions {
    /// A wait of Azure's on this subscription's clock.
    pub(super) fn scaled(&self, wait: Duration) -> Duration {
        if self.speed > 0.0 { wait.div_f64(self.speed) } else { wait }
    }
}
