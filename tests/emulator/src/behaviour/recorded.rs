//! Comparison with recorded traffic of Azure. We may not copy it, so it is read from the folder that the
//! environment names; without the folder, nothing is compared.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use azure_core::http::Method;
use serde_json::{Value, json};

use super::{Client, Reply};
use crate::{
    answer::{crlf, crlf_with_output},
    definitions::fixtures_or_notice,
    disk_body,
    options::{Asynchronous, OperationStyle, Options},
    snapshot_body,
};

const LIFECYCLE: &str = "disk_lifecycle.2023-01-11.api-2022-07-02.json";
const WITH_MODE: &str = "disk_create_with_dataAccessAuthMode.2023-11-06.api-2023-04-02.json";

/// Recorded headers that the emulator does not send, and why. All others must be equal.
const LEFT_OUT: [(&str, &str); 4] = [
    ("content-encoding", "nothing is compressed: no client here asks for it"),
    ("vary", "says that an answer may be compressed"),
    ("transfer-encoding", "the transport's, which is not Azure's here"),
    ("content-length", "the transport's; lengths have a test of their own"),
];

/// Headers that the emulator sends and that were not always recorded, and why.
const ADDED: [(&str, &str); 9] = [
    ("content-length", "the transport's"),
    ("x-ms-request-id", "documented for every response; removed from the recordings"),
    ("x-ms-correlation-request-id", "taken out of the recording of 2023-11"),
    ("x-ms-routing-request-id", "taken out of the recording of 2023-11"),
    ("x-ms-served-by", "taken out of the recording of 2023-11"),
    ("x-ms-ratelimit-remaining-subscription-reads", "taken out of the recording of 2023-11"),
    ("x-ms-ratelimit-remaining-subscription-global-reads", "came with the token buckets of 2024"),
    ("x-ms-ratelimit-remaining-subscription-global-writes", "came with the token buckets of 2024"),
    ("x-ms-ratelimit-remaining-subscription-global-deletes", "came with the token buckets of 2024"),
];

/// Headers whose values depend on the day: only their presence is compared.
const BY_CHANCE: [&str; 7] = [
    "date",
    "x-ms-correlation-request-id",
    "x-ms-routing-request-id",
    "x-ms-served-by",
    "x-ms-ratelimit-remaining-subscription-reads",
    "x-ms-ratelimit-remaining-subscription-writes",
    "x-ms-ratelimit-remaining-subscription-deletes",
];

fn is_among(table: &[(&str, &str)], name: &str) -> bool {
    table.iter().any(|(known, _)| *known == name)
}

