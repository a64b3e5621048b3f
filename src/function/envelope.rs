//! The envelope in which the Functions host sends an invocation.
//!
//! Only this module knows the variants of the host's encoding: a value is an object, a JSON string, a
//! JSON string inside another one, an array, or an array in a string ("Azure Functions
//! custom handlers", and the host's own `GetHttpScriptInvocationContextValue`).

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer as _,
    de::{Error as _, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::pending::{Pending, Received};
use crate::{
    event,
    json::{Kept, Node},
};

/// Maximum number of layers of JSON strings that are decoded. The host adds one, and a queue's sender may add another.
const STRINGS_MAX: usize = 3;

/// The most events of one invocation: `maxEventsPerBatch` of an Event Grid subscription has 5,000 at most ("Event Grid
/// output batching"). A body has room for a million empty ones, each of which would need memory, a span and a line.
const EVENTS_MAX: usize = 5_000;

/// Why a request is not an invocation.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnvelopeError {
    #[error("the body is not an invocation of the form {{\"Data\":{{…}},\"Metadata\":{{…}}}}: {fault}", fault = place(.0))]
    NotAnInvocation(serde_json::Error),
    #[error("the invocation has no Data.{0}: is the binding of function.json named {0:?}?")]
    NoBinding(&'static str),
    #[error("Data.{binding} is not readable JSON: {fault}", fault = place(fault))]
    NotJson { binding: &'static str, fault: serde_json::Error },
    #[error("Data.{0} is neither an object nor an array of objects")]
    NotAnObject(&'static str),
    #[error("Data.{0} has too many layers of JSON strings")]
    TooDeep(&'static str),
    #[error("Data.{0} has more than {EVENTS_MAX} elements")]
    TooMany(&'static str),
    #[error("Data.message is not a message of the queue diskseal-pending: {fault}", fault = place(.0))]
    NotPending(serde_json::Error),
}

/// What is wrong with JSON, without its content: a member of another type is shown with its value otherwise, such as a
/// whole event with its claims.
fn place(fault: &serde_json::Error) -> String {
    let text = fault.to_string();
    let is_quoted =
        fault.is_data() && ["invalid type", "invalid value"].iter().any(|kind| text.contains(kind));
    match (is_quoted, fault.line()) {
        (false, _) => text,
        (true, 0) => "a member has another type".to_owned(),
        (true, line) => format!("a member has another type, at line {line} column {}", fault.column()),
    }
}

/// An invocation. Of `Metadata` only the time of the trigger is read, and of a queue message its ID and receipts,
/// because it repeats `Data`, including the caller's claims.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    /// As they are: only the one that the trigger fills is read.
    #[serde(rename = "Data", borrow)]
    data: HashMap<Cow<'a, str>, &'a RawValue>,
    #[serde(rename = "Metadata", borrow)]
    metadata: Option<&'a RawValue>,
}

/// The time of the trigger, in the metadata.
const TRIGGERED: Kept = Kept::Members(&[("sys", Kept::Members(&[("UtcNow", Kept::Whole)]))]);

/// The metadata of a queue message.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Metadata {
    id: Option<Value>,
    dequeue_count: Option<Value>,
}

impl Metadata {
    /// The message's ID. The host encodes a text as JSON inside a JSON string.
    fn id(self) -> Option<String> {
        match self.id? {
            Value::String(text) => Some(serde_json::from_str(&text).unwrap_or(text)),
            _ => None,
        }
    }

    /// The number of receipts; zero for a call by hand. A message without one counts as received for the first time.
    fn dequeue_count(&self) -> u32 {
        let count = self.dequeue_count.as_ref().and_then(|value| match value {
            Value::String(text) => text.parse().ok(),
            value => value.as_u64()?.try_into().ok(),
        });
        count.unwrap_or(1)
    }
}

impl<'a> Envelope<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, EnvelopeError> {
        serde_json::from_slice(body).map_err(EnvelopeError::NotAnInvocation)
    }

    /// When the host triggered the invocation. What it sends is documented as `sys.UtcNow` ("Azure Functions trigger
    /// and binding expressions", current time) and in UTC.
    pub(super) fn triggered(&self) -> Option<OffsetDateTime> {
        let mut metadata = TRIGGERED.of(self.metadata?.get().as_bytes()).ok()?;
        OffsetDateTime::parse(metadata.take("sys").text("UtcNow")?, &Rfc3339).ok()
    }

    /// The events of an Event Grid trigger, one or a batch.
    pub(super) fn events(self) -> Result<Vec<Node>, EnvelopeError> {
        let events = Binding { name: "event", kept: event::MEMBERS };
        match events.opened(self.take(events)?)? {
            Found::Many(elements) => elements.into_iter().map(|element| events.object(element)).collect(),
            Found::One(one) => Ok(vec![events.object(one)?]),
        }
    }

    /// The message of a queue trigger.
    pub(super) fn message(self) -> Result<Received, EnvelopeError> {
        let binding = Binding { name: "message", kept: Kept::Whole };
        let text = self.data.get(binding.name).map(|json| unquoted(json.get())).unwrap_or_default();
        let message = self.object(binding)?;
        let pending: Pending = serde_json::from_value(message).map_err(EnvelopeError::NotPending)?;
        // Metadata that cannot be read is ignored, so that no message is lost because of it.
        let metadata = self.metadata.and_then(|json| serde_json::from_str(json.get()).ok());
        let metadata: Metadata = metadata.unwrap_or_default();
        let dequeue_count = metadata.dequeue_count();
        // A message of an earlier version has a member `id`, the resource, in place of the queue's ID.
        let resource = pending.resource.to_string();
        let id = metadata.id().filter(|id| !id.eq_ignore_ascii_case(&resource));
        Ok(Received { id, pending, text, dequeue_count })
    }

    /// The timer of a timer trigger.
    pub(super) fn timer(self) -> Result<Value, EnvelopeError> {
        let binding = Binding { name: "timer", kept: Kept::Whole };
        self.object(binding)
    }

    fn object(&self, binding: Binding) -> Result<Value, EnvelopeError> {
        match self.take(binding)? {
            Found::One(one) => Ok(binding.object(one)?.into()),
            Found::Many(_) => Err(EnvelopeError::NotAnObject(binding.name)),
        }
    }

    fn take(&self, binding: Binding) -> Result<Found, EnvelopeError> {
        let json = self.data.get(binding.name).ok_or(EnvelopeError::NoBinding(binding.name))?;
        binding.parsed(json.get())
    }
}

/// A text without the layers of JSON strings around it.
fn unquoted(json: &str) -> String {
    let mut text = json.to_owned();
    for _ in 0..STRINGS_MAX {
        let Ok(inner) = serde_json::from_str(&text) else { break };
        text = inner;
    }
    text
}

/// The binding of a trigger, and what is read of each of its objects.
#[derive(Clone, Copy)]
struct Binding {
    name: &'static str,
    kept: Kept,
}

/// What stands in a binding's place.
enum Found {
    One(Node),
    Many(Vec<Node>),
}

impl Binding {
    fn object(self, node: Node) -> Result<Node, EnvelopeError> {
        match self.opened(Found::One(node))? {
            Found::One(one) if one.is_object() => Ok(one),
            Found::One(_) | Found::Many(_) => Err(EnvelopeError::NotAnObject(self.name)),
        }
    }

    fn opened(self, mut found: Found) -> Result<Found, EnvelopeError> {
        for _ in 0..STRINGS_MAX {
            let Found::One(Node::Whole(Value::String(text))) = found else { return Ok(found) };
            found = self.parsed(&text)?;
        }
        if matches!(found, Found::One(Node::Whole(Value::String(_)))) {
            Err(EnvelopeError::TooDeep(self.name))
        } else {
            Ok(found)
        }
    }

    /// Parses JSON, but not an array of too many elements.
    fn parsed(self, json: &str) -> Result<Found, EnvelopeError> {
        let fault = |fault| EnvelopeError::NotJson { binding: self.name, fault };
        if json.trim_start().starts_with('[') {
            let mut is_too_long = false;
            let mut reader = serde_json::Deserializer::from_str(json);
            let elements =
                reader.deserialize_seq(Elements { kept: self.kept, is_too_long: &mut is_too_long });
            if is_too_long {
                return Err(EnvelopeError::TooMany(self.name));
            }
            let elements = elements.map_err(fault)?;
            reader.end().map_err(fault)?;
            return Ok(Found::Many(elements));
        }
        self.kept.of(json.as_bytes()).map(Found::One).map_err(fault)
    }
}

/// Reads the elements of an array, up to [`EVENTS_MAX`].
struct Elements<'a> {
    kept: Kept,
    is_too_long: &'a mut bool,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = Vec<Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut all = vec![];
        while let Some(element) = elements.next_element_seed(self.kept)? {
            if all.len() == EVENTS_MAX {
                *self.is_too_long = true;
                return Err(A::Error::custom("too many elements"));
            }
            all.push(element);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod recordings;
#[cfg(test)]
mod tests;
