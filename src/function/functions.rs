//! The functions of the app: their names, triggers and deadlines.

use std::time::Duration;

use crate::{azure::Terms, enforce::PAUSE_MAX};

/// The queue of resources that could not be sealed immediately.
pub const QUEUE: &str = "diskseal-pending";

/// The queue of messages that used up their receipts. The host names it so ("Azure Queue storage trigger for Azure
/// Functions", poison messages).
pub const POISON: &str = "diskseal-pending-poison";

/// The queue of outcomes that a person must know.
pub const OUTCOMES: &str = "diskseal-outcomes";

/// The deadline of a sweep. It is well below the `functionTimeout` of host.json, at which the host would
/// kill the process with all its invocations.
const SWEEP_DEADLINE: Duration = Duration::from_mins(4);

/// The deadline of a queue message: the longest pause of the loop breaker, and the same time for the seal. It is
/// below the `functionTimeout` of host.json, and below its `visibilityTimeout`, after which the queue delivers a
/// failed message again.
const QUEUED_DEADLINE: Duration = PAUSE_MAX.saturating_mul(2);

/// Receipts of a message before the handler gives it up. `maxDequeueCount` of host.json is one more: if the process ends
/// while it gives a message up, or the host cannot put the outputs, the message comes again. Otherwise the host would move
/// it to the poison queue by itself, and the outcome would be lost.
pub(super) const RECEIPTS_MAX: u32 = 16;

/// How long a failed message is hidden: `visibilityTimeout` of host.json.
pub(super) const HIDDEN: Duration = Duration::from_mins(5);

words! {
    /// A function of the app.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Function, name of names {
        /// Event Grid trigger: one write of a resource, or a batch of writes.
        SealOnWrite => "seal_on_write",
        /// Queue trigger: a resource that could not be sealed immediately, or that a sweep has listed.
        SealQueued => "seal_queued",
        /// Timer trigger: puts unsealed resources on the queue.
        Sweep => "sweep",
    }
}

impl Function {
    /// Every function.
    pub const ALL: [Self; 3] = [Self::SealOnWrite, Self::SealQueued, Self::Sweep];

    /// The type of the trigger's binding in function.json.
    pub const fn trigger(self) -> &'static str {
        match self {
            Self::SealOnWrite => "eventGridTrigger",
            Self::SealQueued => "queueTrigger",
            Self::Sweep => "timerTrigger",
        }
    }

    /// The terms of an invocation. An event has `per_event` to complete and takes precedence; everything else runs
    /// behind events.
    pub(super) fn terms(self, per_event: Duration) -> Terms {
        let time = self.time(per_event);
        match self {
            Self::SealOnWrite => Terms::for_event(time),
            Self::SealQueued | Self::Sweep => Terms::behind_events(time),
        }
    }

    /// The time limit of an invocation.
    pub(super) fn time(self, per_event: Duration) -> Duration {
        match self {
            Self::SealOnWrite => per_event,
            Self::SealQueued => QUEUED_DEADLINE,
            Self::Sweep => SWEEP_DEADLINE,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::Value;

    use super::*;

    #[test]
    fn functions_are_those_that_are_deployed() {
        assert_eq!(Function::ALL.map(|function| function.name()).to_vec(), Function::names());
        let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("function-definitions");
        assert_eq!(fs::read_dir(&definitions).unwrap().count(), Function::ALL.len());
        let json = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        for function in Function::ALL {
            let definition = json(&definitions.join(function.name()).join("function.json"));
            assert_eq!(definition["bindings"][0]["type"], function.trigger());
            for binding in definition["bindings"].as_array().unwrap() {
                let queue = match binding["name"].as_str().unwrap() {
                    "event" | "timer" => Value::Null,
                    "outcomes" => OUTCOMES.into(),
                    "poison" => POISON.into(),
                    _ => QUEUE.into(),
                };
                assert_eq!(binding["queueName"], queue, "{binding}");
            }
        }
        let infra = json(Path::new("infra/events.json"));
        assert_eq!(infra["function"], Function::SealOnWrite.name());
        assert_eq!(infra["queues"], serde_json::json!([QUEUE, POISON, OUTCOMES]));
    }

    #[test]
    fn deadlines_and_receipts_are_those_of_the_host() {
        let host: Value = serde_json::from_str(include_str!("../../host.json")).unwrap();
        let duration = |value: &Value| {
            let parts = value.as_str().unwrap().split(':').map(|part| part.parse::<u64>().unwrap());
            Duration::from_secs(parts.fold(0, |seconds, part| seconds * 60 + part))
        };
        let timeout = duration(&host["functionTimeout"]);
        assert!(SWEEP_DEADLINE < timeout && QUEUED_DEADLINE < timeout, "{timeout:?}");
        let queues = &host["extensions"]["queues"];
        assert!(QUEUED_DEADLINE < duration(&queues["visibilityTimeout"]));
        assert!(QUEUED_DEADLINE >= PAUSE_MAX + Duration::from_secs(25), "a pause, and the default deadline");
        assert_eq!(queues["maxDequeueCount"], RECEIPTS_MAX + 1);
        assert_eq!(duration(&queues["visibilityTimeout"]), HIDDEN);
    }
}
