//! The plots, as they are played: what users do, and what Azure does to the handler meanwhile.
//!
//! Nothing here waits for time to pass. Requests of the handler are held where a plot needs the moment.

use std::sync::Arc;

use diskseal_emulator::fault::{Fault as Injection, Injected, Kind, Refusal};
use diskseal_emulator::local_azure::LocalAzure;
use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::Fault;
use crate::chronicle::{Chronicle, queued_for, word_about};
use crate::people::{Http, Person};
use crate::scene::{End, Plot, SCENES, Scene, TAGGERS_TAG};

/// What every plot uses.
#[derive(Debug)]
pub(crate) struct Stage {
    /// What happened so far.
    pub(crate) chronicle: Chronicle,
    http: Http,
}

impl Stage {
    /// Readies the users' client.
    pub(crate) fn set(azure: &LocalAzure, chronicle: Chronicle) -> Result<Self, Fault> {
        Ok(Self { chronicle, http: Http::new(azure)? })
    }

    /// Creates or replaces a resource outside the plots.
    pub(crate) async fn create(&self, token: &str, id: &str, body: &Value) -> Result<(), Fault> {
        self.http.put(token, id, body).await
    }
}

/// Plays everything, and waits until nothing is under way any more.
pub(crate) async fn play_all(azure: &LocalAzure, stage: &Arc<Stage>) -> Result<(), Fault> {
    let (last, rest): (Vec<_>, Vec<_>) = SCENES.iter().partition(|scene| scene.plot == Plot::Killed);
    // A killed handler drops what it was doing for others as well; that is not their story.
    for scenes in [rest, last] {
        try_join_all(scenes.into_iter().map(|scene| play(azure, stage, scene))).await?;
        azure.event_grid.idle().await;
        azure.host.queues_drained().await;
    }
    Ok(())
}

async fn play(azure: &LocalAzure, stage: &Stage, scene: &Scene) -> Result<(), Fault> {
    let id = scene.id();
    let fault = faults(scene).map(|fault| azure.emulator.inject(fault.resource(&*id)));
    let token = scene.by.token(azure);
    stage.http.put(&token, &scene.machine().unwrap_or_else(|| id.clone()), &scene.body()).await?;
    if let Some(fault) = fault {
        meanwhile(azure, stage, scene, &fault).await?;
    }
    if scene.plot == Plot::Undone {
        // The handler has proven the first seal by then, so that the second event is a story of its own.
        told(azure, &id, "sealed").await;
        stage.http.put(&token, &id, &scene.body()).await?;
        stage.chronicle.wait_for(&id, |story| story.creations == 2).await;
    }
    match scene.end {
        End::Sealed => stage.chronicle.wait_for(&id, |story| story.sealed.is_some()).await,
        End::AsCreatedSealed => told(azure, &id, "already_sealed").await,
        End::AsCreatedUnsealed => told(azure, &id, "exempt").await,
        End::Gone => told(azure, &id, "gone").await,
    }
    Ok(())
}

/// What Azure does to the handler's requests.
fn faults(scene: &Scene) -> Option<Injection> {
    Some(match scene.plot {
        Plot::Quiet | Plot::Undone | Plot::OfMachine => return None,
        Plot::Provisioning | Plot::DeletedAtOnce => Injection::hold_before_applying().on(Kind::Get),
        Plot::Throttled => Injection::refuse(Refusal::throttled_compute(1)).on(Kind::Patch),
        Plot::Conflict => Injection::refuse(Refusal::conflict()).on(Kind::Patch),
        Plot::Locked => Injection::refuse(Refusal::scope_locked()).on(Kind::Patch).always(),
        Plot::TaggedMeanwhile | Plot::Killed => Injection::hold_before_applying().on(Kind::TagsWrite),
    })
}

/// What happens at the moment that a fault has made.
async fn meanwhile(azure: &LocalAzure, stage: &Stage, scene: &Scene, fault: &Injected) -> Result<(), Fault> {
    let id = scene.id();
    match scene.plot {
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
            azure.host.kill().await;
            fault.cut_off();
            azure.host.ready().await?;
        }
    }
    Ok(())
}

/// Waits until the handler has put a resource on the queue.
async fn queued(azure: &LocalAzure, id: &str) {
    azure
        .host
        .wait_for_invocation(|one| one.outputs.get("pending").is_some_and(|pending| pending["id"] == id))
        .await;
    debug_assert!(queued_for(&azure.host.invocations(), id).is_some(), "what is waited for is what is shown");
}

/// Waits for the handler's word about a resource.
async fn told(azure: &LocalAzure, id: &str, word: &str) {
    let says = |line: &String| word_about(line, id).is_some_and(|said| said == word);
    azure.host.wait_for_invocation(|one| one.logs.iter().any(says)).await;
}
