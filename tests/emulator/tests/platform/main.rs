//! Tests of the platform services of the local Azure. One binary, because each would link the whole emulator.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy does not see that what tests share is test code as well"
)]

mod collector;
mod control;
mod event_grid;
mod host;
mod host_faults;
mod host_life;
mod host_wire;
mod instances;
mod journey;
mod queue;
mod recordings;
mod storage;
