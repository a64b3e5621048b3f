//! The envelope in which the Functions host sends an invocation.
//!
//! All quirks of the host's encoding end here: a value arrives as an object, as a JSON string, as a
//! JSON string that holds another one, as an array, or as the string of an array ("Azure Functions
//! custom handlers", and the host's own `GetHttpScriptInvocationContextValue`).

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, value::RawValue};

use super::pending::Received;

/// How many layers of JSON strings are opened. The host adds one, and a queue's sender may add another.
const STRINGS_MAX: usize = 3;

/// Why a request is not an invocation.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnvelopeError {
    #[error("the body is not an invocation of the form {{\"Data\":{{…}},\"Metadata\":{{…}}}}: {0}")]
    NotAnInvocation(serde_json::Error),
    #[error("the invocation has no Data.{0}: is the binding of function.json named {0:?}?")]
    NoBinding(&'static str),
    #[error("Data.{binding} is a string that holds no JSON: {fault}")]
    NotJson { binding: &'static str, fault: serde_json::Error },
    #[error("Data.{0} is neither an object nor an array of objects")]
    NotAnObject(&'static str),
    #[error("Data.{0} is a string in a string in a string")]
    TooDeep(&'static str),
    #[error("Data.message is no message of the queue diskseal-pending: {0}")]
    NotPending(serde_json::Error),
}

/// An invocation. `Metadata` is not read but for a queue's message: it repeats `Data`, and with it the caller's
/// claims.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope {
    #[serde(rename = "Data")]
    data: Map<String, Value>,
    #[serde(rename = "Metadata", default, deserialize_with = "if_readable")]
    metadata: Metadata,
}

/// What the host says of a queue's message besides its content.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Metadata {
    id: Option<Value>,
    dequeue_count: Option<Value>,
}

impl Metadata {
    /// The host writes a text as JSON, in a JSON string.
    fn id(self) -> Option<String> {
        match self.id? {
            Value::String(text) => Some(serde_json::from_str(&text).unwrap_or(text)),
            _ => None,
        }
    }

    /// A message that does not say how often it was received is received for the first time.
    fn dequeue_count(&self) -> u32 {
        let count = self.dequeue_count.as_ref().and_then(|value| match value {
            Value::String(text) => text.parse().ok(),
            value => value.as_u64()?.try_into().ok(),
        });
        count.unwrap_or(1)
    }
}

/// What cannot be read is none: no message is lost for it.
fn if_readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Metadata, D::Error> {
    let json = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(json.get()).unwrap_or_default())
}

impl Envelope {
    pub(super) fn read(body: &[u8]) -> Result<Self, EnvelopeError> {
        serde_json::from_slice(body).map_err(EnvelopeError::NotAnInvocation)
    }

    /// The events of an Event Grid trigger, one or a batch.
    pub(super) fn events(mut self) -> Result<Vec<Value>, EnvelopeError> {
        let binding = "event";
        match opened(self.take(binding)?, binding)? {
            Value::Array(elements) => elements.into_iter().map(|element| object(element, binding)).collect(),
            value => Ok(vec![object(value, binding)?]),
        }
    }

    /// The message of a queue trigger.
    pub(super) fn message(mut self) -> Result<Received, EnvelopeError> {
        let binding = "message";
        let message = object(self.take(binding)?, binding)?;
        let pending = serde_json::from_value(message).map_err(EnvelopeError::NotPending)?;
        Ok(Received { dequeue_count: self.metadata.dequeue_count(), id: self.metadata.id(), pending })
    }

    /// The timer of a timer trigger.
    pub(super) fn timer(mut self) -> Result<Value, EnvelopeError> {
        object(self.take("timer")?, "timer")
    }

    fn take(&mut self, binding: &'static str) -> Result<Value, EnvelopeError> {
        self.data.remove(binding).ok_or(EnvelopeError::NoBinding(binding))
    }
}

fn object(value: Value, binding: &'static str) -> Result<Value, EnvelopeError> {
    Some(opened(value, binding)?).filter(Value::is_object).ok_or(EnvelopeError::NotAnObject(binding))
}

fn opened(mut value: Value, binding: &'static str) -> Result<Value, EnvelopeError> {
    for _ in 0..STRINGS_MAX {
        let Value::String(text) = value else { return Ok(value) };
        value = serde_json::from_str(&text).map_err(|fault| EnvelopeError::NotJson { binding, fault })?;
    }
    if value.is_string() { Err(EnvelopeError::TooDeep(binding)) } else { Ok(value) }
}

#[cfg(test)]
mod tests;
