//! The active faults, and a handle for each.

use std::{sync::Arc, time::Duration};

use axum::http::Method;
use fastrand::Rng;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{Action, Fault, Kind};
use crate::{Emulator, route::Route};

/// What happens to held requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    Held,
    GoOn,
    CutOff,
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    matched: Mutex<u32>,
    random: Mutex<Rng>,
    fired: watch::Sender<u32>,
    /// The number of requests that have reached the point at which they are held.
    held: watch::Sender<u32>,
    release: watch::Sender<Release>,
}

/// The share of the matching requests that a fault affects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// From 0 to 1.
    of: f64,
    seed: u64,
}

impl Fault {
    /// Affects this share of the matching requests, from 0 to 1. The same seed chooses the same ones in their order.
    #[must_use]
    pub fn sometimes(mut self, share: f64, seed: u64) -> Self {
        self.share = Some(Share { of: share, seed });
        self
    }
}

/// The active faults, in the order of injection.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Mutex<Vec<Arc<Rule>>>,
}

/// A fault that affects a request.
#[derive(Clone, Debug)]
pub(crate) struct Fired(Arc<Rule>);

impl Fired {
    pub(crate) fn action(&self) -> &Action {
        &self.0.fault.action
    }

    pub(crate) fn delay(&self) -> Duration {
        self.0.fault.delay
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.0.fault.is_marked
    }

    /// The number of requests that the fault has affected, this one included.
    pub(crate) fn count(&self) -> u32 {
        *self.0.fired.borrow()
    }

    /// Waits until the test decides about the request.
    pub(crate) async fn released(&self) -> Release {
        self.0.held.send_modify(|held| *held += 1);
        let mut release = self.0.release.subscribe();
        match release.wait_for(|state| *state != Release::Held).await {
            Ok(state) => *state,
            Err(_) => Release::CutOff,
        }
    }
}

impl Faults {
    /// The fault that affects a request; counts it. `exists` is whether the resource exists.
    pub(crate) fn meet(
        &self,
        kind: Kind,
        method: &Method,
        route: &Route,
        exists: impl Fn() -> bool,
    ) -> Option<Fired> {
        let mut rules = self.rules.lock();
        let place = rules.iter().position(|rule| {
            let visible = !matches!(rule.fault.action, Action::NotYetVisible) || exists();
            let counts = visible && rule.fault.meets(kind, method, route);
            let left = rule.fault.times.is_none_or(|times| *rule.fired.borrow() < times);
            if !counts || !left {
                return false;
            }
            let mut matched = rule.matched.lock();
            *matched = matched.saturating_add(1);
            let is_chosen = rule.fault.share.is_none_or(|share| rule.random.lock().f64() < share.of);
            *matched > rule.fault.after && is_chosen
        })?;
        let rule = Arc::clone(&rules[place]);
        rule.fired.send_modify(|fired| *fired += 1);
        if rule.fault.times.is_some_and(|times| *rule.fired.borrow() >= times) {
            rules.remove(place);
        }
        Some(Fired(rule))
    }
}

/// A handle on an injected fault. Dropping it leaves the fault active.
#[derive(Clone, Debug)]
pub struct Injected {
    emulator: Emulator,
    rule: Arc<Rule>,
}

impl Injected {
    /// The number of requests that the fault has affected.
    pub fn fired(&self) -> u32 {
        *self.rule.fired.borrow()
    }

    /// Waits until the fault has affected a request, which may not have taken effect yet.
    pub async fn met(&self) {
        self.met_times(1).await;
    }

    /// Waits until the fault has affected this many requests.
    pub async fn met_times(&self, times: u32) {
        // The sender lives as long as `self`, so this never fails.
        let _ = self.rule.fired.subscribe().wait_for(|fired| *fired >= times).await;
    }

    /// Waits until a request is held, before or after it takes effect.
    pub async fn held(&self) {
        let _ = self.rule.held.subscribe().wait_for(|held| *held >= 1).await;
    }

    /// Releases every request that is held or will be.
    pub fn release(&self) {
        self.rule.release.send_replace(Release::GoOn);
    }

    /// Breaks the connection of every request that is held or will be. A request held before applying changes
    /// nothing.
    pub fn cut_off(&self) {
        self.rule.release.send_replace(Release::CutOff);
    }

    /// Removes the fault. Requests that it holds stay held.
    pub fn remove(&self) {
        self.emulator.inner.faults.rules.lock().retain(|rule| !Arc::ptr_eq(rule, &self.rule));
    }
}

impl Emulator {
    /// Injects a fault.
    pub fn inject(&self, fault: Fault) -> Injected {
        let seed = fault.share.map_or(0, |share| share.seed);
        let rule = Arc::new(Rule {
            fault,
            matched: Mutex::new(0),
            random: Mutex::new(Rng::with_seed(seed)),
            fired: watch::Sender::new(0),
            held: watch::Sender::new(0),
            release: watch::Sender::new(Release::Held),
        });
        self.inner.faults.rules.lock().push(Arc::clone(&rule));
        Injected { emulator: self.clone(), rule }
    }

    /// Removes all faults. Requests that they hold stay held.
    pub fn clear_faults(&self) {
        self.inner.faults.rules.lock().clear();
    }
}
