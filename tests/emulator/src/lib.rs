//! A local Azure for Diskseal's tests and demo.
//!
//! It is a model of Azure that is independent of Diskseal: it must never depend on the code that it judges,
//! because a misreading that both share would pass its own test.
//!
//! Resource Manager and the managed-identity endpoint have three interfaces to the same state: axum routers
//! ([`Emulator::router`], [`Emulator::identity_router`]), the Azure SDK's transport in process
//! ([`Emulator::http_client`]), and sockets with TLS ([`Emulator::serve`]).

pub mod azure_cli;
pub mod clock;
pub mod collector;
pub mod control;
pub mod definitions;
pub mod estate;
pub mod event_grid;
pub mod fault;
pub mod host;
pub mod journal;
pub mod local_azure;
pub mod options;
pub mod proxy;
pub mod queue;
pub mod relay;
pub mod role;
pub mod serve;
pub mod storage;
pub mod write;

mod answer;
mod arm;
#[cfg(test)]
mod behaviour;
mod context;
mod disk;
mod graph;
mod http_client;
mod identity;
mod judge;
mod machine;
mod management_group;
mod operation;
mod recorded;
mod refusal;
mod request;
mod resource_id;
mod route;
mod router;
mod stamp;
mod state;
mod tag_rules;
mod throttle;
mod token;

use std::sync::{Arc, atomic::AtomicBool};

use parking_lot::Mutex;
use tokio::sync::mpsc;

pub use crate::arm::deployment::Deployment;
pub use crate::disk::{disk_body, snapshot_body};
pub use crate::graph::{GraphTable, Protection};
pub use crate::machine::{scale_set_body, virtual_machine_body};
pub use crate::management_group::Member;
pub use crate::options::Options;
pub use crate::resource_id::ResourceKind;

use crate::{
    arm::Facts,
    clock::Clock,
    fault::Faults,
    graph::Quota,
    journal::Journal,
    stamp::Secret,
    state::State,
    throttle::Throttle,
    write::{ResourceWrite, Writes},
};

/// The local Azure. A clone is another handle on the same one.
#[derive(Clone, Debug)]
pub struct Emulator {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: Options,
    clock: Clock,
    secret: Secret,
    state: Mutex<State>,
    throttle: Throttle,
    graph_quota: Quota,
    faults: Faults,
    journal: Journal,
    facts: Facts,
    writes: Writes,
    /// Whether the roles of both managed identities are gone.
    is_without_role: AtomicBool,
    /// Whether a resource has a member in a form that Azure's definitions do not know.
    is_odd: AtomicBool,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.inner.journal.speak();
    }
}

impl Emulator {
    /// An empty Azure.
    pub fn new(options: Options) -> Self {
        Self {
            inner: Arc::new(Inner {
                clock: Clock::start(),
                secret: Secret::default(),
                state: Mutex::default(),
                throttle: Throttle::default(),
                graph_quota: Quota::default(),
                faults: Faults::default(),
                journal: Journal::new(options.journal),
                facts: Facts::default(),
                writes: Writes::default(),
                is_without_role: AtomicBool::default(),
                is_odd: AtomicBool::default(),
                options,
            }),
        }
    }

    /// The options of this Azure.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// The emulator's time.
    pub fn clock(&self) -> Clock {
        self.inner.clock
    }

    /// Every write and delete from now on, after it has ended. No write is ever dropped.
    pub fn subscribe_writes(&self) -> mpsc::UnboundedReceiver<ResourceWrite> {
        self.inner.writes.subscribe()
    }
}
