//! Comparison with traffic that was recorded from Azure. It is not ours to copy, so it is read from where
//! `DISKSEAL_FIXTURES` points, and without that nothing is compared.

use std::path::PathBuf;

use azure_core::http::Method;
use serde_json::Value;

use super::Client;
use crate::answer::{crlf, crlf_with_output};
use crate::options::Options;

fn exchanges(file: &str) -> Vec<Value> {
    let Some(folder) = std::env::var_os("DISKSEAL_FIXTURES").map(PathBuf::from) else {
        println!("DISKSEAL_FIXTURES is not set: nothing is compared with {file}");
        return Vec::new();
    };
    let text = std::fs::read_to_string(folder.join("recorded").join(file)).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["exchanges"].as_array().unwrap().clone()
}

const LIFECYCLE: &str = "disk_lifecycle.2023-01-11.api-2022-07-02.json";
const WITH_MODE: &str = "disk_create_with_dataAccessAuthMode.2023-11-06.api-2023-04-02.json";

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

/// Sends what was sent, and holds every answer against the recorded one: status, header names, and the body
/// with the names of its members in their order. Values are compared where they do not depend on chance.
#[tokio::test(start_paused = true)]
async fn the_recorded_conversations_go_the_same_way() {
    for file in [LIFECYCLE, WITH_MODE] {
        let client = Client::new(Options { region: "EASTUS2".to_owned(), ..Options::default() });
        let mut urls = std::collections::HashMap::new();
        for exchange in exchanges(file) {
            let (request, response) = (&exchange["request"], &exchange["response"]);
            let method = match request["method"].as_str().unwrap() {
                "PUT" => Method::Put,
                "PATCH" => Method::Patch,
                "POST" => Method::Post,
                "DELETE" => Method::Delete,
                _ => Method::Get,
            };
            let recorded = request["uri"].as_str().unwrap().to_owned();
            let target = urls.get(&recorded).cloned().unwrap_or_else(|| recorded.clone());
            let body = Some(&request["body"]).filter(|body| !body.is_null());
            let mut reply = client.send(method, &target, body).await;
            if exchange["label"] == "poll-1-already-succeeded" {
                reply = client.get(&target).await;
            }
            assert_eq!(json_status(response), reply.status, "{}", exchange["label"]);
            for (name, value) in response["headers"].as_object().unwrap() {
                let name = name.to_ascii_lowercase();
                if ["azure-asyncoperation", "location"].contains(&name.as_str()) {
                    let ours = reply.header(&name).unwrap().to_owned();
                    urls.insert(value.as_str().unwrap().to_owned(), ours);
                } else if !TRANSPORT.contains(&name.as_str()) {
                    assert!(reply.header(&name).is_some(), "{} {name}", exchange["label"]);
                }
            }
            if response["body"].is_null() {
                assert_eq!(reply.text, "", "{}", exchange["label"]);
            } else {
                assert_eq!(shape(&reply.json()), shape(&response["body"]), "{}", exchange["label"]);
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
}

/// Headers of the transport, which is not Azure's here.
const TRANSPORT: [&str; 4] = ["content-encoding", "transfer-encoding", "vary", "content-length"];

fn json_status(response: &Value) -> u16 {
    u16::try_from(response["status"].as_u64().unwrap()).unwrap()
}

/// The same JSON with what depends on chance or time taken out.
fn shape(body: &Value) -> String {
    fn strip(value: &mut Value) {
        const CHANCE: [&str; 5] = ["startTime", "endTime", "timeCreated", "uniqueId", "accessSAS"];
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
