//! The body that the host posts for an invocation: `Data` and `Metadata`, in the host's encoding.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use time::{
    OffsetDateTime,
    macros::{datetime, format_description},
};
use uuid::Uuid;

use super::{
    EventDates,
    app::Function,
    json::{Token, ticks},
};
use crate::queue::QueueMessage;

/// What triggers a function.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// One event of Event Grid, in either schema.
    Event(Value),
    /// The events of a function whose trigger has `"cardinality": "many"`.
    Events(Vec<Value>),
    /// A tick of a timer.
    Timer(TimerInfo),
    /// A queue's message, with its text decoded.
    QueueMessage(QueueMessage),
    /// A call by hand with this input: `POST /admin/functions/NAME`, which the portal uses as well.
    ByHand(String),
}

/// The schedule data of a timer function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimerInfo {
    /// Whether an occurrence was missed while no instance ran.
    pub is_past_due: bool,
    /// The last, next and last recorded occurrence; none without `useMonitor`.
    pub schedule_status: Option<ScheduleStatus>,
}

/// The occurrences of a timer's schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleStatus {
    /// When the function ran last; none on the first run, which is written as year 1.
    pub last: Option<OffsetDateTime>,
    /// The occurrence that runs: the host reads the status before it computes the next one.
    pub next: OffsetDateTime,
}

/// What triggers a function, as the host has read it.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Event(Token),
    Events(Vec<Token>),
    Timer(TimerInfo),
    Message(QueueMessage),
    /// The text, and what it became for this trigger.
    ByHand(String, Box<Input>),
}

impl Input {
    /// Reads a trigger. `dates` says what becomes of those in events.
    pub(super) fn read(
        trigger: Trigger,
        function: &Function,
        dates: EventDates,
        now: OffsetDateTime,
    ) -> Result<Self, String> {
        let event = |token| dates.read(token);
        Ok(match trigger {
            Trigger::Event(value) => Self::Event(event(Token::from(&value))),
            Trigger::Events(values) => {
                Self::Events(values.iter().map(|value| event(Token::from(value))).collect())
            }
            Trigger::Timer(info) => Self::Timer(info),
            Trigger::QueueMessage(message) => Self::Message(message),
            Trigger::ByHand(text) => {
                let input = match function.trigger.kind.as_str() {
                    // The text is parsed, with dates, whatever the extension's version.
                    "eventGridTrigger" => match Token::read(&text) {
                        Ok(token) if token.is_object() => Self::Event(token.with_dates()),
                        _ => return Err("the input is not a JSON object".to_owned()),
                    },
                    "timerTrigger" => {
                        let status = ScheduleStatus { last: None, next: now + time::Duration::HOUR };
                        Self::Timer(TimerInfo { is_past_due: false, schedule_status: Some(status) })
                    }
                    _ => Self::Message(by_hand(&text, now)),
                };
                Self::ByHand(text, Box::new(input))
            }
        })
    }
}

/// The message of a call by hand: no receipt yet, and the last instant of .NET as its times.
fn by_hand(text: &str, now: OffsetDateTime) -> QueueMessage {
    let never = datetime!(9999-12-31 23:59:59 UTC);
    QueueMessage {
        id: Uuid::new_v4().to_string(),
        pop_receipt: String::new(),
        text: text.to_owned(),
        dequeue_count: 0,
        insertion_time: now,
        expiration_time: never,
        next_visible_time: never,
    }
}

/// The body of an invocation.
pub(super) fn envelope(function: &Function, input: &Input, now: OffsetDateTime) -> String {
    let mut metadata = Vec::new();
    let mut copied = Vec::new();
    let value = bound(function, input, &mut metadata, &mut copied, now);
    if let Input::ByHand(text, _) = input {
        metadata.push((function.trigger.name.clone(), encode(&Token::Text(text.clone()))));
    }
    let sys = [
        ("MethodName", function.name.clone()),
        ("UtcNow", format!("{}Z", seven_decimals(now))),
        ("RandGuid", Uuid::new_v4().to_string()),
    ];
    metadata.push(("sys".to_owned(), object(sys.map(|(name, text)| (name, Token::Text(text))))));
    for (name, value) in copied {
        overwrite(&mut metadata, name, value);
    }
    let data = object([(function.trigger.name.as_str(), value)]);
    object([("Data", data), ("Metadata", Token::Object(metadata))]).compact()
}

type Members = Vec<(String, Token)>;

