//! Plays the plots: what users do, and how Azure disturbs the handler meanwhile.
//!
//! Nothing here waits for time to pass. Where a plot depends on a moment, it holds requests of the handler.

use std::sync::Arc;

use diskseal_emulator::{
    fault::{Fault as Injection, Injected, Kind, Refusal},
    local_azure::LocalAzure,
};
use futures::future::try_join_all;
use serde_json::json;

use crate::{
    Fault,
    chronicle::{Chronicle, queued_for, word_about},
    people::{Http, Person},
    scene::{End, Mode, Plot, SCENES, Scene, TAGGERS_TAG},
};

/// The state that all plots share.
#[derive(Debug)]
pub(crate) struct Stage {
    /// What has happened so far.
    pub(crate) chronicle: Chronicle,
    /// The handler's mode.
    pub(crate) mode: Mode,
    /// The client of the users.
    pub(crate) http: Http,
}

impl Stage {
    /// Creates the HTTP client of the users.
    pub(crate) fn set(azure: &LocalAzure, chronicle: Chronicle, mode: Mode) -> Result<Self, Fault> {
        Ok(Self { chronicle, mode, http: Http::new(azure)? })
    }
}

/// Plays all scenes, and waits until Event Grid and the queues are idle.
pub(crate) async fn play_all(azure: &LocalAzure, stage: &Arc<Stage>) -> Result<(), Fault> {
    let (last, rest): (Vec<_>, Vec<_>) =
        SCENES.iter().partition(|scene| scene.plot(stage.mode) == Plot::Killed);
    // Killing the handler of the events also interrupts its work on other resources, so this scene runs alone.
    for scenes in [rest, last] {
        try_join_all(scenes.into_iter().map(|scene| play(azure, stage, scene))).await?;
        azure.event_grid.idle().await;
        azure.host.queues_drained().await;
    }
    Ok(())
}

async fn play(azure: &LocalAzure, stage: &Stage, scene: &Scene) -> Result<(), Fault> {
    let id = scene.id();
    let plot = scene.plot(stage.mode);
    let fault = faults(plot).map(|fault| azure.emulator.inject(fault.resource(&*id)));
    let token = scene.by.token(azure);
    stage.http.put(&token, &scene.machine().unwrap_or_else(|| id.clone()), &scene.body()).await?;
    if let Some(fault) = fault {
        meanwhile(azure, stage, scene, &fault).await?;
    }
    if plot == Plot::Undone {
        // The first seal must be proven before the second PUT, so that each has its own event.
        reported(azure, &id, "sealed").await;
        stage.http.put(&token, &id, &scene.body()).await?;
        stage.chronicle.wait_for(&id, |story| story.creations == 2).await;
    }
    match scene.end(stage.mode) {
        End::Sealed => stage.chronicle.wait_for(&id, |story| story.sealed.is_some()).await,
        End::WouldSeal => reported(azure, &id, "would_seal").await,
        End::AsCreatedSealed => reported(azure, &id, "already_sealed").await,
        End::AsCreatedUnsealed => reported(azure, &id, "exempt").await,
        End::Gone => reported(azure, &id, "gone").await,
    }
    Ok(())
}

/// The fault to inject into the handler's requests.
fn faults(plot: Plot) -> Option<Injection> {
    Some(match plot {
        Plot::Quiet | Plot::Undone | Plot::OfMachine => return None,
        Plot::Provisioning | Plot::DeletedAtOnce => Injection::hold_before_applying().on(Kind::Get),
        Plot::Throttled => Injection::refuse(Refusal::throttled_compute(1)).on(Kind::Patch),
        Plot::Conflict => Injection::refuse(Refusal::conflict()).on(Kind::Patch),
        Plot::Locked => Injection::refuse(Refusal::scope_locked()).on(Kind::Patch).always(),
        Plot::TaggedMeanwhile | Plot::Killed => Injection::hold_before_applying().on(Kind::TagsWrite),
    })
}

/// Plays what happens while a fault holds or refuses the handler's request.
async fn meanwhile(azure: &LocalAzure, stage: &Stage, scene: &Scene, fault: &Injected) -> Result<(), Fault> {
    let id = scene.id();
    match scene.plot(stage.mode) {
        Plot::Quiet | Plot::Undone | Plot::OfMachine | Plot::Throttled | Plot::Conflict => {}
        Plot::Provisioning => {
            fault.held().await;
            azure.emulator.set_property(&id, "provisioningState", json!("Updating"));
            fault.release();
            queued(azure, &id).await;
            azure.emulator.set_property(&id, "provisioningState", json!("Succeeded"));
        }
        Plot::Locked => {
            queued(azure, &id).await;
            fault.remove();
        }
        Plot::DeletedAtOnce => {
            fault.held().await;
            stage.http.delete(&scene.by.token(azure), &id).await?;
            azure.emulator.wait_until(|emulator| emulator.get(&id).is_none()).await;
            fault.release();
        }
        Plot::TaggedMeanwhile => {
            fault.held().await;
            let (name, value) = TAGGERS_TAG;
            stage.http.merge_tags(&Person::Tagger.token(azure), &id, &json!({name: value})).await?;
            let is_tagged = |tags: &serde_json::Value| tags[name] == value;
            let emulator = &azure.emulator;
            emulator.wait_until(|all| all.get(&id).is_some_and(|disk| is_tagged(&disk["tags"]))).await;
            fault.release();
        }
        Plot::Killed => {
            fault.held().await;
            azure.host.kill("seal_on_write").await;
            fault.cut_off();
            azure.host.ready().await?;
        }
    }
    Ok(())
}

/// Waits until the handler has put a resource on the queue.
async fn queued(azure: &LocalAzure, id: &str) {
    azure.host.wait_for_invocation(|one| queued_for(std::slice::from_ref(one), id).is_some()).await;
}

/// Waits until the handler logs an outcome of a resource.
async fn reported(azure: &LocalAzure, id: &str, outcome: &str) {
    let reports = |line: &String| word_about(line, id).is_some_and(|word| word == outcome);
    azure.host.wait_for_invocation(|one| one.logs.iter().any(reports)).await;
}
