//! A world in process: the local Azure as the SDK's transport, our own `enforce` on top, and a clock that
//! tests advance. No sockets, so the clock can be paused.

use std::{sync::Arc, time::Duration};

use azure_core::{
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    http::Url,
};
use diskseal::{
    arm::{Client, Operation, State},
    azure::{Identity, Terms},
    config::Config,
    enforce::{Context, Error, Look, Outcome, Trigger, enforce},
    resource::Resource,
};
use diskseal_emulator::{
    Emulator, Options,
    clock::Clock,
    disk_body,
    estate::{disk_id, snapshot_id},
    fault::{Fault, Injected, Kind},
    journal::Exchange,
    snapshot_body,
    write::Caller,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

pub(crate) const SUBSCRIPTION: &str = "11111111-2222-4333-8444-555555555555";
const AUDIENCE: &str = "https://management.azure.com/";

/// The local Azure and one process of ours.
pub(crate) struct World {
    pub(crate) azure: Emulator,
    pub(crate) ctx: Context,
    deadline: Duration,
}

/// A wall clock that follows tokio's, as the emulator's does, so that a test can move it.
pub(crate) fn now() -> OffsetDateTime {
    Clock::start().now()
}

/// Reads the state of an operation until it ends, and returns the resource that the end carries.
pub(crate) async fn end_of(client: &Client, mut operation: Operation) -> Option<Resource> {
    let terms = Terms::for_event(Duration::from_mins(1));
    for _ in 0..10 {
        match client.poll(&mut operation, terms).await.unwrap() {
            State::Running => {}
            State::Succeeded(resource) => return resource.map(|resource| *resource),
            State::Unknown => panic!("the answer does not say how the operation stands"),
        }
    }
    panic!("the operation does not end")
}

/// Signs in as the emulator's user-assigned identity.
#[derive(Debug)]
struct OurIdentity(Emulator, &'static str);

#[async_trait::async_trait]
impl TokenCredential for OurIdentity {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let token = self.0.token_for(&ourselves(&self.0), self.1);
        Ok(AccessToken::new(Secret::new(token), now() + self.0.options().token_lifetime))
    }
}

/// Our own identity, as ARM and Event Grid see it.
pub(crate) fn ourselves(azure: &Emulator) -> Caller {
    let identity = &azure.options().identity;
    Caller::app(identity.object_id.clone(), identity.client_id.clone())
}

/// The same identity, as a credential.
pub(crate) fn identity(azure: &Emulator) -> Identity {
    identity_for(azure, AUDIENCE)
}

/// The same for another audience.
pub(crate) fn identity_for(azure: &Emulator, audience: &'static str) -> Identity {
    let azure = azure.clone();
    Identity::with_credential(format!("{audience}/.default"), now, move || {
        Ok(Arc::new(OurIdentity(azure.clone(), audience)))
    })
    .unwrap()
}

/// Another user, with a name.
pub(crate) fn jane() -> Caller {
    Caller::user("0d0d0d0d-0000-4000-8000-000000000001", "Jane Doe")
}

impl World {
    /// Azure at 0 ms, and the default settings.
    pub(crate) fn new() -> Self {
        Self::with(Options::immediate(), &[])
    }

    /// Azure with these options, and these settings.
    pub(crate) fn with(options: Options, settings: &[(&str, &str)]) -> Self {
        Self::at(Emulator::new(options), settings)
    }

    /// Another process of ours at the same Azure, as after a restart.
    pub(crate) fn restarted(&self) -> Self {
        Self::at(self.azure.clone(), &[])
    }

    pub(crate) fn at(azure: Emulator, settings: &[(&str, &str)]) -> Self {
        let lookup = |name: &str| {
            settings.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let config = Config::for_command(&lookup).unwrap();
        let endpoint = Url::parse("https://management.azure.com").unwrap();
        let arm = Client::new(endpoint, azure.http_client(), identity(&azure), config.pace);
        let ctx = Context::new(arm, config.policy, config.options, now);
        Self { azure, ctx, deadline: config.deadline }
    }

    /// An existing plain disk.
    pub(crate) fn disk(&self, name: &str) -> String {
        let id = disk_id(SUBSCRIPTION, "rg-app", name);
        self.azure.insert(&id, &disk_body("westeurope")).unwrap();
        id
    }

    /// An existing plain snapshot.
    pub(crate) fn snapshot(&self, name: &str) -> String {
        let id = snapshot_id(SUBSCRIPTION, "rg-app", name);
        let source = disk_id(SUBSCRIPTION, "rg-app", "source");
        self.azure.insert(&id, &snapshot_body("westeurope", &source)).unwrap();
        id
    }

    /// A disk with these tags.
    pub(crate) fn tagged_disk(&self, name: &str, tags: &Value) -> String {
        let id = disk_id(SUBSCRIPTION, "rg-app", name);
        let mut body = disk_body("westeurope");
        body["tags"] = tags.clone();
        self.azure.insert(&id, &body).unwrap();
        id
    }

    /// A disk that carries the seal.
    pub(crate) fn sealed_disk(&self, name: &str) -> String {
        let tags = json!({"diskseal-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-01-01T00:00:00Z"});
        let id = self.tagged_disk(name, &tags);
        self.azure.set_property(&id, "dataAccessAuthMode", json!("AzureActiveDirectory"));
        id
    }

    pub(crate) fn fault(&self, fault: Fault) -> Injected {
        self.azure.inject(fault)
    }

    /// Looks at a resource, as for an event that has just been raised.
    pub(crate) async fn enforce(&self, id: &str) -> Result<Outcome, Error> {
        self.enforce_for(id, Trigger::Event).await
    }

    /// The same within another time.
    pub(crate) async fn enforce_within(&self, id: &str, time: Duration) -> Result<Outcome, Error> {
        self.look(id, Trigger::Event, time).await
    }

    /// Looks at a resource that was written just now, for a reason and within a time.
    pub(crate) async fn enforce_for_within(
        &self,
        id: &str,
        trigger: Trigger,
        time: Duration,
    ) -> Result<Outcome, Error> {
        self.look(id, trigger, time).await
    }

    /// Looks at a resource for an event of a write that is `age` old.
    pub(crate) async fn enforce_written(&self, id: &str, age: Duration) -> Result<Outcome, Error> {
        let look = Look::new(id.parse().unwrap(), Trigger::Event, self.deadline);
        enforce(&self.ctx, &look.after_write(Some(now() - age))).await
    }

    /// Looks at a resource that was written just now, for a reason.
    pub(crate) async fn enforce_for(&self, id: &str, trigger: Trigger) -> Result<Outcome, Error> {
        self.look(id, trigger, self.deadline).await
    }

    async fn look(&self, id: &str, trigger: Trigger, time: Duration) -> Result<Outcome, Error> {
        let look = Look::new(id.parse().unwrap(), trigger, time);
        enforce(&self.ctx, &look.after_write(Some(now()))).await
    }

    /// The requests about a resource, by kind.
    pub(crate) fn requests(&self, id: &str) -> Vec<Kind> {
        self.exchanges(id).iter().map(|exchange| exchange.kind).collect()
    }

    pub(crate) fn exchanges(&self, id: &str) -> Vec<Arc<Exchange>> {
        self.azure.requests_for(id)
    }

    /// All writes that ARM received. A query of Resource Graph is a POST, but not a write.
    pub(crate) fn writes(&self) -> usize {
        let journal = self.azure.journal();
        journal.iter().filter(|exchange| exchange.method != "GET" && exchange.kind != Kind::Query).count()
    }

    /// Whether the resource has the seal now.
    pub(crate) fn is_sealed(&self, id: &str) -> bool {
        let resource = self.azure.get(id).unwrap();
        resource["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory"
            && resource["tags"]["diskseal-auth-mode"] == "AzureActiveDirectory"
            && resource["tags"]["diskseal-sealed-at"].is_string()
    }
}
