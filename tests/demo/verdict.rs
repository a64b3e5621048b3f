//! Checks whether every resource ended as expected, by the state in Resource Manager, not by the log.

use diskseal_emulator::local_azure::LocalAzure;
use serde_json::{Value, json};

use crate::{
    act::Stage,
    chronicle::{is_sealed, last_word, requests},
    scene::{End, Plot, SCENES, Scene},
};

/// Every resource that did not end as expected, with what was expected and what was found.
pub(crate) fn all(azure: &LocalAzure, stage: &Stage) -> Vec<(&'static Scene, String, String)> {
    SCENES
        .iter()
        .filter_map(|scene| fault(azure, stage, scene).map(|(expected, found)| (scene, expected, found)))
        .collect()
}

/// What was expected of a resource and what was found, if they differ.
pub(crate) fn fault(azure: &LocalAzure, stage: &Stage, scene: &Scene) -> Option<(String, String)> {
    let id = scene.id();
    let resource = azure.emulator.get(&id);
    let writes = requests(azure, scene).iter().filter(|exchange| exchange.method != "GET").count();
    let expects = |what: &str, found: String| Some((what.to_owned(), found));
    let end = scene.end(stage.mode);
    if end == End::Gone {
        let expected = "deleted, without a write";
        return match resource {
            Some(resource) => expects(expected, describe(&resource)),
            None if writes > 0 => expects(expected, format!("deleted, with {writes} writes")),
            None => None,
        };
    }
    let Some(resource) = resource else { return expects("that it exists", "nothing".to_owned()) };
    let created = scene.body();
    let mode = |body: &Value| body["properties"]["dataAccessAuthMode"].clone();
    let is_as_created = resource["tags"] == created["tags"] && mode(&resource) == mode(&created);
    match end {
        End::Gone => None,
        End::WouldSeal if !was_reported(azure, &id) => {
            expects("would_seal in the log", "no such line".to_owned())
        }
        End::WouldSeal | End::AsCreatedSealed | End::AsCreatedUnsealed if is_as_created && writes == 0 => {
            None
        }
        End::AsCreatedSealed => expects("sealed as created, without a write", found(&resource, writes)),
        End::WouldSeal | End::AsCreatedUnsealed => {
            expects("as created, without a write", found(&resource, writes))
        }
        End::Sealed if !is_sealed(&resource) => expects("the mode and the seal's tags", describe(&resource)),
        End::Sealed => foreign_tag_lost(scene, &resource)
            .or_else(|| needless_write(azure, scene))
            .or_else(|| seal_not_undone(stage, scene)),
    }
}

fn was_reported(azure: &LocalAzure, id: &str) -> bool {
    last_word(&azure.host.invocations(), id).as_deref() == Some("would_seal")
}

fn foreign_tag_lost(scene: &Scene, resource: &Value) -> Option<(String, String)> {
    let lost = scene.foreign_tags().find(|(name, value)| resource["tags"][*name] != *value)?;
    Some((format!("the tag {}={}", lost.0, lost.1), describe(resource)))
}

/// The mode must not be written if it is already set.
fn needless_write(azure: &LocalAzure, scene: &Scene) -> Option<(String, String)> {
    let id = scene.id();
    let is_of_mode = |method: &str, path: &str| method == "PATCH" && path.eq_ignore_ascii_case(&id);
    let sent = requests(azure, scene).iter().any(|one| is_of_mode(&one.method, &one.path));
    (sent && !scene.needs_mode()).then(|| ("only a write of the tags".to_owned(), "a PATCH".to_owned()))
}

/// A replaced resource must have been sealed again.
fn seal_not_undone(stage: &Stage, scene: &Scene) -> Option<(String, String)> {
    let creations = stage.chronicle.of(&scene.id()).creations;
    let expected = if scene.plot(stage.mode) == Plot::Undone { 2 } else { 1 };
    (creations != expected).then(|| (format!("{expected} PUTs"), creations.to_string()))
}

fn found(resource: &Value, writes: usize) -> String {
    format!("{writes} writes and {}", describe(resource))
}

fn describe(resource: &Value) -> String {
    let mode = resource["properties"]["dataAccessAuthMode"].as_str().unwrap_or("none");
    let tags = if resource["tags"].is_null() { json!({}) } else { resource["tags"].clone() };
    format!("mode {mode}, tags {tags}")
}
