//! Our client against recorded responses of the real Azure, byte for byte.
//!
//! We may not copy the recordings; they are read from the folder that the environment names. Of their
//! headers, `Content-Encoding` and `Transfer-Encoding` are omitted, as the transport removes both before the
//! client sees a response, and `Server`, which came twice, comes once.

use std::{collections::VecDeque, fmt, fs, path::Path, sync::Arc, time::Duration};

use azure_core::{
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    http::{AsyncRawResponse, Body, HttpClient, Request, StatusCode, Url, headers::Headers},
};
use diskseal::{
    arm::{Client, Operation, State, Update},
    azure::{Identity, Terms},
    resource::{DataAccessAuthMode, Resource},
    resource_id::{ResourceId, ResourceType},
};
use diskseal_emulator::definitions::fixtures_or_notice;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::Mutex;

use crate::world::end_of;

mod live;

const LIFECYCLE: &str = "disk_lifecycle.2023-01-11.api-2022-07-02.json";
const WITH_MODE: &str = "disk_create_with_dataAccessAuthMode.2023-11-06.api-2023-04-02.json";
const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
const MINUTE: Duration = Duration::from_mins(1);

/// A recorded response.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn of(response: &Value) -> Self {
        let text = |value: &Value| value.as_str().or_else(|| value[0].as_str()).unwrap().to_owned();
        let headers = response["headers"].as_object().unwrap().iter();
        let headers: Vec<_> =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), signed(&text(value)))).collect();
        let body = wire(&response["body"]);
        let announced = headers.iter().find(|(name, _)| name == "content-length");
        if let Some((_, length)) = announced {
            assert_eq!(*length, body.len().to_string(), "the body is as it was on the wire");
        }
        let undone = ["content-encoding", "transfer-encoding"];
        let headers = headers.into_iter().filter(|(name, _)| !undone.contains(&name.as_str())).collect();
        Self { status: response["status"].as_u64().unwrap().try_into().unwrap(), headers, body }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value).unwrap()
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }
}

/// The original bytes of a body: indented by two spaces, CRLF, and the output of an operation unindented.
fn wire(body: &Value) -> Vec<u8> {
    if body.is_null() {
        return vec![];
    }
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap().replace('\n', "\r\n");
    let mut outer = body.clone();
    let output = outer.pointer_mut("/properties/output").map(|output| std::mem::replace(output, json!("@")));
    let text = pretty(&outer);
    output.map_or(text.clone(), |output| text.replace("\"@\"", &pretty(&output))).into_bytes()
}

/// Values that the recordings shorten, `<2489-char base64url X.509 cert of …>`, at their recorded length.
fn signed(url: &str) -> String {
    let mut parts = url.split('<');
    let mut whole = parts.next().unwrap().to_owned();
    for part in parts {
        let (what, rest) = part.split_once('>').unwrap();
        let length = what.split('-').next().unwrap().parse().unwrap();
        whole.extend("MIIG-_aB".chars().cycle().take(length));
        whole.push_str(rest);
    }
    whole
}

/// A transport that answers from the recording, in order, and records the requests.
#[derive(Default)]
struct Replay {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<(String, String, String)>>,
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replay")
    }
}

#[async_trait::async_trait]
impl HttpClient for Replay {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let Body::Bytes(body) = request.body() else { panic!("a stream") };
        let body = String::from_utf8(body.to_vec()).unwrap();
        self.asked.lock().await.push((request.method().to_string(), request.url().to_string(), body));
        let answer = self.answers.lock().await.pop_front().unwrap();
        let mut headers = Headers::new();
        for (name, value) in answer.headers {
            headers.insert(name, value);
        }
        Ok(AsyncRawResponse::from_bytes(StatusCode::from(answer.status), headers, answer.body))
    }
}

#[derive(Debug)]
struct SomeToken;

#[async_trait::async_trait]
impl TokenCredential for SomeToken {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(Secret::new("recorded"), OffsetDateTime::now_utc() + time::Duration::HOUR))
    }
}

/// A client with the recording as its Azure.
struct Azure {
    client: Client,
    replay: Arc<Replay>,
}

impl Azure {
    fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let replay =
            Arc::new(Replay { answers: Mutex::new(answers.into_iter().collect()), ..Replay::default() });
        let identity = Identity::with_credential("scope".to_owned(), OffsetDateTime::now_utc, || {
            Ok(Arc::new(SomeToken))
        })
        .unwrap();
        let endpoint = Url::parse("https://management.azure.com").unwrap();
        let http: Arc<dyn HttpClient> = replay.clone();
        Self { client: Client::new(endpoint, http, identity, None), replay }
    }

    /// The URLs of the requests after the first one.
    async fn polled(&self) -> Vec<String> {
        self.replay.asked.lock().await.iter().skip(1).map(|(_, url, _)| url.clone()).collect()
    }

    async fn accepted(&self, id: &ResourceId) -> Operation {
        let mode = DataAccessAuthMode::AzureActiveDirectory.into();
        match self.client.update(id, &mode, None, Terms::for_event(MINUTE)).await.unwrap() {
            Update::Accepted(operation) => operation,
            Update::Done(resource) => panic!("a part of a resource was taken for all of it: {resource:?}"),
        }
    }

    /// Uses the responses for a PATCH and the polls after it.
    async fn sealed(&self, id: &ResourceId) -> Option<Resource> {
        let operation = self.accepted(id).await;
        end_of(&self.client, operation).await
    }
}

