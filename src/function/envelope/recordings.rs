//! Every recorded request of the real host's code is read.
//!
//! The recordings lie under `DISKSEAL_FIXTURES`, in the folder `host`, and are not part of this repository.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use time::UtcOffset;

use super::{Envelope, Pending, Received};
use crate::{
    event,
    json::{Kept, Node},
};

/// Requests whose recording has only the start and the end of the body.
const LEFT_OUT: [&str; 2] = ["eventgrid-64k", "queue-text-big-48k"];

/// The requests that are read, so that none is left out unseen.
const REQUESTS: usize = 150;

/// Events whose time only the host can read: `/Date(…)/`, and `24:00`.
const BETTER: [&str; 2] = ["eventgrid-date-11", "eventgrid-date-15"];

/// The cases, with their names.
fn cases() -> Vec<(String, Value)> {
    let root = std::env::var_os("DISKSEAL_FIXTURES").map(|path| Path::new(&path).join("host"));
    let Some(root) = root.filter(|root| root.is_dir()) else {
        let said = "skipped: DISKSEAL_FIXTURES names no folder with recordings of the Functions host";
        let _ = writeln!(std::io::stderr(), "{said}");
        return Vec::new();
    };
    let entries = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let folders = entries(&root).into_iter().filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| entries(&folder));
    // Besides the cases, the exact bodies of five requests.
    let bodies = entries(&root).into_iter().filter(|path| path.to_string_lossy().ends_with(".body.json"));
    let body = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.file_stem().unwrap().to_string_lossy().into_owned(), json!({"request": {"body": text}}))
    };
    let case = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
    };
    files.map(case).chain(bodies.map(body)).collect()
}

/// The path and the body of each request of a case, with the functions named as they are now.
fn requests(case: &Value) -> Vec<(String, String)> {
    let exchanges = case["exchanges"].as_array().into_iter().flatten().map(|exchange| &exchange["request"]);
    let more = case["moreRequests"].as_array().into_iter().flatten();
    let all = std::iter::once(&case["request"]).chain(more).chain(exchanges);
    let with_body = all.filter_map(|request| {
        let body = request["body"].as_str()?.to_owned();
        let function = serde_json::from_str::<Value>(&body).ok()?["Metadata"]["sys"]["MethodName"].clone();
        let path = request["path"].as_str().map(|path| path.trim_start_matches('/').to_owned());
        let path = path.or_else(|| function.as_str().map(str::to_owned))?;
        Some((path.replace('-', "_"), body))
    });
    with_body.collect()
}

#[test]
fn every_recorded_request_is_read() {
    let cases = cases();
    let mut read = 0;
    for (name, case) in &cases {
        let is_elided = !case["request"]["bodyElided"].is_null();
        assert_eq!(is_elided, LEFT_OUT.contains(&name.as_str()), "{name}");
        let requests = requests(case);
        read += requests.len();
        for (path, body) in &requests {
            let envelope = Envelope::read(body.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
            match path.as_str() {
                "seal_on_write" => {
                    let events = envelope.events().unwrap_or_else(|error| panic!("{name}: {error}"));
                    let events: Vec<_> = events.into_iter().map(Value::from).collect();
                    let data: Value = serde_json::from_str(body).unwrap();
                    let sent = &data["Data"]["event"];
                    let many = sent.as_str().map(|text| serde_json::from_str::<Vec<Value>>(text).unwrap());
                    let sent = many.unwrap_or_else(|| vec![sent.clone()]);
                    let kept: Vec<_> = sent.iter().map(|event| kept(event, event::MEMBERS)).collect();
                    assert_eq!(events, kept, "{name}");
                }
                "seal_queued" => queued(name, envelope, body),
                "sweep" => assert!(envelope.timer().unwrap().is_object(), "{name}"),
                other => panic!("{name}: {other} is no function"),
            }
        }
    }
    assert!(cases.is_empty() || read == REQUESTS, "{read} requests, not {REQUESTS}");
}

/// What is kept of a value that was read as a whole.
fn kept(value: &Value, of: Kept) -> Value {
    match (value, of) {
        (Value::Object(all), Kept::Members(members)) => {
            let known = |name: &str| members.iter().find(|(known, _)| *known == name).map(|(_, of)| *of);
            let pairs =
                all.iter().filter_map(|(name, value)| Some((name.clone(), kept(value, known(name)?))));
            pairs.collect()
        }
        _ => value.clone(),
    }
}

/// A message of ours is read, whatever its age, and any other text is refused.
fn queued(name: &str, envelope: Envelope<'_>, body: &str) {
    let sent: Value = serde_json::from_str(body).unwrap();
    let text = sent["Data"]["message"].as_str().unwrap();
    let text = serde_json::from_str::<String>(text).unwrap_or_default();
    match (serde_json::from_str::<Pending>(&text), envelope.message()) {
        (Ok(ours), Ok(Received { id, pending, text: kept, dequeue_count })) => {
            assert_eq!(kept, text, "{name}");
            assert_eq!(pending, ours, "{name}");
            assert_eq!(sent["Metadata"]["DequeueCount"], dequeue_count.to_string(), "{name}");
            // These have the resource as `id`, which has taken the place of the message's own ID.
            assert_eq!(id, None, "{name}");
        }
        (Err(_), Err(_)) => {}
        (ours, read) => panic!("{name}: {ours:?} was read as {read:?}"),
    }
}

/// The events are what was given to the webhook: the host writes times and numbers anew, and changes nothing else.
#[test]
fn recorded_events_mean_what_was_delivered() {
    let mut compared = 0;
    for (name, case) in cases() {
        if BETTER.contains(&name.as_str()) {
            continue;
        }
        let given = case["given"]["body"].as_str().unwrap_or_default().trim_start_matches('\u{feff}');
        let Ok(given) = serde_json::from_str::<Value>(given) else { continue };
        let requests = requests(&case);
        if requests.is_empty() {
            continue;
        }
        let given = if given.is_array() { given.as_array().unwrap().clone() } else { vec![given] };
        let given = given.iter().filter(|event| event.is_object());
        let mut given: Vec<_> = given.map(|event| meaning(Node::Whole(event.clone()))).collect();
        let events =
            requests.iter().flat_map(|(_, body)| Envelope::read(body.as_bytes()).unwrap().events().unwrap());
        let mut read: Vec<_> = events.map(meaning).collect();
        given.sort();
        read.sort();
        assert_eq!(read, given, "{name}");
        compared += 1;
    }
    assert!(matches!(compared, 0 | 75), "{compared} cases");
}

/// What the event says, with its time in UTC.
fn meaning(event: Node) -> String {
    let parsed = event::parse(event).map(|mut written| {
        written.time = written.time.map(|time| time.to_offset(UtcOffset::UTC));
        written
    });
    format!("{parsed:?}")
}

#[test]
fn no_member_of_ours_has_a_name_of_the_host_s_in_the_recordings() {
    let ours = ["resource", "reason", "firstSeen", "traceparent", "tracestate", "correlationId"];
    for (name, case) in cases() {
        for (path, body) in requests(&case) {
            let sent: Value = serde_json::from_str(&body).unwrap();
            let text = sent["Data"]["message"].as_str().unwrap_or_default();
            let copied = serde_json::from_str::<String>(text).unwrap_or_default();
            // What a text that is an object adds is its own.
            if path == "seal_queued" && copied.trim_start().starts_with('{') {
                continue;
            }
            for member in sent["Metadata"].as_object().unwrap().keys() {
                assert!(!ours.iter().any(|own| own.eq_ignore_ascii_case(member)), "{name}: {member}");
            }
        }
    }
}