/// The value of the trigger's binding. `metadata` gets the trigger's own, and `copied` what may take its place.
fn bound(
    function: &Function,
    input: &Input,
    metadata: &mut Members,
    copied: &mut Members,
    now: OffsetDateTime,
) -> Token {
    match input {
        Input::Event(event) => {
            if let Some(data) = event.get("data") {
                metadata.push(("data".to_owned(), encode(data)));
            }
            encode(event)
        }
        Input::Events(events) => {
            let data = events.iter().map(|event| event.get("data").cloned().unwrap_or(Token::Null));
            metadata.push(("data".to_owned(), encode(&Token::Array(data.collect()))));
            encode(&Token::Array(events.clone()))
        }
        Input::Timer(info) => timer(info, None),
        // `dataType` binary: the bytes as base64, and nothing is copied.
        Input::Message(message) if function.trigger.binary => {
            *metadata = queue_metadata(message);
            Token::Text(STANDARD.encode(&message.text))
        }
        Input::Message(message) => {
            *metadata = queue_metadata(message);
            *copied = members_of(&message.text);
            encode(&Token::Text(message.text.clone()))
        }
        Input::ByHand(_, input) => match &**input {
            Input::Timer(info) => timer(info, Some(now)),
            input => bound(function, input, metadata, copied, now),
        },
    }
}

/// Objects stay objects; every other value becomes a text with JSON.
fn encode(value: &Token) -> Token {
    if value.is_object() { value.clone() } else { Token::Text(value.compact()) }
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Token)>) -> Token {
    Token::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// `TimerInfo`. A timer whose status the host does not keep has none.
fn timer(info: &TimerInfo, updated: Option<OffsetDateTime>) -> Token {
    let text = |at: OffsetDateTime| Token::Text(format!("{}+00:00", seven_decimals(at)));
    let status = info.schedule_status.as_ref().map(|status| {
        let last = text(status.last.unwrap_or(datetime!(0001-01-01 0:00 UTC)));
        let updated = updated.map_or_else(|| last.clone(), text);
        object([("Last", last), ("Next", text(status.next)), ("LastUpdated", updated)])
    });
    object([
        ("Schedule", object([("AdjustForDST", Token::Bool(true))])),
        ("ScheduleStatus", status.unwrap_or(Token::Null)),
        ("IsPastDue", Token::Bool(info.is_past_due)),
    ])
}

/// The host's own values of a queue message. Times have an offset and no fraction.
fn queue_metadata(message: &QueueMessage) -> Members {
    let time = |at: OffsetDateTime| Token::Text(format!("{}+00:00", at.format(&SECONDS).unwrap_or_default()));
    let text = |value: &str| encode(&Token::Text(value.to_owned()));
    let mut metadata = vec![
        ("DequeueCount", Token::Text(message.dequeue_count.to_string())),
        ("ExpirationTime", time(message.expiration_time)),
        ("Id", text(&message.id)),
        ("InsertionTime", time(message.insertion_time)),
        ("NextVisibleTime", time(message.next_visible_time)),
    ];
    // A call by hand has none, and null values are left out.
    if !message.pop_receipt.is_empty() {
        metadata.push(("PopReceipt", text(&message.pop_receipt)));
    }
    metadata.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The members that the host copies if the text is a JSON object (`Utility.ApplyBindingData`,
/// `Utility.GetBindingData`): an object as it is, a scalar as the text of its text; no array, no null, and nothing
/// whose name ends in `trigger`.
fn members_of(text: &str) -> Members {
    let Some(Ok(Token::Object(members))) = Token::looks_like_json(text).then(|| Token::read(text)) else {
        return Vec::new();
    };
    let mut copied = Vec::new();
    for (name, value) in members {
        let value = value.with_dates();
        let is_copied = !matches!(value, Token::Null | Token::Array(_));
        if is_copied && !name.to_ascii_lowercase().ends_with("trigger") {
            let value = if value.is_object() { value } else { encode(&Token::Text(value.display())) };
            copied.push((name, value));
        }
    }
    copied
}

/// The host's dictionary ignores case (`Binder`): what is copied takes the place of the host's own value, which keeps
/// its name.
fn overwrite(metadata: &mut Members, name: String, value: Token) {
    match metadata.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
        Some((_, old)) => *old = value,
        None => metadata.push((name, value)),
    }
}

const SECONDS: &[time::format_description::BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

/// A time as .NET writes it: up to seven decimals, and no zeros at their end.
fn seven_decimals(at: OffsetDateTime) -> String {
    format!("{}{}", at.format(&SECONDS).unwrap_or_default(), ticks(at.nanosecond()))
}

#[cfg(test)]
mod tests;