fn recording(file: &str) -> Option<Value> {
    let folder: PathBuf = fixtures_or_notice()?;
    let text = std::fs::read_to_string(folder.join("recorded").join(file)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

fn exchanges(file: &str) -> Vec<Value> {
    recording(file).map(|all| all["exchanges"].as_array().unwrap().clone()).unwrap_or_default()
}

#[test]
fn bodies_are_as_long_as_they_were() {
    for exchange in exchanges(LIFECYCLE).iter().chain(&exchanges(WITH_MODE)) {
        let response = &exchange["response"];
        let length = &response["headers"]["content-length"];
        let length = if length.is_null() { &response["headers"]["Content-Length"] } else { length };
        let body = &response["body"];
        let (Some(length), false) = (length.as_str(), body.is_null()) else { continue };
        let output = &body["properties"]["output"];
        let text = if output.is_null() { crlf(body) } else { crlf_with_output(body, output) };
        assert_eq!(text.len().to_string(), length, "{}", exchange["label"]);
    }
}

/// Azure on the day of the recording: signed URLs and the absence of `Retry-After` came in 2023-11.
fn on_that_day(file: &str) -> Options {
    let style = if file == WITH_MODE {
        Asynchronous { retry_after_accepted: None, in_progress_polls: 0, ..Asynchronous::default() }
    } else {
        Asynchronous { signed_urls: false, ..Asynchronous::default() }
    };
    Options {
        region: "EASTUS2".to_owned(),
        operations: OperationStyle::Asynchronous(style),
        ..Options::default()
    }
}

/// Sends the recorded requests, and compares every response with the recorded one: status, headers, and the
/// body with the order of its members. Values are compared unless they depend on chance.
#[tokio::test(start_paused = true)]
async fn the_recorded_conversations_go_the_same_way() {
    let mut faults = Vec::new();
    for file in [LIFECYCLE, WITH_MODE] {
        let client = Client::new(on_that_day(file));
        let mut urls = HashMap::new();
        for exchange in exchanges(file) {
            let (request, response) = (&exchange["request"], &exchange["response"]);
            let label = exchange["label"].as_str().unwrap();
            let recorded = request["uri"].as_str().unwrap();
            let target = urls.get(recorded).cloned().unwrap_or_else(|| recorded.to_owned());
            let body = Some(&request["body"]).filter(|body| !body.is_null());
            let reply = client.send(method(request), &target, body).await;
            for (name, value) in response["headers"].as_object().unwrap() {
                if let Some(ours) = reply.header(&name.to_ascii_lowercase()).filter(|_| is_url(name)) {
                    urls.insert(value.as_str().unwrap().to_owned(), ours.to_owned());
                }
            }
            faults.extend(differences(&reply, response).into_iter().map(|fault| format!("{label}: {fault}")));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A disk and its snapshot, as they were when the two shapes were recorded.
fn estate(client: &Client) {
    let prefix = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rgname/providers/Microsoft.Compute";
    let disk = format!("{prefix}/disks/disk1");
    client.emulator.insert(&disk, &disk_body("eastus")).unwrap();
    let mut snapshot = snapshot_body("eastus", &disk);
    snapshot["properties"]["creationData"]["sourceUniqueId"] =
        client.emulator.get(&disk).unwrap()["properties"]["uniqueId"].clone();
    client.emulator.insert(&format!("{prefix}/snapshots/snap1"), &snapshot).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_list_is_as_it_was() {
    let Some(recorded) = recording("list_shape_uppercase_rg.json") else { return };
    let client = Client::new(on_that_day(LIFECYCLE));
    estate(&client);
    let list = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.Compute/disks";
    let reply = client.get(&format!("{list}?api-version=2022-07-02")).await;
    assert_eq!(json!(reply.status), recorded["status"]);
    let header = "x-ms-ratelimit-remaining-resource";
    assert_eq!(groups(reply.header(header).unwrap()), groups(recorded["headers"][header].as_str().unwrap()));
    let mut ours = reply.json();
    // Omitted in the shortened recording: a GET of such a disk was recorded with both.
    for member in ["diskIOPSReadWrite", "diskMBpsReadWrite"] {
        assert!(ours["value"][0]["properties"].as_object_mut().unwrap().shift_remove(member).is_some());
    }
    assert_eq!(shape(&ours), shape(&recorded["body"]));
}

#[tokio::test(start_paused = true)]
async fn an_accepted_snapshot_is_as_it_was() {
    let Some(recorded) = recording("snapshot_patch_shape.json") else { return };
    let client = Client::new(on_that_day(LIFECYCLE));
    estate(&client);
    let (request, response) = (&recorded["request"], &recorded["response"]);
    let reply = client.send(method(request), request["path"].as_str().unwrap(), Some(&request["body"])).await;
    assert_eq!(json!(reply.status), response["status"]);
    for (name, value) in response["headers"].as_object().unwrap() {
        let ours = reply.header(&name.to_ascii_lowercase()).unwrap();
        match value.as_str().unwrap() {
            // Shortened in the recording.
            was if was.starts_with('<') => assert!(ours.contains("/DiskOperations/"), "{name}: {ours}"),
            was if was.contains(';') => assert_eq!(groups(ours), groups(was)),
            was => assert_eq!(ours, was, "{name}"),
        }
    }
    assert_eq!(shape(&reply.json()), shape(&response["body"]));
}

fn method(request: &Value) -> Method {
    match request["method"].as_str().unwrap() {
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        _ => Method::Get,
    }
}

fn is_url(name: &str) -> bool {
    ["azure-asyncoperation", "location"].contains(&name.to_ascii_lowercase().as_str())
}

/// Differences that are not known.
fn differences(reply: &Reply, response: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if response["status"] != json!(reply.status) {
        found.push(format!("status {} was {}", reply.status, response["status"]));
    }
    let recorded: HashMap<String, &Value> = response["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    for (name, value) in &recorded {
        let was = value.as_str().or_else(|| value[0].as_str()).unwrap();
        match reply.header(name) {
            None if is_among(&LEFT_OUT, name) => {}
            None => found.push(format!("no header {name}: {was}")),
            Some(_) if BY_CHANCE.contains(&name.as_str()) || is_among(&LEFT_OUT, name) => {}
            Some(ours) if is_url(name) => {
                let (ours, was) = (form_of_url(ours), form_of_url(was));
                if ours != was {
                    found.push(format!("{name} {ours:?} was {was:?}"));
                }
            }
            Some(ours) if name == "x-ms-ratelimit-remaining-resource" => {
                let (ours, was) = (groups(ours), groups(was));
                if ours != was {
                    found.push(format!("{name} {ours:?} was {was:?}"));
                }
            }
            Some(ours) if ours != was => found.push(format!("{name} {ours:?} was {was:?}")),
            Some(_) => {}
        }
    }
    for (name, value) in &reply.headers {
        if !recorded.contains_key(name) && !is_among(&ADDED, name) {
            found.push(format!("header {name}: {value} was not there"));
        }
    }
    if response["body"].is_null() {
        if !reply.text.is_empty() {
            found.push(format!("a body that was not there: {}", reply.text));
        }
    } else if shape(&reply.json()) != shape(&response["body"]) {
        found.push(format!("body {} was {}", shape(&reply.json()), shape(&response["body"])));
    }
    found
}

/// The path without the operation's name, and the parameters' names with those values that do not depend on
/// chance.
fn form_of_url(url: &str) -> (String, Vec<(String, String)>) {
    let (path, query) = url.split_once('?').unwrap();
    let (path, _) = path.rsplit_once('/').unwrap();
    let fixed = ["api-version", "monitor"];
    let parameters = form_urlencoded::parse(query.as_bytes()).map(|(name, value)| {
        let value = if fixed.contains(&name.as_ref()) { value.into_owned() } else { String::new() };
        (name.into_owned(), value)
    });
    (path.to_owned(), parameters.collect())
}

/// The windows in which a request was counted.
fn groups(header: &str) -> Vec<&str> {
    header.split(',').filter_map(|window| window.split(';').next()).collect()
}

/// The same JSON without the values that depend on chance or time.
fn shape(body: &Value) -> String {
    fn strip(value: &mut Value) {
        const CHANCE: [&str; 6] =
            ["startTime", "endTime", "timeCreated", "uniqueId", "sourceUniqueId", "accessSAS"];
        for item in value.as_array_mut().into_iter().flatten() {
            strip(item);
        }
        let Some(members) = value.as_object_mut() else { return };
        for (name, member) in members.iter_mut() {
            if CHANCE.contains(&name.as_str())
                || (name == "name" && member.as_str().is_some_and(|n| n.len() == 36))
            {
                *member = Value::from("-");
            }
            strip(member);
        }
    }
    let mut body = body.clone();
    strip(&mut body);
    format!("{body:#}")
}
