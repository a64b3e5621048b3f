//! The configuration of a subscription, and the faults of the simulated service.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::storage::Container;

/// The schema of deliveries: the event subscription's `eventDeliverySchema`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliverySchema {
    /// Event Grid's own schema.
    EventGridSchema,
    /// CloudEvents 1.0 in structured mode.
    CloudEventSchemaV1_0,
}

/// The spelling of resource ids in events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As the resource was created.
    AsStored,
    /// With `resourcegroups` in lower case, as several providers write it.
    LowerCaseResourceGroups,
    /// With ids and operation names in upper case, like data from the activity log.
    UpperCase,
}

/// Duplicates: Event Grid delivers at least once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Duplicates {
    /// Only the duplicates that timeouts cause.
    Never,
    /// Every event arrives this many times; 1 means no duplicate.
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
/// All waits except [`delivery_timeout`](Self::delivery_timeout) are given in Azure's length, and divided by
/// [`speed`](Self::speed).
#[derive(Clone, Debug)]
pub struct EventGridOptions {
    /// The event subscription's name, part of the path of dead letters.
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
    /// The spelling of ids.
    pub spelling: Spelling,
    /// Whether events have `data.httpRequest`. The documentation lists it only for updates and deletes.
    pub http_request: bool,
    /// Whether events have `data.claims` and `data.authorization.evidence`: calls between Azure's own
    /// services may lack them.
    pub claims: bool,
    /// `maxEventsPerBatch`, 1 to 5000. A batch has the events that are ready; it does not wait to fill up.
    pub max_events_per_batch: usize,
    /// `retryPolicy.maxDeliveryAttempts`, 1 to 30.
    pub max_delivery_attempts: u32,
    /// `retryPolicy.eventTimeToLiveInMinutes`, as a duration. It is only checked before each attempt.
    pub event_time_to_live: Duration,
    /// The timeout of an attempt. `speed` does not shorten it, because the real handler runs meanwhile.
    pub delivery_timeout: Duration,
    /// The number of consecutive failures that put the endpoint on probation; 0 means never.
    pub probation_after: u32,
    /// The first probation. It doubles while failures continue, up to four hours. The documentation only says
    /// "up to several hours".
    pub probation: Duration,
    /// The container for dead letters; without one, undeliverable events are dropped.
    pub dead_letters: Option<DeadLetters>,
    /// Delay between the last attempt and the dead letter.
    pub dead_letter_delay: Duration,
    /// Delay between the end of the operation and the first attempt.
    pub latency: Duration,
    /// Maximum random addition to the latency of each batch: events overtake one another.
    pub disorder: Duration,
    /// Additional duplicates.
    pub duplicates: Duplicates,
    /// The probability, from 0 to 1, that an event is lost before its first attempt. Azure promises 0.
    pub loss: f64,
    /// Maximum random addition to each retry's wait, as a fraction of it.
    pub jitter: f64,
    /// The seed of everything random.
    pub seed: u64,
    /// The divisor of Event Grid's waits.
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
    /// An Azure wait, on this subscription's clock.
    pub(super) fn scaled(&self, wait: Duration) -> Duration {
        if self.speed > 0.0 { wait.div_f64(self.speed) } else { wait }
    }
}
