//! The local Azure's control surface: what tests call in process, for people and programs over HTTP.
//!
//! It is plain HTTP on a port of loopback of its own, without credentials. Bodies are JSON; a refusal is
//! `{"error": "…"}`. Times are RFC 3339.
//!
//! | request | what it does |
//! | --- | --- |
//! | `GET /` | names the requests |
//! | `GET /resources` | every disk and snapshot, as a GET at Resource Manager would show it |
//! | `GET /journal?resource=&last=` | every request to Resource Manager and the identity endpoint with its answer; `resource` is a name or a whole id (polls of operations name no resource), `last` how many |
//! | `GET /invocations?function=` | every call of the handler by the Functions host, and its verdict |
//! | `GET /console` | every line that the handler has written |
//! | `GET /spans?trace=` | every span that the collector has received |
//! | `GET /metrics?name=` | every point of every metric that the collector has received, the latest of each time series last |
//! | `GET /deliveries` | every attempt of Event Grid, and what became of the events |
//! | `GET /dead-letters` | the events that Event Grid gave up |
//! | `GET /queue` | every queue of the storage account with its messages, hidden ones too |
//! | `GET /faults` | every fault that was put in force here, and how many requests it has met |
//! | `POST /faults` | puts a fault in force; see [`fault`] |
//! | `POST /faults/{id}/release` | lets the requests go on that the fault holds |
//! | `POST /faults/{id}/cut-off` | breaks the connections of the requests that the fault holds |
//! | `DELETE /faults/{id}` | takes one fault out of force |
//! | `DELETE /faults` | takes all faults out of force, in-process ones too |
//! | `POST /publish` | delivers an event or an array of events, any JSON, past Event Grid's filters |
//! | `POST /kill` | SIGKILLs the handler; the host starts it again by its rules, which know three errors in 30 minutes |
//! | `POST /timer/{function}` | runs a timer function now and answers with its invocation |
//!
//! Beside it stands Event Grid's custom topic, over HTTP and HTTPS: see [`topic`].

pub mod fault;
pub mod topic;

mod record;
mod routes;

use std::io;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::task::AbortHandle;

use self::fault::Ordered;
use self::topic::Topic;
use crate::Emulator;
use crate::collector::Collector;
use crate::event_grid::EventGrid;
use crate::host::FunctionsHost;
use crate::serve::{Ports, Serving, listen};

/// The running control surface. Dropping it closes its ports.
#[derive(Debug)]
pub struct Control {
    /// Where it is: `http://127.0.0.1:PORT`.
    pub url: String,
    /// The custom topic; none where no Event Grid runs.
    pub topic: Option<TopicAddress>,
    listeners: Vec<AbortHandle>,
}

/// Where and how to publish events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicAddress {
    /// The endpoint with TLS: `https://localhost:PORT/api/events`.
    pub https: String,
    /// The endpoint without: `http://127.0.0.1:PORT/api/events`.
    pub http: String,
    /// What the header `aeg-sas-key` must say.
    pub key: String,
}

/// What runs around the handler. It is not kept alive by being controlled.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    pub(crate) host: Weak<FunctionsHost>,
    pub(crate) event_grid: Weak<EventGrid>,
}

/// What the routes share.
#[derive(Debug)]
struct Surface {
    emulator: Emulator,
    collector: Arc<Collector>,
    platform: Option<Platform>,
    faults: Mutex<Vec<Ordered>>,
}

impl Control {
    /// Controls Resource Manager, the identity endpoint and the collector alone; what needs a handler is
    /// refused.
    pub async fn start(
        emulator: &Emulator,
        collector: &Arc<Collector>,
        serving: &Serving,
        ports: Ports,
    ) -> io::Result<Self> {
        Self::start_with(emulator, collector, None, serving, ports).await
    }

    pub(crate) async fn start_with(
        emulator: &Emulator,
        collector: &Arc<Collector>,
        platform: Option<Platform>,
        serving: &Serving,
        ports: Ports,
    ) -> io::Result<Self> {
        let surface = Surface {
            emulator: emulator.clone(),
            collector: Arc::clone(collector),
            platform: platform.clone(),
            faults: Mutex::default(),
        };
        let (control, address) = listen(ports.control, routes::router(surface), None).await?;
        let mut this = Self { url: format!("http://{address}"), topic: None, listeners: vec![control] };
        let Some(platform) = platform else { return Ok(this) };
        let topic = Topic::new(platform.event_grid);
        let key = topic.key().to_owned();
        let router = topic::router(topic);
        let (tls, https) = listen(ports.topic_https, router.clone(), Some(serving.tls())).await?;
        this.listeners.push(tls);
        let (plain, http) = listen(ports.topic_http, router, None).await?;
        this.listeners.push(plain);
        let https = format!("https://localhost:{}{}", https.port(), topic::PATH);
        this.topic = Some(TopicAddress { https, http: format!("http://{http}{}", topic::PATH), key });
        Ok(this)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}
