//! Whether the platform half of the local Azure behaves as Azure does. One binary, because each would link
//! the whole emulator again.

#![expect(clippy::unwrap_used, reason = "clippy does not see that what tests share is test code as well")]

mod collector;
mod control;
mod event_grid;
mod host;
mod host_life;
mod journey;
mod queue;
mod storage;
