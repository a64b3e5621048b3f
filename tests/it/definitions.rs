//! Tests the judge of Azure's official definitions: it accepts Azure's own examples, it finds every mistake
//! planted into them, and a test cannot ignore its findings.

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
    process::Command,
};

use azure_core::http::{Method, Request, Url};
use diskseal_emulator::{
    Emulator, Options,
    definitions::{Definitions, fixtures_or_notice},
    disk_body,
    estate::disk_id,
    fault::Kind,
    journal::Exchange,
    write::Caller,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::world::SUBSCRIPTION;

mod coverage;

const ARM: &str = "https://management.azure.com";
const SPECIFICATIONS: [&str; 4] = [
    "compute/resource-manager/Microsoft.Compute/DiskRP/stable/2024-03-02/disk.json",
    "compute/resource-manager/Microsoft.Compute/DiskRP/stable/2024-03-02/snapshot.json",
    "resources/resource-manager/Microsoft.Resources/stable/2024-07-01/tags.trimmed.json",
    "resourcegraph/resource-manager/Microsoft.ResourceGraph/stable/2024-04-01/resourcegraph.json",
];

/// Where Azure's examples violate Azure's definitions: the example, the place, and how.
const BAD_EXAMPLES: [(&str, &str, &str); 2] = [
    ("Snapshot_GetIncrementalSnapshot", "/properties/networkAccessPolicy", "\"0\" is not one of"),
    ("Snapshot_GetIncrementalSnapshot", "/properties/diskState", "\"0\" is not one of"),
];

pub(crate) fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A correct exchange.
fn exchange(method: &str, path: &str, query: &str, body: Value, status: u16, answer: Value) -> Exchange {
    let json_type = || Some("application/json".to_owned());
    Exchange {
        kind: Kind::Other,
        method: method.to_owned(),
        origin: ARM.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        client_request_id: None,
        user_agent: Some("diskseal/0".to_owned()),
        content_type: json_type().filter(|_| !body.is_null()),
        traceparent: None,
        object_id: Some("77776666-5555-4444-8333-222211110000".to_owned()),
        request_body: body,
        status: Some(status),
        response_headers: json_type()
            .filter(|_| !answer.is_null())
            .map(|value| ("content-type".to_owned(), value))
            .into_iter()
            .collect(),
        response_body: answer,
        received: OffsetDateTime::UNIX_EPOCH,
        answered: OffsetDateTime::UNIX_EPOCH,
        fault: None,
    }
}

/// Every official example of every operation, once per response.
fn official_examples(fixtures: &Path) -> Vec<(String, Exchange)> {
    let mut found = vec![];
    for file in SPECIFICATIONS {
        let file = fixtures.join("openapi/specification").join(file);
        let specification = read(&file);
        for (path, methods) in specification["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                for (_, example) in operation["x-ms-examples"].as_object().into_iter().flatten() {
                    let example = file.parent().unwrap().join(example["$ref"].as_str().unwrap());
                    found.extend(exchanges_of(&example, method, path));
                }
            }
        }
    }
    found
}

fn exchanges_of(example: &Path, method: &str, template: &str) -> Vec<(String, Exchange)> {
    let name = example.file_stem().unwrap().to_string_lossy().into_owned();
    let example = read(example);
    let parameters = example["parameters"].as_object().unwrap();
    let (mut path, mut body) = (template.to_owned(), Value::Null);
    for (name, value) in parameters {
        match value {
            Value::String(text) if name != "api-version" => {
                path = path.replace(&format!("{{{name}}}"), text.trim_matches('/'));
            }
            Value::Object(_) => body = value.clone(),
            _ => {}
        }
    }
    let version = parameters["api-version"].as_str().unwrap();
    let query = format!("api-version={version}");
    example["responses"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(status, response)| {
            let answer = response.get("body").cloned().unwrap_or_default();
            let method = method.to_ascii_uppercase();
            let status = status.parse().unwrap();
            let mut exchange = exchange(&method, &path, &query, body.clone(), status, answer);
            for (name, value) in response["headers"].as_object().into_iter().flatten() {
                let value = value.as_str().unwrap().to_owned();
                exchange.response_headers.push((name.to_ascii_lowercase(), value));
            }
            if status == 202 && response.get("headers").is_none() {
                // Examples of creations omit the headers.
                exchange.response_headers.push(("location".to_owned(), format!("{ARM}/operation")));
            }
            (name.clone(), exchange)
        })
        .collect()
}

