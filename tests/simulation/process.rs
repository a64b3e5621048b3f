//! A process of the handler: its connection to Azure, which everything passes that it sends, and its death.

use std::{
    collections::HashMap,
    fmt,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::body::Bytes;
use azure_core::{
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
    http::{AsyncRawResponse, Body, HttpClient, Request, Url},
};
use diskseal::{arm::Client, azure::Identity, config::Config, enforce::Context};
use diskseal_emulator::{Emulator, clock::Clock, write::Caller};
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::{sync::mpsc, time::Instant};

use super::{
    invocation::Invocation,
    observer::Observer,
    request::{Answered, Sent},
    settings::Settings,
};

const AUDIENCE: &str = "https://management.azure.com/";

tokio::task_local! {
    /// The invocation in which a request is sent.
    pub(crate) static INVOCATION: Arc<Invocation>;
}

/// A process that is to be killed.
pub(crate) struct Death {
    pub(crate) place: usize,
    pub(crate) number: u32,
}

/// At which request a process dies.
#[derive(Clone, Copy, Debug)]
struct Trap {
    requests: u32,
    is_after: bool,
}

/// What the observer keeps of a process. It ends with it, as the handler's memory does.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// When requests were sent whose answers showed the mode, the seal's tags, both, or no resource.
    pub(crate) shown: HashMap<String, Shown>,
    /// The accepted writes of the mode.
    pub(crate) accepted: HashMap<String, (u32, Instant)>,
    pub(crate) switch_asked: Option<Instant>,
    /// When ARM has answered 429: then reads may not be sent for as long as it asked for.
    pub(crate) throttled: Option<Instant>,
    /// What the switch was when it was last read, and when.
    pub(crate) switch_off: Option<(bool, Instant)>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) mode: Option<Instant>,
    pub(crate) tags: Option<Instant>,
    pub(crate) all: Option<Instant>,
    pub(crate) gone: Option<Instant>,
}

pub(crate) struct Process {
    pub(crate) number: u32,
    /// The place of its instance among the instances.
    pub(crate) place: usize,
    pub(crate) settings: Arc<Settings>,
    pub(crate) memory: Mutex<Memory>,
    is_dead: AtomicBool,
    trap: Mutex<Option<Trap>>,
    requests: AtomicU32,
    deaths: mpsc::UnboundedSender<Death>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} of instance {}", self.number, self.place)
    }
}

impl Process {
    pub(crate) fn new(
        number: u32,
        place: usize,
        settings: Arc<Settings>,
        deaths: mpsc::UnboundedSender<Death>,
    ) -> Self {
        Self {
            number,
            place,
            settings,
            memory: Mutex::default(),
            is_dead: AtomicBool::new(false),
            trap: Mutex::new(None),
            requests: AtomicU32::new(0),
            deaths,
        }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    /// From here on it neither sends nor gets anything.
    pub(crate) fn die(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
    }

    /// Lets it die at its request of this number from now on.
    pub(crate) fn set_trap(&self, requests: u32, is_after: bool) {
        let requests = self.requests.load(Ordering::Relaxed) + requests;
        *self.trap.lock() = Some(Trap { requests, is_after });
    }

    pub(crate) fn disarm(&self) {
        *self.trap.lock() = None;
    }

    /// Dies if this is the request at which it dies; whoever dies waits for its end.
    async fn pass(&self, number: u32, is_after: bool) {
        let is_trapped =
            self.trap.lock().is_some_and(|trap| trap.requests == number && trap.is_after == is_after);
        if is_trapped && !self.is_dead() {
            self.die();
            // Without a receiver the day is over.
            let _ = self.deaths.send(Death { place: self.place, number: self.number });
        }
        if self.is_dead() {
            pending::<()>().await;
        }
    }
}

/// The connection of one process to Azure.
struct Wire {
    azure: Arc<dyn HttpClient>,
    process: Arc<Process>,
    observer: Arc<Observer>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wire of {:?}", self.process)
    }
}

