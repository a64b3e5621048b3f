//! The page of `--keep`: all disks and snapshots, live, and the traces of the selected one.
//!
//! Its server adds the page to the routes of the control surface, on its own loopback port. The page reads traces by
//! `GET /spans`: the spans that the collector decoded from OTLP.

use std::{
    convert::Infallible,
    future::IntoFuture as _,
    sync::{Arc, Weak},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use diskseal_emulator::{
    disk_body,
    estate::{disk_id, snapshot_id},
    local_azure::LocalAzure,
    snapshot_body,
};
use futures::{Stream, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{act::Stage, people::Person, picture, scene::PRODUCTION};

/// The files, with their media types.
const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("page/page.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page/page.js")),
    ("/waterfall.js", "text/javascript; charset=utf-8", include_str!("page/waterfall.js")),
];

/// The page runs only its own two scripts and connects only to its own server, whatever a tag or a span contains.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Time between two checks for changes while a page is open.
const LOOK: Duration = Duration::from_millis(200);

/// Resource group of the resources that the page creates.
const GROUP: &str = "rg-play";

/// State of the routes. It holds a weak reference, because connections outlive the server for a moment and must not
/// keep the local Azure alive.
#[derive(Clone, Debug)]
struct Playground {
    azure: Weak<LocalAzure>,
    stage: Arc<Stage>,
}

/// The page's server, which serves until it is dropped.
pub(crate) fn serve(
    azure: &Arc<LocalAzure>,
    stage: &Arc<Stage>,
    listener: TcpListener,
) -> impl Future<Output = std::io::Result<()>> + use<> {
    let own = Router::new()
        .route("/live", get(live))
        .route("/create", post(create))
        .with_state(Playground { azure: Arc::downgrade(azure), stage: Arc::clone(stage) });
    let own = FILES.into_iter().fold(own, |router, (path, media_type, text)| {
        router.route(path, get(move || async move { file(media_type, text) }))
    });
    axum::serve(listener, azure.control.router_with(own)).into_future()
}

fn file(media_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

/// Sends the picture now and after every change.
async fn live(
    State(playground): State<Playground>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let pictures = stream::unfold((playground, String::new()), |(playground, shown)| async move {
        loop {
            let azure = playground.azure.upgrade()?;
            let picture = picture::of(&azure, &playground.stage).to_string();
            drop(azure);
            if picture != shown {
                return Some((Ok(Event::default().data(&picture)), (playground, picture)));
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    Sse::new(pictures).keep_alive(KeepAlive::default())
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Disk,
    Snapshot,
}

/// A request to create a resource.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    kind: Kind,
    name: String,
    #[serde(default)]
    tags: Value,
}

/// Creates a disk as Jane or a snapshot as the backup service, by an ordinary request to Resource Manager.
async fn create(State(Playground { azure, stage }): State<Playground>, body: Bytes) -> Response {
    let refused = |fault: String| (StatusCode::BAD_REQUEST, shown(&json!({"error": fault}))).into_response();
    let order: Order = match serde_json::from_slice(&body) {
        Ok(order) => order,
        Err(fault) => return refused(format!("invalid request: {fault}")),
    };
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if order.name.is_empty() || order.name.len() > 80 || !order.name.chars().all(is_of_name) {
        return refused("a name must have 1 to 80 letters, digits, '-', '_' or '.'".to_owned());
    }
    let Some(azure) = azure.upgrade() else { return refused("the local Azure has stopped".to_owned()) };
    let (person, id, mut body) = match order.kind {
        Kind::Disk => (Person::Jane, disk_id(PRODUCTION, GROUP, &order.name), disk_body("westeurope")),
        Kind::Snapshot => {
            let source = disk_id(PRODUCTION, "rg-sql", "sql-data-01");
            let id = snapshot_id(PRODUCTION, GROUP, &order.name);
            (Person::Backup, id, snapshot_body("westeurope", &source))
        }
    };
    if !order.tags.is_null() {
        body["tags"] = order.tags;
    }
    match stage.create(&person.token(&azure), &id, &body).await {
        Ok(()) => (StatusCode::CREATED, shown(&json!({"id": id}))).into_response(),
        Err(fault) => refused(fault.to_string()),
    }
}

fn shown(value: &Value) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string())
}
