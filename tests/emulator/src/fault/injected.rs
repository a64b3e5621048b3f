//! The faults that are in force, and the handle on each.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{Action, Fault, Kind};
use crate::Emulator;
use crate::resource_id::ResourceId;

/// What becomes of held requests.
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
    fired: watch::Sender<u32>,
    /// How many requests have come to the point at which they are held.
    held: watch::Sender<u32>,
    release: watch::Sender<Release>,
}

/// The faults in force, in the order in which they were injected.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Mutex<Vec<Arc<Rule>>>,
}

/// A fault that has met a request.
#[derive(Clone, Debug)]
pub(crate) struct Fired(Arc<Rule>);

impl Fired {
    pub(crate) fn action(&self) -> &Action {
        &self.0.fault.action
    }

    pub(crate) fn delay(&self) -> Duration {
        self.0.fault.delay
    }

    /// Waits for the test to say what becomes of the request.
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
    /// The fault that meets a request, which counts as fired. `exists` tells whether the resource does.
    pub(crate) fn meet(
        &self,
        kind: Kind,
        method: &Method,
        resource: Option<&ResourceId>,
        exists: impl Fn() -> bool,
    ) -> Option<Fired> {
        let mut rules = self.rules.lock();
        let place = rules.iter().position(|rule| {
            let visible = !matches!(rule.fault.action, Action::NotYetVisible) || exists();
            let counts = visible && rule.fault.meets(kind, method, resource);
            let left = rule.fault.times.is_none_or(|times| *rule.fired.borrow() < times);
            if !counts || !left {
                return false;
            }
            let mut matched = rule.matched.lock();
            *matched = matched.saturating_add(1);
            *matched > rule.fault.after
        })?;
        let rule = Arc::clone(&rules[place]);
        rule.fired.send_modify(|fired| *fired += 1);
        if rule.fault.times.is_some_and(|times| *rule.fired.borrow() >= times) {
            rules.remove(place);
        }
        Some(Fired(rule))
    }
}

/// A handle on an injected fault. Dropping it leaves the fault in force.
#[derive(Clone, Debug)]
pub struct Injected {
    emulator: Emulator,
    rule: Arc<Rule>,
}

impl Injected {
    /// How many requests the fault has met.
    pub fn fired(&self) -> u32 {
        *self.rule.fired.borrow()
    }

    /// Waits until the fault has met a request, which need not have taken effect by then.
    pub async fn met(&self) {
        self.met_times(1).await;
    }

    /// Waits until the fault has met so many requests.
    pub async fn met_times(&self, times: u32) {
        // The sender lives as long as `self`, so this fails never.
        let _ = self.rule.fired.subscribe().wait_for(|fired| *fired >= times).await;
    }

    /// Waits until a request has stopped at the point that the fault names: before it takes effect, or after.
    pub async fn held(&self) {
        let _ = self.rule.held.subscribe().wait_for(|held| *held >= 1).await;
    }

    /// Lets every request go on that is held or will be.
    pub fn release(&self) {
        self.rule.release.send_replace(Release::GoOn);
    }

    /// Breaks the connection of every request that is held or will be. One that is held before applying
    /// changes nothing.
    pub fn cut_off(&self) {
        self.rule.release.send_replace(Release::CutOff);
    }

    /// Takes the fault out of force. Requests that it holds stay held.
    pub fn remove(&self) {
        self.emulator.inner.faults.rules.lock().retain(|rule| !Arc::ptr_eq(rule, &self.rule));
    }
}

impl Emulator {
    /// Puts a fault in force.
    pub fn inject(&self, fault: Fault) -> Injected {
        let rule = Arc::new(Rule {
            fault,
            matched: Mutex::new(0),
            fired: watch::Sender::new(0),
            held: watch::Sender::new(0),
            release: watch::Sender::new(Release::Held),
        });
        self.inner.faults.rules.lock().push(Arc::clone(&rule));
        Injected { emulator: self.clone(), rule }
    }

    /// Takes all faults out of force. Requests that they hold stay held.
    pub fn clear_faults(&self) {
        self.inner.faults.rules.lock().clear();
    }
}
