//! All integration tests in one binary: it links once, and its tests share one world.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "events and tokens of the tests are of today")]

mod architecture;
mod definitions;
mod delivery;
mod doctor;
mod enforce;
mod evidence;
mod gaps;
mod grants;
mod guard;
mod idle_queue;
mod inventory;
mod machines;
mod management_group;
mod names;
mod network;
mod odd;
mod official_events;
mod outcomes;
mod pending;
mod performance;
mod planned;
mod process;
mod quota;
mod recorded;
mod removal;
mod rings;
mod role;
mod security;
mod settings;
mod simulation;
#[path = "../simulation/simulator.rs"]
#[expect(dead_code, unused_imports, reason = "the bench uses more of it")]
mod simulator;
mod spector;
mod sweep;
mod switch;
mod world;
