//! What all looks share: ARM, the rules, the clock, and what is remembered because it saves requests.

use std::sync::Arc;

use time::OffsetDateTime;

use super::{Error, breaker::Breaker, in_flight::InFlight, switch::Switch};
use crate::{
    arm::{self, Client},
    azure::Terms,
    estate::{Guard, Members, Protected},
    policy::{Exemption, Limits, Policy, Protection},
    resource::Resource,
    resource_id::{MachineId, ResourceId},
};

/// What to do about writes of virtual machines and scale sets, whose disks Compute makes itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MachineEvents {
    /// Look at the machine's disks.
    #[default]
    On,
    /// Leave the machine's disks to the sweep, and to events of their own if they raise any.
    Off,
}

/// What to do about grants of access to the data of disks and snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grants {
    /// Ignore their events.
    #[default]
    Off,
    /// Log and count them, and look at the resource.
    On,
}

/// When to seal a disk that a machine holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attached {
    /// At every look.
    #[default]
    Seal,
    /// When a sweep or a person leads to the look; events leave it to the sweep.
    Leave,
}

/// Whether what a person must know goes to the queue `diskseal-outcomes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcomes {
    /// It goes to the logs alone.
    #[default]
    Off,
    /// It goes to the queue as well.
    On,
}

/// What is set about enforcing, besides the rules.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The resource ID whose tag `diskseal = off` stops every write.
    pub switch: Option<String>,
    /// What to do about writes of machines.
    pub machine_events: MachineEvents,
    /// What to do about grants of access.
    pub grants: Grants,
    /// When to seal a disk that a machine holds.
    pub attached: Attached,
    /// How much one sweep may change.
    pub limits: Limits,
    /// Whether what a person must know goes to a queue.
    pub outcomes: Outcomes,
}

/// Everything that enforcing needs besides the resource.
#[derive(Debug)]
pub struct Context {
    /// Azure Resource Manager.
    pub arm: Client,
    /// The rules.
    pub policy: Policy,
    /// What is set besides the rules.
    pub options: Options,
    /// What backups protect.
    pub guard: Guard,
    now: fn() -> OffsetDateTime,
    pub(super) in_flight: InFlight,
    pub(super) breaker: Breaker,
    switch: Switch,
    members: Members,
}

impl Context {
    /// `now` is the clock that expiries are held against and that seals are dated by.
    pub fn new(arm: Client, policy: Policy, options: Options, now: fn() -> OffsetDateTime) -> Self {
        let switch = Switch::new(options.switch.clone());
        Self {
            arm,
            policy,
            options,
            guard: Guard::default(),
            now,
            in_flight: InFlight::default(),
            breaker: Breaker::default(),
            switch,
            members: Members::default(),
        }
    }

    /// Our own object ID, by which our own writes are known.
    ///
    /// # Errors
    /// There is no token to read it from.
    pub async fn object_id(&self, terms: Terms) -> Result<Option<String>, Error> {
        Ok(self.arm.identity().object_id(terms).await.map_err(arm::Error::from)?)
    }

    /// Whether the operator's switch allows writes.
    pub async fn is_switched_on(&self, terms: Terms) -> bool {
        self.switch.is_on(&self.arm, terms).await
    }

    /// What backups protect, as it was last read.
    pub async fn protected(&self, terms: Terms) -> Arc<Protected> {
        self.guard.protected(&self.arm, &self.policy, terms).await
    }

    /// Reads the rights by which it is known what protects these resources.
    pub async fn read_rights(&self, resources: &[Resource], terms: Terms) {
        self.guard.read_rights(&self.arm, &self.policy, resources, self.now(), terms).await;
    }

    /// What protects a resource as a GET shows it.
    pub async fn protection(&self, resource: &Resource, terms: Terms) -> Protection {
        self.guard.protection(&self.arm, &self.policy, resource, self.now(), terms).await
    }

    /// Whether a write of a machine is a reason to look at its disks.
    pub fn takes_machine_events(&self) -> bool {
        self.options.machine_events == MachineEvents::On
    }

    /// Whether a grant of access is a reason to look at its resource.
    pub fn takes_grants(&self) -> bool {
        self.options.grants == Grants::On
    }

    /// The exemption that the ID decides, by the rules and by the subscriptions in scope.
    ///
    /// # Errors
    /// The management group in scope cannot be read.
    pub async fn exempt_by_id(&self, id: &ResourceId, terms: Terms) -> Result<Option<Exemption>, Error> {
        let exemption = self.policy.exempt_by_id(id, self.now());
        if exemption.is_none() && !self.contains(id.subscription_id(), terms).await? {
            return Ok(Some(Exemption::OutOfScope));
        }
        Ok(exemption)
    }

    /// Whether a machine's subscription is in scope; each of its disks is checked as well.
    ///
    /// # Errors
    /// The management group in scope cannot be read.
    pub async fn is_in_scope(&self, machine: &MachineId, terms: Terms) -> Result<bool, Error> {
        self.contains(machine.subscription_id(), terms).await
    }

    /// Whether a subscription is in scope.
    async fn contains(&self, subscription_id: &str, terms: Terms) -> Result<bool, Error> {
        let contain = self.members.contain(&self.arm, &self.policy.scope, subscription_id, terms);
        // Somebody with more time may be at the same read.
        match tokio::time::timeout_at(terms.until(), contain).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Error::Deadline),
        }
    }

    /// Checks that the management group in scope can be read: for one that is misspelt or may not be read,
    /// Resource Graph may return no rows, as if everything were sealed.
    ///
    /// # Errors
    /// The management group in scope cannot be read.
    pub async fn check_scope(&self, terms: Terms) -> Result<(), Error> {
        self.contains("", terms).await.map(drop)
    }

    /// The clock.
    pub fn now(&self) -> OffsetDateTime {
        (self.now)()
    }
}
