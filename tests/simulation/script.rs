//! A day as data: what Azure is like, and every step of everybody, with its time. A step can be left out without a change
//! of any other.

use std::time::Duration;

use diskseal_emulator::{Options, event_grid::EventGridOptions};

use super::{faults::Plan, settings::Settings, slot::Slot};

/// A day.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    pub(crate) azure: Options,
    pub(crate) delivery: EventGridOptions,
    pub(crate) slots: Vec<Slot>,
    pub(crate) settings: Settings,
    /// Instances of the functions with events, and of the queue's function, at the beginning.
    pub(crate) instances: [usize; 2],
    /// In the order of time.
    pub(crate) steps: Vec<Timed>,
}

/// A step and its time, from the beginning of the day.
#[derive(Clone, Debug)]
pub(crate) struct Timed {
    pub(crate) at: Duration,
    pub(crate) step: Step,
}

/// A function group: its instances share nothing but the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Http,
    Queue,
    Timer,
}

/// An event that Azure did not raise, or not like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hostile {
    Empty,
    OutOfScope,
    Traversal,
    OfTheFuture,
    OfThePast,
    /// With the claims of the handler's own identity.
    Echo,
    Long,
}

/// What somebody does, or what happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A person makes the resource or the machine of a slot, with or without the tag `env=prod`.
    Create(usize, bool),
    /// Terraform writes all of a resource, as its code describes it: without the mode, and with its own tags alone.
    Overwrite(usize),
    /// Terraform reads a resource, to write all of it later.
    Plan(usize),
    /// Terraform writes what it has read, whatever has happened since.
    Apply(usize),
    /// A tag tool adds a tag.
    Tag(usize, u32),
    /// An Azure Policy with the effect Modify adds its tag.
    Modify(usize),
    /// Somebody resets the mode and the network settings.
    Undo(usize),
    /// Somebody removes the seal's tags.
    Untag(usize),
    /// An attacker resets the mode so many times, this long apart.
    Attack(usize, u32, Duration),
    /// The owner exempts a resource by a tag: until a day to come, until one that is over, or illegibly.
    Exempt(usize, u8),
    /// The owner removes that tag.
    Unexempt(usize),
    Attach(usize, usize),
    Detach(usize),
    /// A backup product or an upload gets a SAS URL.
    Grant(usize),
    Revoke(usize),
    Delete(usize),
    Fault(Plan),
    ClearFaults,
    /// No token is issued for this time.
    NoTokens(Duration),
    /// The process of an instance is killed now.
    Kill(Group, usize),
    /// The process of an instance is killed at its request of this number from now on: before it is sent, or after it is
    /// answered.
    Trap(Group, usize, u32, bool),
    /// The instance is killed with its host: its messages are leased for ten minutes more.
    Replace(Group, usize),
    Scale(Group, usize),
    /// The app gets these settings, and its processes are started again one after the other.
    Configure(Settings),
    Switch(bool),
    /// The timer fires.
    Sweep,
    Hostile(Hostile, usize),
    /// A message about a resource comes from nowhere, as after a duplicate delivery.
    Message(usize),
    /// A message that nobody can read.
    Garbage(bool),
    /// The events of a slot are lost, or their times are this old.
    Disturb(usize, Option<Duration>),
}

impl Script {
    /// The same day without kills and without faults, so that everything that is counted has happened before everybody's
    /// eyes.
    pub(crate) fn calm(mut self) -> Self {
        self.steps.retain(|timed| {
            !matches!(
                timed.step,
                Step::Fault(_)
                    | Step::NoTokens(_)
                    | Step::Kill(..)
                    | Step::Trap(..)
                    | Step::Replace(..)
                    | Step::Scale(..)
                    | Step::Configure(_)
            )
        });
        self
    }
}

impl Step {
    /// Whether nobody in Azure does it: it disturbs the handler, and a script without it is a simpler one.
    pub(crate) fn is_disturbance(&self) -> bool {
        !matches!(
            self,
            Self::Create(..)
                | Self::Overwrite(_)
                | Self::Tag(..)
                | Self::Undo(_)
                | Self::Untag(_)
                | Self::Sweep
        )
    }
}
