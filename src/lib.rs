//! Diskseal seals every Azure managed disk and snapshot the moment it is created.
//!
//! One promise for every resource in scope: `properties.dataAccessAuthMode` is `AzureActiveDirectory`,
//! the seal's tags are on it, or there is a recorded reason why not.
//!
//! # The route
//!
//! ```text
//!  Event Grid ─► host ─► POST /seal-on-write ─┐                   ┌► ARM: GET the resource
//!  storage queue ─► host ─► POST /seal-queued ┼─► enforce ────────┤  decide (pure)
//!  timer ─► host ─► POST /sweep ──────────────┘      │            ├► ARM: PATCH the auth mode, wait
//!                                                    │            └► ARM: PATCH the tags, Merge
//!                                                    └► Outcome or Error ─► answer · span · one log line
//! ```
//!
//! An event only says *look at this resource now*, or *at the disks of this machine*. What to do is decided from what Azure Resource
//! Manager (ARM) says at that moment, so duplicates, disorder, lost events and crashes are all the same
//! case, and nothing needs to be remembered between two invocations.
//!
//! # Rooms
//!
//! Dependencies point downward in this table alone; a test reads it and holds `src/` against it.
//!
//! | room | what it holds | may use |
//! | --- | --- | --- |
//! | `main` | calls `cli`; the exit code | `cli` |
//! | [`cli`] | the command line: `serve`, and what a person runs | `arm`, `azure`, `config`, `doctor`, `enforce`, `estate`, `function`, `policy`, `report`, `resource`, `resource_id`, `scope`, `sweep`, `telemetry` |
//! | [`doctor`] | what is wrong with a deployment, and what to do about it | `arm`, `azure`, `enforce`, `event`, `function`, `policy`, `resource_id`, `scope` |
//! | [`function`] | the custom-handler protocol: functions, envelope in, an answer out that cannot be empty | `azure`, `enforce`, `event`, `policy`, `resource_id`, `sweep`, `telemetry` |
//! | [`config`] | settings as a pure function of a lookup; every fault at once | `azure`, `enforce`, `policy`, `resource`, `resource_id`, `scope`, `telemetry` |
//! | [`sweep`] | list, decide on the listing, hand over what is unsealed | `arm`, `azure`, `enforce`, `estate`, `policy`, `report`, `resource`, `resource_id`, `telemetry` |
//! | [`enforce`] | the heart: `enforce` (GET, judge, act, prove) | `arm`, `azure`, `estate`, `policy`, `resource`, `resource_id`, `telemetry` |
//! | [`estate`] | what is in scope, how it is listed, what protects it, how much is sealed | `arm`, `azure`, `policy`, `report`, `resource`, `resource_id`, `scope`, `telemetry` |
//! | [`arm`] | ARM over HTTP: one constant a call, retry, governor, long-running operations, typed errors | `azure`, `resource`, `resource_id`, `scope`, `telemetry` |
//! | [`azure`] | what every request to Azure needs: identity, HTTP client, terms (deadline and urgency) | `telemetry` |
//! | [`telemetry`] | the subscriber, OTLP, trace context, waits as spans, every metric | |
//! | [`report`] | findings to coverage, exceptions and warnings, as table, JSON, CSV and HTML | `policy`, `resource`, `resource_id`, `scope` |
//! | [`policy`] | rules, exemptions, `decide`; a decision already holds the exact change to send | `resource`, `resource_id`, `scope` |
//! | [`event`] | Event Grid events and CloudEvents to one `ResourceWritten`, of a disk or of a machine | `resource_id` |
//! | [`resource`] | disk and snapshot as ARM says them; tags and their limits | `resource_id` |
//! | [`resource_id`] | the ARM resource ID of a disk or snapshot, and that of a machine | |
//! | [`scope`] | the subscriptions or the management group in which Diskseal works | |
//! | `words` | a macro that every room may use: enums whose variants have words, and the lists of those | |
//!
//! # Invariants
//!
//! - The pure rooms (`report`, `policy`, `event`, `resource`, `resource_id`, `scope`) never await, do no I/O, read no
//!   clock and no environment, and log nothing. `now` is an argument.
//! - Of an event, nothing but a parsed [`resource_id::ResourceId`] or [`resource_id::MachineId`] ever reaches a URL. The caller's claims
//!   never leave [`event`], but for an object ID that cannot be printed.
//! - Audit mode never writes, on any path: [`enforce`] is the one room that writes, and it asks first.
//! - A failure of one resource is answered 200 and goes to the queue; 500 is for what fails every
//!   resource. Event Grid delays *new* events for an endpoint that keeps answering 500.
//! - Nothing is kept that a SIGKILL could lose: what [`enforce::Context`] remembers only saves requests.

#[macro_use]
mod words;

pub mod arm;
pub mod azure;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod enforce;
pub mod estate;
pub mod event;
pub mod function;
pub mod policy;
pub mod report;
pub mod resource;
pub mod resource_id;
pub mod scope;
pub mod sweep;
pub mod telemetry;