#[test]
fn official_examples_are_found_right_but_for_their_own_mistakes() {
    let Some(fixtures) = fixtures_or_notice() else { return };
    let definitions = Definitions::load(&fixtures).unwrap();
    let examples = official_examples(&fixtures);
    assert!(examples.len() > 100, "{}", examples.len());
    let mut unexpected = vec![];
    let mut seen = BTreeSet::new();
    for (name, exchange) in &examples {
        for fault in definitions.judge(exchange, &HashSet::new()) {
            let known = BAD_EXAMPLES.iter().position(|(example, place, what)| {
                name == example && fault.contains(place) && fault.contains(what)
            });
            match known {
                Some(known) => _ = seen.insert(known),
                None => unexpected.push(format!("{name}: {fault}")),
            }
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    assert_eq!(seen.len(), BAD_EXAMPLES.len(), "an example is right by now");
}

fn disk_path() -> String {
    disk_id(SUBSCRIPTION, "rg-app", "d")
}

/// The PATCH that seals, and Azure's response.
fn patch() -> Exchange {
    let body = json!({"properties": {"dataAccessAuthMode": "AzureActiveDirectory"}});
    let answer = json!({
        "id": disk_path(), "name": "d", "type": "Microsoft.Compute/disks", "location": "westeurope",
        "sku": {"name": "Premium_LRS", "tier": "Premium"}, "tags": {"a": "b"},
        "properties": {
            "creationData": {"createOption": "Empty"}, "diskSizeGB": 4,
            "dataAccessAuthMode": "AzureActiveDirectory", "timeCreated": "2026-11-25T08:00:00.1234567+00:00",
        },
    });
    exchange("PATCH", &disk_path(), "api-version=2024-03-02", body, 200, answer)
}

fn tags() -> Exchange {
    let path = format!("{}/providers/Microsoft.Resources/tags/default", disk_path());
    let body = json!({"operation": "Merge", "properties": {"tags": {"a": "b"}}});
    let mut tags = exchange("PATCH", &path, "api-version=2024-07-01", body, 202, Value::Null);
    tags.response_headers.push(("location".to_owned(), format!("{ARM}/operation")));
    tags
}

fn poll() -> Exchange {
    let path = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope/DiskOperations/1"
    );
    let answer = json!({"startTime": "2026-11-25T08:00:00+00:00", "status": "InProgress", "name": "1"});
    exchange("GET", &path, "p=1&s=signed", Value::Null, 200, answer)
}

fn refused(status: u16) -> Exchange {
    let answer = json!({"error": {"code": "Conflict", "message": "Not now."}});
    Exchange { status: Some(status), response_body: answer, ..patch() }
}

type Mistake = (&'static str, fn() -> Exchange, fn(&mut Exchange), &'static str);

/// Mistakes of the client.
const WRONG_REQUESTS: [Mistake; 14] = [
    ("unknown member", patch, |e| e.request_body["properties"]["authMode"] = json!("x"), "'authMode'"),
    ("member misspelt", patch, |e| e.request_body = json!({"property": {}}), "'property'"),
    ("member of the service", patch, |e| e.request_body["id"] = json!(disk_path()), "'id'"),
    (
        "wrong type",
        patch,
        |e| e.request_body["properties"]["diskSizeGB"] = json!("4"),
        "/properties/diskSizeGB: ",
    ),
    (
        "unknown value",
        patch,
        |e| e.request_body["properties"]["dataAccessAuthMode"] = json!("Entra"),
        "not one of",
    ),
    ("a null", patch, |e| e.request_body["tags"] = Value::Null, "/tags: "),
    ("no body", patch, |e| e.request_body = Value::Null, "Disks_Update needs a body"),
    ("no version", patch, |e| e.query = String::new(), "the query has no api-version"),
    ("other version", patch, |e| e.query = "api-version=2023-04-02".into(), "api-version 2023-04-02"),
    ("unknown parameter", patch, |e| e.query += "&force=true", "a parameter force"),
    ("other content type", patch, |e| e.content_type = Some("text/plain".to_owned()), "content type"),
    ("no token", patch, |e| e.object_id = None, "no bearer token"),
    ("other method", patch, |e| e.method = "MERGE".into(), "no definition knows"),
    ("URL not as given", poll, |e| e.query = "p=1".into(), "not byte for byte"),
];

/// Mistakes of the service.
const WRONG_ANSWERS: [Mistake; 15] = [
    ("unknown member", patch, |e| e.response_body["properties"]["diskSizeByte"] = json!(1), "'diskSizeByte'"),
    ("wrong type", patch, |e| e.response_body["tags"]["a"] = json!(1), "/tags/a: "),
    (
        "too large",
        patch,
        |e| e.response_body["properties"]["diskSizeGB"] = json!(1_u64 << 40),
        "/properties/diskSizeGB",
    ),
    (
        "no time",
        patch,
        |e| e.response_body["properties"]["timeCreated"] = json!("now"),
        "/properties/timeCreated",
    ),
    (
        "inherited member missing",
        patch,
        |e| remove(&mut e.response_body, "location"),
        "\"location\" is a required",
    ),
    ("unknown status", patch, |e| e.status = Some(201), "Disks_Update declares no such status"),
    ("not JSON", patch, |e| e.response_body = json!("<html>"), "a body that is not JSON"),
    ("other content type", patch, |e| e.response_headers.clear(), "content type None"),
    ("a 202 without URLs", patch, |e| e.status = Some(202), "no header has the URL"),
    ("no declared header", tags, |e| e.response_headers.clear(), "no header location"),
    ("a body where none is", tags, |e| e.response_body = json!({}), "declares no body"),
    (
        "an error that is none",
        || refused(409),
        |e| remove(&mut e.response_body["error"], "code"),
        "/error/code",
    ),
    ("an error of another shape", || refused(409), |e| e.response_body["reason"] = json!("x"), "'reason'"),
    ("an end without its time", poll, |e| e.response_body["status"] = json!("Succeeded"), "answer 200"),
    ("a member no state has", poll, |e| e.response_body["progress"] = json!(1), "'progress'"),
];

fn remove(body: &mut Value, member: &str) {
    body.as_object_mut().unwrap().remove(member);
}

#[test]
fn every_mistake_is_found() {
    let Some(fixtures) = fixtures_or_notice() else { return };
    let definitions = Definitions::load(&fixtures).unwrap();
    let issued = HashSet::from([poll().url()]);
    let none: [String; 0] = [];
    for good in [patch(), tags(), poll(), refused(409)] {
        assert_eq!(definitions.judge(&good, &issued), none);
    }
    for (side, mistakes) in [("request: ", &WRONG_REQUESTS[..]), ("answer ", &WRONG_ANSWERS[..])] {
        for (name, good, spoil, expected) in mistakes {
            let mut exchange = good();
            spoil(&mut exchange);
            let found = definitions.judge(&exchange, &issued);
            let is_found = found.iter().any(|fault| fault.starts_with(side) && fault.contains(expected));
            assert!(is_found, "{name}: {found:?}");
        }
    }
}

#[test]
fn requests_of_others_and_answers_that_are_not_azures_are_left_alone() {
    let Some(fixtures) = fixtures_or_notice() else { return };
    let definitions = Definitions::load(&fixtures).unwrap();
    let none: [String; 0] = [];
    let mut others = Exchange { user_agent: Some("az/2".to_owned()), query: String::new(), ..patch() };
    others.request_body = json!({"anything": 1});
    assert_eq!(definitions.judge(&others, &HashSet::new()), none);
    let mut proxys = Exchange { fault: Some("text"), response_body: json!("<html>"), ..patch() };
    assert_eq!(definitions.judge(&proxys, &HashSet::new()), none);
    proxys.fault = Some("refuse");
    assert_ne!(definitions.judge(&proxys, &HashSet::new()), none);
    let cut = Exchange { status: None, response_body: Value::Null, ..patch() };
    assert_eq!(definitions.judge(&cut, &HashSet::new()), none);
}

/// Sends a PATCH with a member that no definition has, with our user agent.
async fn misbehave(azure: &Emulator) {
    send_as_diskseal(azure, Method::Patch, Some(&json!({"sealed": true}))).await;
}

/// Sends a request about an existing disk, with our user agent.
pub(crate) async fn send_as_diskseal(azure: &Emulator, method: Method, body: Option<&Value>) {
    azure.insert(&disk_path(), &disk_body("westeurope")).unwrap();
    let url = Url::parse(&format!("{ARM}{}?api-version=2024-03-02", disk_path())).unwrap();
    let mut request = Request::new(url, method);
    let token = azure.token_for(&Caller::user("0d0d0d0d-0000-4000-8000-000000000001", "Jane Doe"), ARM);
    request.insert_header("authorization", format!("Bearer {token}"));
    request.insert_header("user-agent", "diskseal/0");
    if let Some(body) = body {
        request.insert_header("content-type", "application/json");
        request.set_body(body.to_string());
    }
    let answer = azure.http_client().execute_request(&request).await;
    assert!(answer.is_ok(), "nothing but the judge speaks against it");
}

/// The variable that makes a test commit a fault on purpose, in a separate run.
const CHILD: &str = "DISKSEAL_TEST_MISBEHAVE";

pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs one of these tests in a separate process, and returns its output and result.
pub(crate) fn run_as_child(test: &str) -> (String, String) {
    let binary = std::env::current_exe().unwrap();
    let run = Command::new(binary).args([test, "--exact"]).env(CHILD, "1").output().unwrap();
    assert_eq!(run.status.code(), Some(101));
    (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap())
}

#[test]
fn a_test_that_says_nothing_of_a_fault_fails_all_the_same() {
    let Some(_) = fixtures_or_notice() else { return };
    if is_child() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(async { misbehave(&Emulator::new(Options::immediate())).await });
    }
    let (told, _) = run_as_child("definitions::a_test_that_says_nothing_of_a_fault_fails_all_the_same");
    assert!(told.contains("test result: FAILED. 0 passed; 1 failed"), "{told}");
    assert!(told.contains(&format!("PATCH {}: request: /: ", disk_path())), "{told}");
    assert!(told.contains("'sealed' was unexpected"), "{told}");
}

#[test]
fn a_fault_that_no_test_is_left_for_ends_the_run() {
    let Some(_) = fixtures_or_notice() else { return };
    if is_child() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        // All in a task, whose panics are not propagated.
        let task = runtime.spawn(async { misbehave(&Emulator::new(Options::immediate())).await });
        let _ = runtime.block_on(task);
        return;
    }
    let (told, said) = run_as_child("definitions::a_fault_that_no_test_is_left_for_ends_the_run");
    assert!(said.contains("'sealed' was unexpected"), "{said}");
    assert!(!told.contains("test result"), "{told}");
}
