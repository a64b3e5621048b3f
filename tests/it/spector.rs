//! Our client of long-running operations against Microsoft's conformance mock for SDKs, `@typespec/spector`
//! with `@azure-tools/azure-http-specs`: an independent reading of ARM's rules.
//!
//! The mock has no disks. A transport between our client and the wire turns the one request about a disk into
//! the request that opens a scenario; everything after it, every poll and every header, comes from the mock
//! and our client. `tests/judges/spector/run` starts the mock and passes its address.

use std::{
    io::Write as _,
    sync::{Arc, Mutex, Once},
    time::Duration,
};

use azure_core::{
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    http::{AsyncRawResponse, HttpClient, Method, Request, Url, headers::CONTENT_TYPE},
};
use diskseal::{
    arm::{Client, Failure, Operation, State, Update},
    azure::{Identity, Terms, http_client},
    resource::DataAccessAuthMode,
    resource_id::ResourceId,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::world::end_of;

const DISK: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/test-rg/providers/Microsoft.Compute/disks/d";
const GROUP: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/test-rg/providers";
const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/providers";

/// The request that opens a scenario.
#[derive(Debug)]
struct Opening {
    method: Method,
    path: String,
    body: Option<Value>,
}

/// An answered request: its method, the last segment of its path, and the status.
type Exchange = (String, String, u16);

#[derive(Debug)]
struct Transport {
    http: Arc<dyn HttpClient>,
    mock: Url,
    opening: Opening,
    exchanges: Mutex<Vec<Exchange>>,
}

#[async_trait::async_trait]
impl HttpClient for Transport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut sent = request.clone();
        if request.url().path() == DISK {
            let mut url = self.mock.clone();
            url.set_path(&self.opening.path);
            url.set_query(Some("api-version=2023-12-01-preview"));
            sent = Request::new(url, self.opening.method);
            if let Some(body) = &self.opening.body {
                sent.insert_header(CONTENT_TYPE, "application/json");
                sent.set_body(body.to_string());
            }
        }
        let answer = self.http.execute_request(&sent).await?;
        let last = sent.url().path().rsplit('/').next().unwrap_or_default().to_owned();
        let status = u16::from(answer.status());
        self.exchanges.lock().unwrap().push((sent.method().as_str().to_owned(), last, status));
        Ok(answer)
    }
}

/// The mock does not authenticate.
#[derive(Debug)]
struct Anybody;

#[async_trait::async_trait]
impl TokenCredential for Anybody {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(Secret::new("anybody"), OffsetDateTime::now_utc() + time::Duration::HOUR))
    }
}

struct Scenario {
    client: Client,
    transport: Arc<Transport>,
}

/// A client for which every request about a disk opens this scenario; none if no mock is configured.
fn scenario(method: Method, path: &str, body: Option<Value>) -> Option<Scenario> {
    static SAID: Once = Once::new();
    let Ok(mock) = std::env::var("DISKSEAL_SPECTOR") else {
        // Bypasses the test harness, which would capture it.
        SAID.call_once(|| {
            let _ = writeln!(
                std::io::stderr(),
                "skipped: DISKSEAL_SPECTOR names no conformance mock; tests/judges/run spector does"
            );
        });
        return None;
    };
    let mock = Url::parse(&mock).unwrap();
    let opening = Opening { method, path: path.to_owned(), body };
    let http = http_client().unwrap();
    let transport = Arc::new(Transport { http, mock: mock.clone(), opening, exchanges: Mutex::default() });
    let identity =
        Identity::with_credential("scope".into(), OffsetDateTime::now_utc, || Ok(Arc::new(Anybody))).unwrap();
    Some(Scenario {
        client: Client::new(mock, transport.clone() as Arc<dyn HttpClient>, identity, None),
        transport,
    })
}

impl Scenario {
    /// Opens the scenario by a PATCH.
    async fn open(&self) -> Operation {
        let (disk, terms) = (disk(), Terms::for_event(Duration::from_secs(20)));
        let update =
            self.client.update(&disk, &DataAccessAuthMode::AzureActiveDirectory.into(), None, terms).await;
        let Update::Accepted(operation) = update.unwrap() else { panic!("not accepted: done at once") };
        operation
    }

    /// Opens the scenario and waits for its end, which must be a success. Returns all exchanges.
    async fn run(&self) -> Vec<Exchange> {
        let resource = end_of(&self.client, self.open().await).await;
        assert!(resource.is_none(), "none of the scenarios ends with a disk: {resource:?}");
        self.transport.exchanges.lock().unwrap().clone()
    }
}

