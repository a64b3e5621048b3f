//! All integration tests in one binary: it links once, and its tests share one world.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod architecture;
mod enforce;
mod process;
mod simulation;
mod spector;
mod sweep;
mod switch;
mod world;
