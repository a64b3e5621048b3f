//! The backup guard: reads what is protected at most every few minutes, for all looks of the process.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use time::OffsetDateTime;
use tokio::{sync::Mutex, time::Instant};
use tracing::warn;

use super::{
    Protected,
    rights::{Rights, doubt_of},
};
use crate::{
    arm::{self, Client, Failure},
    azure::{Terms, Urgency},
    policy::{BackupGuard, Doubt, Policy, Protection},
    resource::Resource,
    resource_id::{ResourceId, ResourceType},
    telemetry::{Wait, wait},
};

/// How long an answer or a refusal is cached.
const CACHE_TIME: Duration = Duration::from_mins(5);
/// How long a missing answer is cached: the queue looks again after five minutes, and then with more time.
const SILENCE_TIME: Duration = Duration::from_mins(1);
/// Time limits for reading what is protected, for an event and for everything else.
const EVENT_TIME: Duration = Duration::from_secs(5);
const READING_TIME: Duration = Duration::from_mins(1);
/// Maximum number of subscriptions whose permissions are read at once.
const CONCURRENCY: usize = 8;

/// What is protected, as it was last read.
#[derive(Debug, Default)]
pub struct Guard {
    cached: Mutex<Option<Cached>>,
    rights: Arc<Rights>,
}

#[derive(Debug)]
struct Cached {
    protected: Arc<Protected>,
    until: Instant,
}

impl Guard {
    /// What is protected: the cached answer, or a new one if it is too old. Sends no request if the guard is off.
    pub async fn protected(&self, arm: &Client, policy: &Policy, terms: Terms) -> Arc<Protected> {
        if policy.backup_guard == BackupGuard::Off {
            return Arc::default();
        }
        let terms = reading(terms);
        let Ok(mut cached) =
            tokio::time::timeout_at(terms.until(), wait(Wait::Guard, self.cached.lock())).await
        else {
            return Arc::new(Protected::unknown(Doubt::Passing, "another look was reading it"));
        };
        if let Some(Cached { protected, until }) = cached.as_ref()
            && Instant::now() < *until
        {
            return Arc::clone(protected);
        }
        let read = tokio::time::timeout_at(terms.until(), Protected::read(arm, terms)).await;
        let silence = |_| Protected::unknown(Doubt::Passing, "Resource Graph did not answer in time");
        let protected = read.unwrap_or_else(silence);
        for why in protected.doubts() {
            warn!("the backup guard cannot determine what is protected: {why}");
        }
        let protected = Arc::new(protected.seen_by(Arc::clone(&self.rights)));
        let lasts = if protected.is_in_passing_doubt() { SILENCE_TIME } else { CACHE_TIME };
        *cached = Some(Cached { protected: Arc::clone(&protected), until: Instant::now() + lasts });
        protected
    }

    /// Reads the identity's rights in the subscriptions of these resources, where what protects them matters and the
    /// rights are not known yet.
    pub async fn read_rights(
        &self,
        arm: &Client,
        policy: &Policy,
        resources: &[Resource],
        now: OffsetDateTime,
        terms: Terms,
    ) {
        if !matches!(policy.backup_guard, BackupGuard::Skip | BackupGuard::Network) {
            return;
        }
        let matters = |resource: &&Resource| {
            *Protection::Unknown(Doubt::Lasting).weighed(resource, now) != Protection::Unprotected
        };
        let subscriptions: HashSet<&str> =
            resources.iter().filter(matters).map(|resource| resource.id.subscription_id()).collect();
        let terms = reading(terms);
        stream::iter(subscriptions)
            .for_each_concurrent(CONCURRENCY, |id| self.rights.read(arm, id, terms, CACHE_TIME, SILENCE_TIME))
            .await;
    }

    /// What protects a resource that a GET returned. For a snapshot, the source is read too, because a protected
    /// machine may hold it.
    pub async fn protection(
        &self,
        arm: &Client,
        policy: &Policy,
        resource: &Resource,
        now: OffsetDateTime,
        terms: Terms,
    ) -> Protection {
        let (protected, ()) = futures::join!(
            self.protected(arm, policy, terms),
            self.read_rights(arm, policy, std::slice::from_ref(resource), now, terms)
        );
        let protection = in_full(&protected, resource);
        let Some(source) = source(resource) else { return protection };
        if protection != Protection::Unprotected || protected.is_nothing() {
            return protection;
        }
        match arm.get(&source, terms).await {
            Ok(source) => {
                self.read_rights(arm, policy, std::slice::from_ref(&source), now, terms).await;
                in_full(&protected, &source)
            }
            Err(arm::Error { failure: Failure::Gone, .. }) => Protection::Unprotected,
            Err(error) => Protection::Unknown(doubt_of(&error)),
        }
    }
}

/// The terms for reading what is protected.
fn reading(terms: Terms) -> Terms {
    terms.at_most(match terms.urgency() {
        Urgency::Event => EVENT_TIME,
        Urgency::BehindEvents => READING_TIME,
    })
}

/// What protects a resource as a GET returned it, which, unlike a row of Resource Graph, names all machines that hold
/// it.
fn in_full(protected: &Protected, resource: &Resource) -> Protection {
    match protected.of(resource) {
        Protection::Unprotected if protected.is_nothing() => Protection::Unprotected,
        Protection::Unprotected if resource.may_be_held() && resource.held_by.is_empty() => {
            Protection::Unknown(Doubt::Lasting)
        }
        protection => protection,
    }
}

/// The disk of which a snapshot is a copy.
fn source(resource: &Resource) -> Option<ResourceId> {
    let source: ResourceId = resource.source.as_ref()?.parse().ok()?;
    let is_snapshot_of_disk =
        resource.id.resource_type() == ResourceType::Snapshot && source.resource_type() == ResourceType::Disk;
    is_snapshot_of_disk.then_some(source)
}
