//! Diskseal seals every Azure managed disk and snapshot the moment it is created.
//!
//! One promise for every resource in scope: `properties.dataAccessAuthMode` is `AzureActiveDirectory`,
//! the seal's tags are on it, or there is a recorded reason why not.
//!
//! # The route
//!
//! ```text
//!  Event Grid ─► host ─► POST /seal_on_write ─┐                   ┌► ARM: GET the resource
//!  storage queue ─► host ─► POST /seal_queued ┼─► enforce ────────┤  decide (pure)
//!  timer ─► host ─► POST /sweep ──────────────┘      │            ├► ARM: PATCH the auth mode, wait
//!                                                    │            └► ARM: PATCH the tags, Merge
//!                                                    └► Outcome or Error ─► answer · span · one log line
//! ```
//!
//! An event only means *look at this resource now*, or *at the disks of this machine*. The decision depends on what
//! Azure Resource Manager (ARM) returns at that moment, so duplicates, disorder, lost events and crashes need no
//! special treatment, and no state is kept between invocations.
//!
//! # Rooms
//!
//! A room may depend on the rooms in its last column, all of them further down. A test holds `src/` to this table.
//!
//! | room | what it holds | may use |
//! | --- | --- | --- |
//! | `main` | calls `cli`; the exit code | `cli` |
//! | [`cli`] | the command line: `serve`, and the commands for people | `arm`, `azure`, `config`, `doctor`, `enforce`, `estate`, `evidence`, `function`, `policy`, `report`, `resource`, `resource_id`, `scope`, `sweep`, `telemetry`, `text` |
//! | [`doctor`] | `diskseal doctor`: what is wrong with a deployment, and what to do about it | `arm`, `azure`, `enforce`, `estate`, `event`, `function`, `policy`, `resource_id`, `scope` |
//! | [`function`] | the custom-handler protocol: functions, envelopes, and answers, which cannot be empty | `azure`, `cloud_event`, `enforce`, `event`, `evidence`, `json`, `policy`, `report`, `resource_id`, `sweep`, `telemetry`, `text` |
//! | [`config`] | settings as a pure function of a lookup, which reports all faults at once | `azure`, `enforce`, `policy`, `resource`, `resource_id`, `scope`, `telemetry` |
//! | [`evidence`] | a report a day in a container, each with the hash of the one before | `arm`, `azure`, `enforce`, `estate`, `policy`, `report`, `telemetry` |
//! | [`sweep`] | list, decide on the listing, hand over what is unsealed | `arm`, `azure`, `enforce`, `estate`, `policy`, `report`, `resource`, `resource_id`, `telemetry` |
//! | [`enforce`] | the core: `enforce` (GET, judge, act, prove) | `arm`, `azure`, `estate`, `policy`, `resource`, `resource_id`, `telemetry` |
//! | [`estate`] | what is in scope, how it is listed, what protects it, how much is sealed | `arm`, `azure`, `policy`, `report`, `resource`, `resource_id`, `scope`, `telemetry` |
//! | [`arm`] | ARM over HTTP: one constant a call, retries, governor, long-running operations, typed errors | `azure`, `json`, `resource`, `resource_id`, `scope`, `telemetry` |
//! | [`azure`] | what every request to Azure needs: identity, HTTP client, terms (deadline and urgency) | `telemetry` |
//! | [`telemetry`] | logs, OTLP, trace context, waits as spans, every metric | `text` |
//! | [`report`] | findings to coverage, exceptions and warnings, time to seal and published controls, as table, JSON, CSV, HTML and OCSF | `policy`, `resource`, `resource_id`, `scope`, `text` |
//! | [`policy`] | rules, exemptions, `decide`; a decision holds the exact change to send | `resource`, `resource_id`, `scope` |
//! | [`cloud_event`] | what a person must know, as CloudEvents | `resource_id`, `text` |
//! | [`event`] | Event Grid events and CloudEvents to one `ResourceWritten`, of a disk or of a machine | `json`, `resource_id`, `text` |
//! | [`resource`] | disks and snapshots as ARM returns them; tags and their limits | `json`, `resource_id` |
//! | [`resource_id`] | the ARM resource ID of a disk or snapshot, and that of a machine | |
//! | [`scope`] | the subscriptions or the management group in which Diskseal works | |
//! | [`json`] | the members of a JSON text that are read; all others are skipped | |
//! | [`text`] | text from outside, made safe to print; tables that fit a terminal | |
//! | `fuzz` | every reader and writer of bytes from outside, for a fuzzer and its corpora; no part of the handler | `arm`, `azure`, `config`, `event`, `function`, `policy`, `report`, `resource`, `resource_id`, `scope`, `telemetry`, `text` |
//! | `words` | a macro for every room: enums with a word for each variant, and the list of all words | |
//!
//! # Invariants
//!
//! - The pure rooms (`report`, `policy`, `cloud_event`, `event`, `resource`, `resource_id`, `scope`, `json`, `text`) never await, do no I/O, read no
//!   clock and no environment, and log nothing. `now` is an argument.
//! - Only a parsed [`resource_id::ResourceId`] or [`resource_id::MachineId`] of an event reaches a URL. Of the caller's
//!   claims, only an object ID leaves [`event`], in a type that cannot be printed.
//! - Audit mode never writes: [`enforce`] is the only room that writes what others own, and it checks the mode first.
//!   Besides it only two others write: `doctor --try` a resource group that it creates for a person, and deletes;
//!   [`evidence`] a file a day in the container that is set for it, in audit mode as well.
//! - A failure of one resource is answered 200, and the resource goes to the queue, as it does while the quota of its
//!   subscription is spent. A failure that affects every resource is answered 500. Event Grid delays *new* events for
//!   an endpoint that keeps answering 500.
//! - A SIGKILL loses nothing: what [`enforce::Context`] remembers only saves requests.

#[macro_use]
mod words;

pub mod arm;
pub mod azure;
pub mod cli;
pub mod cloud_event;
pub mod config;
pub mod doctor;
pub mod enforce;
pub mod estate;
pub mod event;
pub mod evidence;
pub mod function;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod json;
pub mod policy;
pub mod report;
pub mod resource;
pub mod resource_id;
pub mod scope;
pub mod sweep;
pub mod telemetry;
pub mod text;
