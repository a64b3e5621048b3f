//! A storage queue that a test defines, as the Queue service returns it: "Get Queue Metadata" and "Peek Messages".

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{answer::Answer, clock::http_date, queue::QueueMessage, refusal::Refusal, request::Request};

/// The most messages that one request peeks at ("Peek Messages", `numofmessages`).
pub(super) const PEEKED_MAX: usize = 32;
/// The path of the queue.
pub(super) fn queue(request: &Request) -> &str {
    match request.parameter("peekonly") {
        Some(_) => request.path.trim_end_matches("/messages"),
        None => &request.path,
    }
}

/// A queue as a fact.
pub(super) fn fact(count: usize, messages: &[QueueMessage]) -> Value {
    let one = |message: &QueueMessage| {
        json!({
            "MessageId": message.id,
            "InsertionTime": http_date(message.insertion_time),
            "ExpirationTime": http_date(message.expiration_time),
            "DequeueCount": message.dequeue_count.to_string(),
            "MessageText": message.text,
        })
    };
    json!({"count": count, "messages": messages.iter().map(one).collect::<Vec<_>>()})
}

/// The answer for a queue that exists.
pub(super) fn answer(request: &Request, queue: &Value) -> Result<Answer, Refusal> {
    let count = queue["count"].as_u64().unwrap_or_default().to_string();
    if request.parameter("peekonly").is_none() {
        return Ok(Answer::empty(StatusCode::OK).with("x-ms-approximate-messages-count", &count));
    }
    // One without the parameter; more than 32 is refused.
    let wanted = request.parameter("numofmessages").map_or(Ok(1), |number| number.parse::<usize>());
    let Some(wanted) = wanted.ok().filter(|wanted| (1..=PEEKED_MAX).contains(wanted)) else {
        return Err(refusal(400, "OutOfRangeQueryParameterValue"));
    };
    let messages = queue["messages"].as_array().into_iter().flatten().take(wanted);
    let list: String =
        messages.map(|message| ["<QueueMessage>", &members(message), "</QueueMessage>"].concat()).collect();
    // Azure's storage services begin their XML with a byte order mark.
    let body = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><QueueMessagesList>{list}</QueueMessagesList>"
    );
    Ok(Answer::text(StatusCode::OK, "application/xml", body))
}

fn members(message: &Value) -> String {
    let members = message.as_object().into_iter().flatten();
    members
        .map(|(name, value)| {
            ["<", name, ">", &escaped(value.as_str().unwrap_or_default()), "</", name, ">"].concat()
        })
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A refusal of the Queue service, whose code is in a header ("Queue service error codes").
pub(super) fn refusal(status: u16, code: &'static str) -> Refusal {
    Refusal::from_body(status, Value::Null).with_header("x-ms-error-code", code)
}
