//! A local Azure for Diskseal's tests and demo.
//!
//! It is a reading of Azure that knows nothing of Diskseal: it must never depend on the code that it
//! judges, because a misreading that both share would pass its own test.

pub mod clock;
pub mod collector;
pub mod event_grid;
pub mod host;
pub mod queue;
mod recorded;
pub mod write;

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::write::{ResourceWrite, Writes};

/// The local Azure. A clone is another handle on the same one.
#[derive(Clone, Debug)]
pub struct Emulator {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    writes: Writes,
}

/// How the local Azure behaves.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {}

impl Emulator {
    /// An empty Azure.
    pub fn new(_options: Options) -> Self {
        Self { inner: Arc::default() }
    }

    /// Every write and delete from now on, when it has ended. No write is ever dropped.
    pub fn subscribe_writes(&self) -> mpsc::UnboundedReceiver<ResourceWrite> {
        self.inner.writes.subscribe()
    }
}
