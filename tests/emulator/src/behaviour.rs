//! The behaviour of the local Azure from outside: over the Azure SDK's transport on a paused clock, and over
//! sockets.

use std::sync::Arc;

use azure_core::http::{HttpClient, Method, Request, Url};
use serde_json::{Value, json};

use crate::{
    Emulator, disk_body,
    estate::disk_id,
    options::{Asynchronous, OperationStyle, Options},
    write::Caller,
};

mod disks;
mod faults;
mod graph;
mod groups;
mod identity;
mod lists;
mod machines;
mod operations;
mod recorded;
mod refusals;
mod sockets;
mod tags;
mod throttling;

const ARM: &str = "https://management.azure.com";
const SUBSCRIPTION: &str = "11111111-2222-4333-8444-555555555555";
const VERSION: &str = "api-version=2024-03-02";

/// A client with a token.
struct Client {
    emulator: Emulator,
    transport: Arc<dyn HttpClient>,
    token: Option<String>,
}

struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {:?}", self.text))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Client {
    fn new(options: Options) -> Self {
        let emulator = Emulator::new(options);
        let token = emulator.token_for(&user(), "https://management.azure.com/");
        Self { transport: emulator.http_client(), emulator, token: Some(token) }
    }

    fn immediate() -> Self {
        Self::new(Options::immediate())
    }

    /// A path with its query, or a whole URL.
    async fn send(&self, method: Method, target: &str, body: Option<&Value>) -> Reply {
        self.try_send(method, target, body).await.unwrap()
    }

    async fn try_send(
        &self,
        method: Method,
        target: &str,
        body: Option<&Value>,
    ) -> azure_core::Result<Reply> {
        let url = if target.starts_with("http") { target.to_owned() } else { format!("{ARM}{target}") };
        let mut request = Request::new(Url::parse(&url).unwrap(), method);
        if let Some(token) = &self.token {
            request.insert_header("authorization", format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request.insert_header("content-type", "application/json");
            request.set_body(body.to_string());
        }
        let (status, headers, body) = self.transport.execute_request(&request).await?.deconstruct();
        let headers = headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_str().to_owned())).collect();
        let body = body.collect().await?;
        Ok(Reply { status: status.into(), headers, text: String::from_utf8(body.to_vec()).unwrap() })
    }

    async fn get(&self, target: &str) -> Reply {
        self.send(Method::Get, target, None).await
    }

    async fn patch(&self, id: &str, body: &Value) -> Reply {
        self.send(Method::Patch, &format!("{id}?{VERSION}"), Some(body)).await
    }

    /// An existing disk.
    fn seed(&self, name: &str) -> String {
        let id = disk_id(SUBSCRIPTION, "rg-app", name);
        self.emulator.insert(&id, &disk_body("westeurope")).unwrap();
        id
    }
}

fn user() -> Caller {
    Caller::user("0d0d0d0d-0000-4000-8000-000000000001", "Jane Doe")
}

fn mode() -> Value {
    json!({"properties": {"dataAccessAuthMode": "AzureActiveDirectory"}})
}

fn asynchronous(change: impl FnOnce(&mut Asynchronous)) -> Options {
    let mut style = Asynchronous::default();
    change(&mut style);
    Options { operations: OperationStyle::Asynchronous(style), ..Options::default() }
}