fn disk() -> ResourceId {
    DISK.parse().unwrap()
}

fn exchanges(expected: &[(&str, &str, u16)]) -> Vec<Exchange> {
    expected.iter().map(|(method, last, status)| ((*method).into(), (*last).into(), *status)).collect()
}

#[tokio::test]
async fn a_201_with_azure_async_operation_is_polled_to_its_end() {
    let path = format!("{GROUP}/Azure.ResourceManager.OperationTemplates/orders/order1");
    let body = json!({"location": "eastus", "properties": {"productId": "product1", "amount": 1}});
    let Some(scenario) = scenario(Method::Put, &path, Some(body)) else { return };
    let said = scenario.run().await;
    let poll = ("GET", "lro_create_aao", 200);
    assert_eq!(said, exchanges(&[("PUT", "order1", 201), poll, poll]));

    // The operation has no output, so the client reads the resource; the mock's is not a disk.
    let path = format!("{GROUP}/Azure.ResourceManager.OperationTemplates/orders/order1");
    let get = self::scenario(Method::Get, &path, None).unwrap();
    let order = get.client.get(&disk(), Terms::for_event(Duration::from_secs(5))).await.unwrap();
    assert_eq!(order.provisioning_state.as_deref(), Some("Succeeded"));
}

#[tokio::test]
async fn azure_async_operation_goes_before_location() {
    let path = format!("{GROUP}/Azure.ResourceManager.OperationTemplates/orders/order1/export");
    let Some(scenario) = scenario(Method::Post, &path, Some(json!({"format": "csv"}))) else { return };
    let said = scenario.run().await;
    let poll = ("GET", "lro_post_aao", 200);
    assert_eq!(said, exchanges(&[("POST", "export", 202), poll, poll]));
}

#[tokio::test]
async fn a_location_is_polled_from_202_to_204() {
    let path = format!("{GROUP}/Azure.ResourceManager.OperationTemplates/orders/order1");
    let Some(scenario) = scenario(Method::Delete, &path, None) else { return };
    let said = scenario.run().await;
    let polls = [("GET", "lro_delete_location", 202), ("GET", "lro_delete_location", 204)];
    assert_eq!(said, exchanges(&[("DELETE", "order1", 202), polls[0], polls[1]]));
}

#[tokio::test]
async fn a_location_is_polled_from_202_to_200() {
    let path = format!("{GROUP}/Azure.ResourceManager.OperationTemplates/products/default/postPagingLro");
    let Some(scenario) = scenario(Method::Post, &path, None) else { return };
    let said = scenario.run().await;
    let polls = [("GET", "lro_paging_post_location", 202), ("GET", "lro_paging_post_location", 200)];
    assert_eq!(said, exchanges(&[("POST", "postPagingLro", 202), polls[0], polls[1]]));
}

#[tokio::test]
async fn retry_after_is_read_at_each_answer() {
    let path = format!("{SUBSCRIPTION}/Azure.ResourceManager.OperationTemplates/exportArray");
    let Some(scenario) = scenario(Method::Post, &path, Some(json!({"format": "csv"}))) else { return };
    let mut operation = scenario.open().await;
    assert_eq!(operation.retry_after(), Some(Duration::from_secs(1)), "of the 202");
    let terms = Terms::for_event(Duration::from_secs(20));
    assert!(matches!(scenario.client.poll(&mut operation, terms).await, Ok(State::Running)));
    assert_eq!(operation.retry_after(), Some(Duration::from_secs(1)), "of the answer to a poll");
}

#[tokio::test]
async fn urls_of_6_kb_are_followed() {
    let path = format!("{GROUP}/Azure.ResourceManager.LargeHeader/largeHeaders/header1/two6k");
    let Some(scenario) = scenario(Method::Post, &path, None) else { return };
    let said = scenario.run().await;
    let poll = ("GET", "post_aao", 200);
    assert_eq!(said, exchanges(&[("POST", "two6k", 202), poll, poll]));
}

#[tokio::test]
async fn arms_error_is_understood() {
    let path = format!("{GROUP}/Azure.ResourceManager.CommonProperties/confidentialResources/confidential");
    let Some(scenario) = scenario(Method::Get, &path, None) else { return };
    let error = scenario.client.get(&disk(), Terms::for_event(Duration::from_secs(5))).await.unwrap_err();
    assert_eq!((error.failure, error.code.as_deref()), (Failure::Gone, Some("ResourceNotFound")));
}
