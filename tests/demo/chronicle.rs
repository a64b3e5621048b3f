//! What happened to each resource, from the records of Resource Manager and the Functions host.

use std::{collections::HashMap, sync::Arc};

use diskseal_emulator::{
    Emulator, host::Invocation, journal::Exchange, local_azure::LocalAzure, write::ResourceWrite,
};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{sync::watch, task::JoinHandle};

use crate::{people::Person, scene::Scene};

/// Records the writes of every resource, until it is dropped.
#[derive(Debug)]
pub(crate) struct Chronicle {
    stories: Arc<watch::Sender<HashMap<String, Story>>>,
    task: JoinHandle<()>,
}

/// The writes of one resource.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Story {
    /// Who last created or replaced it, if it was one of the demo's people.
    pub(crate) by: Option<Person>,
    /// When it was last created or replaced, or its seal removed.
    pub(crate) created: Option<OffsetDateTime>,
    /// When it was sealed after that.
    pub(crate) sealed: Option<OffsetDateTime>,
    /// How often it was created or replaced.
    pub(crate) creations: u32,
}

impl Chronicle {
    /// Records every write from now on.
    pub(crate) fn begin(emulator: &Emulator) -> Self {
        let stories = Arc::new(watch::Sender::new(HashMap::new()));
        let mut writes = emulator.subscribe_writes();
        let (emulator, kept) = (emulator.clone(), Arc::clone(&stories));
        let task = tokio::spawn(async move {
            while let Some(write) = writes.recv().await {
                if write.succeeded {
                    // Azure creates the disks of a machine with it, without a write of their own.
                    let disks = emulator.machine_disks(&write.resource_id);
                    let disks =
                        disks.into_iter().map(|disk| ResourceWrite { resource_id: disk, ..write.clone() });
                    let all: Vec<_> = disks.chain([write.clone()]).collect();
                    kept.send_modify(|stories| all.iter().for_each(|write| note(&emulator, stories, write)));
                }
            }
        });
        Self { stories, task }
    }

    /// The story of a resource so far.
    pub(crate) fn of(&self, id: &str) -> Story {
        self.stories.borrow().get(id).copied().unwrap_or_default()
    }

    /// Waits until a resource's story fits.
    pub(crate) async fn wait_for(&self, id: &str, fits: impl Fn(&Story) -> bool) {
        let mut stories = self.stories.subscribe();
        // The sender lives as long as `self`, so this fails never.
        let _ = stories.wait_for(|stories| stories.get(id).is_some_and(&fits)).await;
    }
}

impl Drop for Chronicle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(emulator: &Emulator, stories: &mut HashMap<String, Story>, write: &ResourceWrite) {
    let id = write.resource_id.split("/providers/Microsoft.Resources/").next().unwrap_or_default();
    let story = stories.entry(id.to_owned()).or_default();
    if write.method == "PUT" {
        let (by, created) = (Person::of(&write.caller), Some(write.at));
        *story = Story { by, created, sealed: None, creations: story.creations + 1 };
    }
    let is_sealed = emulator.get(id).is_some_and(|resource| is_sealed(&resource));
    match (is_sealed, story.sealed) {
        (true, None) => story.sealed = Some(write.at),
        (false, Some(_)) => *story = Story { created: Some(write.at), sealed: None, ..*story },
        _ => {}
    }
}

/// Whether a resource has the mode and the seal's tags.
pub(crate) fn is_sealed(resource: &Value) -> bool {
    let tags = &resource["tags"];
    let date = tags["diskseal-sealed-at"].as_str().unwrap_or_default();
    resource["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory"
        && tags["diskseal-auth-mode"] == "AzureActiveDirectory"
        // Of a disk that had the mode, only the time of the look is known.
        && OffsetDateTime::parse(date.strip_prefix("before ").unwrap_or(date), &Rfc3339).is_ok()
}

/// The handler's own requests about a resource and its machine, without the polls of its operations.
pub(crate) fn requests(azure: &LocalAzure, scene: &Scene) -> Vec<Arc<Exchange>> {
    let ours = azure.emulator.managed_caller().object_id;
    let mut requests = azure.emulator.requests_for(&scene.id());
    requests.extend(scene.machine().into_iter().flat_map(|machine| azure.emulator.requests_for(&machine)));
    requests.retain(|exchange| exchange.object_id.as_ref() == Some(&ours));
    requests
}

/// How many requests the handler has sent about a resource. The path of a poll does not name the resource; the
/// response to the write has the URL of the poll.
pub(crate) fn calls(azure: &LocalAzure, scene: &Scene) -> usize {
    let requests = requests(azure, scene);
    let operations: Vec<&str> = requests
        .iter()
        .flat_map(|exchange| ["azure-asyncoperation", "location"].map(|name| exchange.response_header(name)))
        .flatten()
        .filter_map(|url| url.split('?').next())
        .collect();
    let journal = azure.emulator.journal();
    let polls = journal
        .iter()
        .filter(|exchange| operations.iter().any(|operation| operation.ends_with(&exchange.path)));
    requests.len() + polls.count()
}

/// The reason why the handler put a resource on the queue, if it did.
pub(crate) fn queued_for(invocations: &[Invocation], id: &str) -> Option<String> {
    invocations.iter().rev().find_map(|invocation| {
        let pending = &invocation.outputs.get("pending")?;
        let resource = pending["resource"].as_str().unwrap_or_default();
        resource.eq_ignore_ascii_case(id).then(|| pending["reason"].as_str().unwrap_or_default().to_owned())
    })
}

/// The last outcome of a resource that the handler logged: `sealed`, `exempt`, `gone` …
pub(crate) fn last_word(invocations: &[Invocation], id: &str) -> Option<String> {
    invocations.iter().rev().flat_map(|one| one.logs.iter()).find_map(|line| word_about(line, id))
}

/// The outcome at the start of a log line about this resource.
pub(crate) fn word_about(line: &str, id: &str) -> Option<String> {
    let (word, rest) = line.split_once(' ')?;
    // Azure names the disks of a machine with the group in capitals.
    let (named, rest) = rest.split_at_checked(id.len())?;
    if !named.eq_ignore_ascii_case(id) {
        return None;
    }
    (rest.is_empty() || rest.starts_with(':')).then(|| word.to_owned())
}
