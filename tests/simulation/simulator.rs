//! A simulator of days: an estate with its writers, Azure with its faults, and the app in several instances that are
//! killed between any two requests. A script is drawn from a seed, run on a paused clock, and watched.
//!
//! `tests/it/simulation.rs` runs a few days in each test run, `benches/simulation.rs` as many as there is time for.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `draw` | a script from a seed |
//! | `script`, `slot`, `settings`, `faults` | a day as data |
//! | `day` | runs a script, and checks how it ends |
//! | `estate`, `hostile` | who writes, and what pretends to be an event |
//! | `fleet`, `process` | instances of the app, their processes, and how they die |
//! | `observer`, `rules`, `invocation`, `request` | what must hold of all that passes between the processes and Azure |
//! | `shrink` | a smaller script that fails like a given one |

mod day;
mod draw;
mod estate;
mod faults;
mod fleet;
mod hostile;
mod invocation;
mod observer;
mod process;
mod request;
mod rules;
mod script;
mod settings;
mod shrink;
mod slot;

pub(crate) use day::{Ended, run};
pub(crate) use draw::script;
pub(crate) use observer::{Counts, Invariant, Violation};
pub(crate) use script::Script;
pub(crate) use shrink::shrink;
