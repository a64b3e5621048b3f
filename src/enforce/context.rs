//! What all looks share: ARM, the rules, the clock, and what is remembered because it saves requests.

use time::OffsetDateTime;

use super::{Error, breaker::Breaker, in_flight::InFlight, members::Members, switch::Switch};
use crate::{
    arm::{self, Client},
    azure::Terms,
    policy::{Exemption, MachineEvents, Policy},
    resource_id::{Estate, MachineId, ResourceId},
};

/// Everything that enforcing needs besides the resource.
#[derive(Debug)]
pub struct Context {
    /// Azure Resource Manager.
    pub arm: Client,
    /// The rules.
    pub policy: Policy,
    now: fn() -> OffsetDateTime,
    pub(super) in_flight: InFlight,
    pub(super) breaker: Breaker,
    switch: Switch,
    members: Members,
}

impl Context {
    /// `now` is the clock that expiries are held against and that seals are dated by.
    pub fn new(arm: Client, policy: Policy, now: fn() -> OffsetDateTime) -> Self {
        let switch = Switch::new(policy.switch.clone());
        Self {
            arm,
            policy,
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

    /// Whether a write of a machine is a reason to look at its disks.
    pub fn takes_machine_events(&self) -> bool {
        self.policy.machine_events == MachineEvents::On
    }

    /// The exemption that the ID alone decides, and the management group in scope, whose subscriptions are read
    /// once an hour.
    ///
    /// # Errors
    /// The management group in scope cannot be read.
    pub async fn exempt_by_id(&self, id: &ResourceId, terms: Terms) -> Result<Option<Exemption>, Error> {
        let exemption = self.policy.exempt_by_id(id);
        if exemption.is_none() && !self.is_member(id.subscription_id(), terms).await? {
            return Ok(Some(Exemption::OutOfScope));
        }
        Ok(exemption)
    }

    /// Whether a machine's subscription is in scope; its disks are asked about one by one.
    ///
    /// # Errors
    /// The management group in scope cannot be read.
    pub async fn is_in_scope(&self, machine: &MachineId, terms: Terms) -> Result<bool, Error> {
        match self.policy.estate.contains(machine.subscription_id()) {
            Some(answer) => Ok(answer),
            None => self.is_member(machine.subscription_id(), terms).await,
        }
    }

    /// Whether a subscription is in the management group in scope; true where there is none.
    async fn is_member(&self, subscription_id: &str, terms: Terms) -> Result<bool, Error> {
        let estate = &self.policy.estate;
        if !matches!(estate, Estate::ManagementGroup(_)) {
            return Ok(true);
        }
        let contain = self.members.contain(&self.arm, estate, subscription_id, terms);
        // Somebody with more time may be at the same read.
        match tokio::time::timeout_at(terms.until(), contain).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Error::Deadline),
        }
    }

    /// Sees that the subscriptions in scope are known: of a group that is misspelt or may not be read, Resource
    /// Graph may show nothing, which must not be taken for an estate without fault.
    ///
    /// # Errors
    /// The management group in scope cannot be read.
    pub async fn check_estate(&self, terms: Terms) -> Result<(), Error> {
        self.is_member("", terms).await.map(drop)
    }

    /// The clock.
    pub fn now(&self) -> OffsetDateTime {
        (self.now)()
    }
}