fn read(folder: &Path, file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("recorded").join(file)).unwrap()).unwrap()
}

fn exchanges(folder: &Path, file: &str) -> Vec<(String, Answer)> {
    let recording = read(folder, file);
    let exchanges = recording["exchanges"].as_array().unwrap().iter();
    exchanges.map(|one| (one["label"].as_str().unwrap().to_owned(), Answer::of(&one["response"]))).collect()
}

fn answers(folder: &Path, file: &str, labels: &[&str]) -> Vec<Answer> {
    let exchanges = exchanges(folder, file);
    let find = |label: &&str| exchanges.iter().find(|(known, _)| known == label).unwrap().1.clone();
    labels.iter().map(find).collect()
}

fn id(group: &str, resource_type: &str, name: &str) -> ResourceId {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute/{resource_type}/{name}")
        .parse()
        .unwrap()
}

fn disk() -> ResourceId {
    id("rgname", "disks", "disknamexe6ad29c6")
}

#[tokio::test(start_paused = true)]
async fn a_recorded_patch_is_waited_for_as_azure_asked_and_proven_by_its_output() {
    let Some(folder) = fixtures_or_notice() else { return };
    let recorded = answers(&folder, LIFECYCLE, &["patch-disk", "poll-patch-1", "poll-patch-2"]);
    let url = recorded[0].header("azure-asyncoperation").to_owned();
    let azure = Azure::answering(recorded);
    let end = azure.sealed(&disk()).await;
    let resource = end.unwrap();
    assert_eq!(azure.polled().await, [url.clone(), url]);
    // That PATCH changed only the size: the mode is absent, and absent means None.
    assert_eq!(resource.data_access_auth_mode, DataAccessAuthMode::None);
    assert_eq!(resource.provisioning_state.as_deref(), Some("Succeeded"));
    assert_eq!(resource.disk_state.as_deref(), Some("Unattached"));
    assert!(resource.tags.is_empty() && resource.id == disk());
}

