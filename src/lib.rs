//! Diskseal.
pub mod config;
pub mod event;
pub mod policy;
pub mod resource;
pub mod resource_id;
