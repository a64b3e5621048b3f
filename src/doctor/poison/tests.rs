//! Answers of the Queue service ("Get Queue Metadata", "Peek Messages") as findings.

use base64::{Engine, engine::general_purpose::STANDARD};
use time::macros::datetime;

use super::*;
use crate::doctor::{Verdict, peek::of_answers};

const DISK: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";
const NOW: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

fn message(time: &str, text: &str) -> String {
    format!(
        "<QueueMessage><MessageId>a</MessageId><InsertionTime>{time}</InsertionTime><ExpirationTime>Thu, 03 Dec 2026 \
         12:00:00 GMT</ExpirationTime><DequeueCount>0</DequeueCount><MessageText>{text}</MessageText></QueueMessage>"
    )
}

fn list(messages: &[String]) -> Vec<u8> {
    let messages = messages.concat();
    format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><QueueMessagesList>{messages}</QueueMessagesList>"
    )
    .into_bytes()
}

fn content_of(member: &str) -> String {
    STANDARD
        .encode(format!(r#"{{"{member}":"{DISK}","reason":"locked","firstSeen":"2026-11-24T01:02:03Z"}}"#))
}

fn found(count: Option<u64>, messages: &[String]) -> (Verdict, String) {
    let finding =
        finding("https://st.queue.core.windows.net/", of_answers(count, &list(messages)).map(Some), NOW);
    assert_eq!(finding.about, "https://st.queue.core.windows.net/diskseal-pending-poison");
    (finding.verdict, finding.text)
}

#[test]
fn the_count_the_age_of_the_oldest_and_the_resources_are_named() {
    let newer = message("Thu, 26 Nov 2026 11:00:00 GMT", "bm90IG91cnM=");
    let older = message("Tue, 24 Nov 2026 12:00:00 GMT", &content_of("id"));
    let (verdict, text) = found(Some(40), &[newer, older]);
    assert_eq!(verdict, Verdict::Warning);
    assert_eq!(
        text,
        format!(
            "40 messages have used up their receipts, the oldest 2 days ago: {DISK} (locked), 1 that Diskseal did \
             not write"
        )
    );
}

#[test]
fn a_text_of_somebody_else_is_counted_and_never_shown() {
    for text in ["c2VjcmV0", "secret", "", "&lt;script&gt;"] {
        let (_, found) = found(Some(1), &[message("Thu, 26 Nov 2026 11:59:00 GMT", text)]);
        assert_eq!(
            found,
            "1 message has used up its receipts, the oldest 60 seconds ago: 1 that Diskseal did not write"
        );
    }
}

#[test]
fn an_approximate_count_below_the_list_does_not_hide_it() {
    let one = message("a time that cannot be read", &content_of("id"));
    assert_eq!(found(Some(0), &[one]).1, format!("1 message has used up its receipts: {DISK} (locked)"));
    assert_eq!(found(Some(0), &[]), (Verdict::Ok, "no message in the poison queue".to_owned()));
    assert_eq!(found(None, &[]).0, Verdict::Ok);
    let only_counted = (Verdict::Warning, "3 messages have used up their receipts".to_owned());
    assert_eq!(found(Some(3), &[]), only_counted, "counted, and not visible yet");
}

#[test]
fn an_answer_that_is_not_a_list_is_a_failure_and_not_an_empty_queue() {
    for body in [
        &b"<html><body>Sign in</body></html>"[..],
        b"{}",
        b"",
        b"\xff\xfe",
        b"<QueueMessagesList>",
        b"<!DOCTYPE a [<!ENTITY b \"c\">]><QueueMessagesList>&b;</QueueMessagesList>",
    ] {
        let answer = of_answers(Some(0), body).map(Some);
        assert_eq!(finding("https://st", answer, NOW).verdict, Verdict::Failed, "{body:?}");
    }
}