#[tokio::test(start_paused = true)]
async fn signed_urls_are_asked_byte_for_byte_whatever_their_length() {
    let Some(folder) = fixtures_or_notice() else { return };
    let recorded = answers(&folder, WITH_MODE, &["put-disk-with-mode", "poll-1-already-succeeded"]);
    assert!(recorded[0].header("azure-asyncoperation").len() > 3_000);
    // As recorded, then longer than clients must support, with characters that URL parsers tend to change.
    // Azure signs in base64url, which never contains an apostrophe, a character that the URL standard encodes
    // in a query.
    for more in [String::new(), format!("&x={}%2F%2f+~&&=", "a".repeat(8_000))] {
        let mut recorded = recorded.clone();
        let url = format!("{}{more}", recorded[0].header("azure-asyncoperation"));
        let header = recorded[0].headers.iter_mut().find(|(name, _)| name == "azure-asyncoperation").unwrap();
        header.1.clone_from(&url);
        let azure = Azure::answering(recorded);
        let end =
            azure.sealed(&id("cli_test_disk_data_access_auth_mode_000001", "disks", "disk-000002")).await;
        assert!(azure.polled().await == [url], "not as it was given");
        assert_eq!(end.unwrap().data_access_auth_mode, DataAccessAuthMode::AzureActiveDirectory);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorded_disk_that_never_had_a_mode_has_none() {
    let Some(folder) = fixtures_or_notice() else { return };
    for label in ["get-disk", "get-disk-after-patch"] {
        let azure = Azure::answering(answers(&folder, LIFECYCLE, &[label]));
        let resource = azure.client.get(&disk(), Terms::for_event(MINUTE)).await.unwrap();
        assert_eq!(resource.data_access_auth_mode, DataAccessAuthMode::None);
        assert!(resource.tags.is_empty() && !resource.is_provisioning() && !resource.is_uploading());
        let asked = azure.replay.asked.lock().await;
        let url = format!("https://management.azure.com{}?api-version=2024-03-02", disk());
        assert_eq!(*asked, [("GET".to_owned(), url, String::new())]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_snapshot_has_no_name_and_proves_nothing() {
    let Some(folder) = fixtures_or_notice() else { return };
    let urls = answers(&folder, LIFECYCLE, &["patch-disk", "poll-patch-1"]);
    let mut shape = read(&folder, "snapshot_patch_shape.json")["response"].clone();
    shape["headers"]["Azure-AsyncOperation"] = json!(urls[0].header("azure-asyncoperation"));
    shape["headers"]["Location"] = json!(urls[0].header("location"));
    let sent = read(&folder, "snapshot_patch_shape.json")["request"]["path"].as_str().unwrap().to_owned();
    let snapshot: ResourceId = sent.split('?').next().unwrap().parse().unwrap();
    assert_eq!(snapshot.resource_type(), ResourceType::Snapshot);
    let azure = Azure::answering([Answer::of(&shape), urls[1].clone()]);
    let operation = azure.accepted(&snapshot).await;
    let mut operation = operation;
    let state = azure.client.poll(&mut operation, Terms::for_event(Duration::from_secs(5))).await;
    assert_eq!(state, Ok(State::Running));
    assert_eq!(operation.retry_after(), Some(Duration::from_secs(10)));
}

#[tokio::test(start_paused = true)]
async fn an_upper_case_group_in_a_list_is_the_same_group() {
    let Some(folder) = fixtures_or_notice() else { return };
    let azure = Azure::answering([Answer::of(&read(&folder, "list_shape_uppercase_rg.json"))]);
    let terms = Terms::for_event(MINUTE);
    let page = azure.client.list(SUBSCRIPTION, ResourceType::Disk, terms).await.unwrap();
    let [resource] = page.resources.as_slice() else { panic!("{page:?}") };
    assert_eq!(page.unreadable, []);
    assert_eq!(resource.id, id("rgname", "disks", "disk1"));
    assert!(resource.id.to_string().contains("/RGNAME/"), "and is asked for as Azure spells it");
    assert_eq!(resource.data_access_auth_mode, DataAccessAuthMode::None);
    assert!(azure.client.next(SUBSCRIPTION, &page, terms).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_end_that_carries_no_resource_proves_nothing() {
    let Some(folder) = fixtures_or_notice() else { return };
    for labels in [
        ["delete-disk", "poll-del-1", "poll-del-2"].as_slice(),
        &["end-get-access", "poll-ega-1", "poll-ega-2"],
        // The output is an access, not a resource.
        &["begin-get-access", "poll-bga-1", "poll-bga-2"],
    ] {
        let azure = Azure::answering(answers(&folder, LIFECYCLE, labels));
        let end = azure.sealed(&disk()).await;
        assert_eq!(end, None, "{labels:?}");
    }
    // Without the other header, the client polls `Location`, which returns the result itself.
    for (accepted, result) in [("begin-get-access", "location-bga"), ("end-get-access", "location-ega")] {
        let [accepted, result] = answers(&folder, LIFECYCLE, &[accepted, result]).try_into().unwrap();
        let url = accepted.header("location").to_owned();
        let azure = Azure::answering([accepted.without("azure-asyncoperation"), result]);
        assert_eq!(azure.sealed(&disk()).await, None);
        assert_eq!(azure.polled().await, [url]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_official_answers_to_a_merge_of_tags_are_read() {
    let Some(folder) = fixtures_or_notice() else { return };
    let example = folder.join("openapi/specification/resources/resource-manager/Microsoft.Resources/stable/2024-07-01/examples/PatchTagsResource.json");
    let example: Value = serde_json::from_str(&fs::read_to_string(example).unwrap()).unwrap();
    let wanted = serde_json::from_value(json!({"tagKey1": "tag-value-1"})).unwrap();
    for (status, known) in [(200, true), (202, false)] {
        let mut response = example["responses"][status.to_string()].clone();
        response["status"] = json!(status);
        if response["headers"].is_null() {
            response["headers"] = json!({"Content-Type": "application/json; charset=utf-8"});
        }
        let azure = Azure::answering([Answer::of(&response)]);
        let tags = azure.client.merge_tags(&disk(), &wanted, None, Terms::for_event(MINUTE)).await.unwrap();
        assert_eq!(tags.is_some(), known, "{status}");
        if let Some(tags) = tags {
            assert_eq!(serde_json::to_value(tags).unwrap(), response["body"]["properties"]["tags"]);
        }
        assert_eq!(azure.replay.asked.lock().await.len(), 1, "its URL is never asked");
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorded_creation_is_read_like_a_change() {
    let Some(folder) = fixtures_or_notice() else { return };
    let azure = Azure::answering(answers(&folder, LIFECYCLE, &["put-disk", "poll-put-1", "poll-put-2"]));
    assert_eq!(azure.sealed(&disk()).await.unwrap().data_access_auth_mode, DataAccessAuthMode::None);
}

#[test]
fn no_recorded_exchange_is_left_out() {
    let Some(folder) = fixtures_or_notice() else { return };
    let tests = include_str!("recorded.rs");
    for (label, _) in [LIFECYCLE, WITH_MODE].iter().flat_map(|file| exchanges(&folder, file)) {
        assert!(tests.contains(&format!("\"{label}\"")), "{label} is read by no test");
    }
}
