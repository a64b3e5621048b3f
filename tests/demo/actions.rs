//! What a person can do on the page: ordinary requests to Resource Manager, as Jane or as the backup service, and the
//! attaching of a disk.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use diskseal::resource_id::ResourceId;
use diskseal_emulator::{
    disk_body,
    estate::{disk_id, snapshot_id, virtual_machine_id},
    local_azure::LocalAzure,
    snapshot_body,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{page::Playground, people::Person, scene::PRODUCTION};

/// Resource group of the resources that the page creates.
const GROUP: &str = "rg-play";

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Disk,
    Snapshot,
}

/// A request to create a resource.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Creation {
    kind: Kind,
    name: String,
    #[serde(default)]
    tags: Value,
}

/// A request to change a resource that exists.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    action: Action,
    id: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Delete,
    /// Sets the auth mode to `None`, as an attacker or a template would.
    Undo,
    Attach,
    Detach,
}

/// Creates a disk as Jane or a snapshot as the backup service.
pub(crate) async fn create(State(playground): State<Playground>, body: Bytes) -> Response {
    let creation: Creation = match serde_json::from_slice(&body) {
        Ok(creation) => creation,
        Err(fault) => return refused(&format!("invalid request: {fault}")),
    };
    let (person, id, mut body) = match creation.kind {
        Kind::Disk => (Person::Jane, disk_id(PRODUCTION, GROUP, &creation.name), disk_body("westeurope")),
        Kind::Snapshot => {
            let source = disk_id(PRODUCTION, "rg-sql", "sql-data-01");
            let id = snapshot_id(PRODUCTION, GROUP, &creation.name);
            (Person::Backup, id, snapshot_body("westeurope", &source))
        }
    };
    if !is_name(&creation.name) {
        return refused(
            "a name has 1 to 80 letters, digits, '-', '_' and '.', begins with a letter or a digit, and ends with one \
             or with '_'",
        );
    }
    let Some(azure) = playground.azure.upgrade() else { return stopped() };
    if !creation.tags.is_null() {
        body["tags"] = creation.tags;
    }
    match playground.stage.http.put(&person.token(&azure), &id, &body).await {
        Ok(()) => shown(StatusCode::CREATED, &json!({"id": id})),
        Err(fault) => refused(&fault.to_string()),
    }
}

/// Whether Azure takes a name for a disk or snapshot ("Naming rules and restrictions for Azure resources").
fn is_name(name: &str) -> bool {
    let is_first = |letter: char| letter.is_ascii_alphanumeric();
    let is_last = |letter: char| is_first(letter) || letter == '_';
    let is_any = |letter: char| is_last(letter) || letter == '-' || letter == '.';
    name.len() <= 80 && name.starts_with(is_first) && name.ends_with(is_last) && name.chars().all(is_any)
}

/// Changes or deletes a resource as Jane.
pub(crate) async fn change(State(playground): State<Playground>, body: Bytes) -> Response {
    let Change { action, id } = match serde_json::from_slice(&body) {
        Ok(change) => change,
        Err(fault) => return refused(&format!("invalid request: {fault}")),
    };
    if let Err(fault) = id.parse::<ResourceId>() {
        return refused(&fault.to_string());
    }
    let Some(azure) = playground.azure.upgrade() else { return stopped() };
    match act(&azure, &playground, action, &id).await {
        Ok(()) => shown(StatusCode::OK, &json!({"id": id})),
        Err(fault) => refused(&fault),
    }
}

async fn act(
    azure: &Arc<LocalAzure>,
    playground: &Playground,
    action: Action,
    id: &str,
) -> Result<(), String> {
    let (http, token) = (&playground.stage.http, Person::Jane.token(azure));
    let done = |is_done: bool| is_done.then_some(()).ok_or_else(|| format!("{id} does not exist"));
    match action {
        Action::Delete => http.delete(&token, id).await.map_err(|fault| fault.to_string()),
        Action::Undo => {
            let body = json!({"properties": {"dataAccessAuthMode": "None"}});
            http.patch(&token, id, &body).await.map_err(|fault| fault.to_string())
        }
        Action::Attach => done(azure.emulator.attach(id, &virtual_machine_id(PRODUCTION, GROUP, "vm-play"))),
        Action::Detach => done(azure.emulator.detach(id)),
    }
}

fn refused(fault: &str) -> Response {
    shown(StatusCode::BAD_REQUEST, &json!({"error": fault}))
}

fn stopped() -> Response {
    refused("the local Azure has stopped")
}

fn shown(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