#[async_trait]
impl HttpClient for Wire {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let Self { process, observer, .. } = self;
        let number = process.requests.fetch_add(1, Ordering::Relaxed) + 1;
        process.pass(number, false).await;
        let invocation = INVOCATION.try_with(Arc::clone).ok();
        let body = match request.body() {
            Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
            Body::SeekableStream(_) => Value::Null,
        };
        let sent = Sent::new(request.method().as_ref(), request.url().path(), body);
        if !observer.sent(process, invocation.as_deref(), &sent) {
            pending::<()>().await;
        }
        let answer = self.azure.execute_request(request).await;
        let (result, seen) = read(answer).await;
        process.pass(number, true).await;
        observer.trace(|| {
            let status = seen.as_ref().map(|(status, ..)| *status);
            format!("{process:?} {} {:?} {} -> {status:?}", sent.method, sent.about, sent.body)
        });
        if let Some((status, headers, body)) = seen {
            let answered = Answered { status, is_accepted_only: status == 202 || headers, body };
            Observer::answered(process, invocation.as_deref(), &sent, &answered);
        }
        result
    }
}

type Seen = (u16, bool, Value);

/// Reads an answer to its end, and builds it anew. What breaks on the way has been seen by nobody.
async fn read(
    answer: azure_core::Result<AsyncRawResponse>,
) -> (azure_core::Result<AsyncRawResponse>, Option<Seen>) {
    let (status, headers, body) = match answer {
        Ok(answer) => answer.deconstruct(),
        Err(error) => return (Err(error), None),
    };
    let names_operation = headers.iter().any(|(name, _)| name.as_str() == "azure-asyncoperation");
    let Ok(bytes) = body.collect().await else {
        let broken = Error::with_message(ErrorKind::Io, "the connection was reset");
        let body = stream::iter([Ok(Bytes::from_static(b"{")), Err(broken)]);
        return (Ok(AsyncRawResponse::new(status, headers, body.boxed())), None);
    };
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let seen = serde_json::from_slice(text).unwrap_or_default();
    let seen = (u16::from(status), names_operation, seen);
    (Ok(AsyncRawResponse::from_bytes(status, headers, bytes)), Some(seen))
}

/// Signs in as the function app's identity, while tokens are issued.
#[derive(Debug)]
struct Credential {
    azure: Emulator,
    no_tokens_until: Arc<Mutex<Option<Instant>>>,
    now: fn() -> OffsetDateTime,
}

#[async_trait]
impl TokenCredential for Credential {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if self.no_tokens_until.lock().is_some_and(|until| Instant::now() < until) {
            return Err(Error::with_message(ErrorKind::Credential, "the identity endpoint is not there"));
        }
        let token = self.azure.token_for(&ourselves(&self.azure), AUDIENCE);
        Ok(AccessToken::new(Secret::new(token), (self.now)() + self.azure.options().token_lifetime))
    }
}

/// The handler's identity, as ARM and Event Grid see it.
pub(crate) fn ourselves(azure: &Emulator) -> Caller {
    let identity = &azure.options().identity;
    Caller::app(identity.object_id.clone(), identity.client_id.clone())
}

/// The right time.
pub(crate) fn now() -> OffsetDateTime {
    Clock::start().now()
}

fn slow() -> OffsetDateTime {
    now() - Duration::from_secs(4)
}

fn fast() -> OffsetDateTime {
    now() + Duration::from_secs(7)
}

/// What the process keeps for all its invocations, with a clock that may be wrong by seconds.
pub(crate) fn context(
    azure: &Emulator,
    process: &Arc<Process>,
    observer: &Arc<Observer>,
    no_tokens_until: &Arc<Mutex<Option<Instant>>>,
) -> (Context, Duration) {
    let clocks: [fn() -> OffsetDateTime; 3] = [now, slow, fast];
    let clock = clocks[process.place % 3];
    let variables = process.settings.variables();
    let lookup =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let config = Config::for_command(&lookup).unwrap();
    let (azure_of_identity, until) = (azure.clone(), Arc::clone(no_tokens_until));
    let identity = Identity::with_credential(format!("{AUDIENCE}/.default"), clock, move || {
        let no_tokens_until = Arc::clone(&until);
        Ok(Arc::new(Credential { azure: azure_of_identity.clone(), no_tokens_until, now: clock }))
    })
    .unwrap();
    let wire =
        Wire { azure: azure.http_client(), process: Arc::clone(process), observer: Arc::clone(observer) };
    let endpoint = Url::parse("https://management.azure.com").unwrap();
    let arm = Client::new(endpoint, Arc::new(wire) as Arc<dyn HttpClient>, identity, config.pace);
    (Context::new(arm, config.policy, config.options, clock), config.deadline)
}
