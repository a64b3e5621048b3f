//! Diskseal.
pub mod arm;
pub mod cli;
pub mod config;
pub mod enforce;
pub mod event;
pub mod function;
pub mod policy;
pub mod resource;
pub mod resource_id;
pub mod sweep;
pub mod telemetry;
