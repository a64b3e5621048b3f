//! Whether the identity may read what vaults protect, by subscription.
//!
//! Resource Graph returns the resources that the identity may read and leaves the others out ("Overview of Azure
//! Resource Graph", permissions), so a missing right looks like a subscription without vaults. Only the identity's
//! permissions show the difference.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::warn;

use crate::{
    arm::{self, Client, Failure, SystemFailure},
    azure::Terms,
    policy::Doubt,
    telemetry::{Wait, wait},
};

/// The actions by which the backup guard sees what vaults protect.
pub const READS: [&str; 6] = [
    "Microsoft.RecoveryServices/vaults/read",
    "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/read",
    "Microsoft.RecoveryServices/vaults/replicationFabrics/replicationProtectionContainers/replicationProtectedItems/read",
    "Microsoft.DataProtection/backupVaults/read",
    "Microsoft.DataProtection/backupVaults/backupInstances/read",
    "Microsoft.ContainerService/managedClusters/read",
];

/// What is known of the identity's rights, for each subscription in which a resource was judged.
#[derive(Debug, Default)]
pub(super) struct Rights(parking_lot::Mutex<HashMap<String, Arc<Subscription>>>);

#[derive(Debug, Default)]
struct Subscription {
    /// Held while the permissions are read, so that one look reads them for all.
    reading: tokio::sync::Mutex<()>,
    known: parking_lot::Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    doubt: Option<(Doubt, String)>,
    until: Instant,
}

impl Rights {
    /// Reads the permissions in a subscription, unless they are known. `lasting` is how long an answer or a refusal
    /// is kept, `passing` how long a missing answer is.
    pub(super) async fn read(
        &self,
        arm: &Client,
        subscription_id: &str,
        terms: Terms,
        lasting: Duration,
        passing: Duration,
    ) {
        let subscription = Arc::clone(self.0.lock().entry(subscription_id.to_ascii_lowercase()).or_default());
        let reading = wait(Wait::Guard, subscription.reading.lock());
        let Ok(_reading) = tokio::time::timeout_at(terms.until(), reading).await else {
            // Whoever reads them sets what is known.
            return;
        };
        if subscription.known.lock().as_ref().is_some_and(|known| Instant::now() < known.until) {
            return;
        }
        let doubt = doubt(arm, subscription_id, terms).await;
        if let Some((_, why)) = &doubt {
            warn!("the backup guard cannot determine what is protected: {why}");
        }
        let lasts = if matches!(doubt, Some((Doubt::Passing, _))) { passing } else { lasting };
        *subscription.known.lock() = Some(Known { doubt, until: Instant::now() + lasts });
    }

    /// The doubt about everything in a subscription, as far as its permissions were read.
    pub(super) fn doubt(&self, subscription_id: &str) -> Option<Doubt> {
        let subscription = self.0.lock().get(&subscription_id.to_ascii_lowercase()).cloned()?;
        let known = subscription.known.lock();
        // A first look that could not wait for the read of another one.
        let Some(known) = known.as_ref() else { return Some(Doubt::Passing) };
        known.doubt.as_ref().map(|(doubt, _)| *doubt)
    }

    /// The reasons of all doubts.
    pub(super) fn doubts(&self) -> Vec<String> {
        let subscriptions: Vec<_> = self.0.lock().values().cloned().collect();
        let why = |subscription: Arc<Subscription>| {
            let known = subscription.known.lock();
            known.as_ref().and_then(|known| known.doubt.as_ref()).map(|(_, why)| why.clone())
        };
        subscriptions.into_iter().filter_map(why).collect()
    }
}

async fn doubt(arm: &Client, subscription_id: &str, terms: Terms) -> Option<(Doubt, String)> {
    let answer = tokio::time::timeout_at(terms.until(), arm.permissions(subscription_id, terms)).await;
    let unread = |why: String| format!("the permissions in subscription {subscription_id}: {why}");
    match answer {
        Ok(Ok(permissions)) => {
            let missing: Vec<_> = READS.into_iter().filter(|action| !permissions.allow(action)).collect();
            (!missing.is_empty()).then(|| {
                let missing = missing.join(", ");
                (Doubt::Lasting, format!("the identity lacks {missing} in subscription {subscription_id}"))
            })
        }
        // ARM has no such list here, and the resource was read all the same: this says nothing of the rights.
        Ok(Err(error)) if error.failure == Failure::Gone => None,
        Ok(Err(error)) => Some((doubt_of(&error), unread(error.to_string()))),
        Err(_) => Some((Doubt::Passing, unread("no answer in time".to_owned()))),
    }
}

/// The doubt after a failed request. A refusal and an answer that cannot be parsed are lasting.
pub(super) fn doubt_of(error: &arm::Error) -> Doubt {
    match error.failure {
        Failure::Overtaken => Doubt::Passing,
        Failure::System(SystemFailure::Unreadable) => Doubt::Lasting,
        _ if error.is_refusal() => Doubt::Lasting,
        _ => Doubt::Passing,
    }
}
