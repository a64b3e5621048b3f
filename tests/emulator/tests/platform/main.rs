//! Whether the platform half of the local Azure behaves as Azure does. One binary, because each would link
//! the whole emulator again.

mod collector;
mod event_grid;
mod host;
mod host_life;
mod queue;
