//! What must hold, and what was seen that breaks it.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// How many examples of a broken invariant are kept.
const EXAMPLES: usize = 3;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Invariant {
    Sealed,
    Tags,
    Outside,
    Shape,
    Order,
    Secrets,
    Ends,
    Answers,
    Rest,
    Memory,
    Descriptors,
    Threads,
}

impl Invariant {
    /// All of them, in the order of the table.
    pub(crate) const ALL: [Self; 12] = [
        Self::Sealed,
        Self::Tags,
        Self::Outside,
        Self::Shape,
        Self::Order,
        Self::Secrets,
        Self::Ends,
        Self::Answers,
        Self::Rest,
        Self::Memory,
        Self::Descriptors,
        Self::Threads,
    ];

    /// The invariant as a sentence.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Sealed => "every resource to seal is sealed in the end",
            Self::Tags => "no tag of others is changed",
            Self::Outside => "what is exempt, out of scope or in the audit ring is never written",
            Self::Shape => "a write changes the mode alone, or merges the seal's tags alone",
            Self::Order => "the tags come after an answer that shows the mode",
            Self::Secrets => "no token, claim or signed URL is in a log or an export",
            Self::Ends => "no handler panics, and none ends unless it is killed",
            Self::Answers => "every answer to the host can be used",
            Self::Rest => "events, queue and sweeps come to an end",
            Self::Memory => "memory: the last tenth of the time is as the first",
            Self::Descriptors => "open files: the last tenth of the time is as the first",
            Self::Threads => "threads: the last tenth of the time is as the first",
        }
    }
}

/// What was seen that breaks an invariant.
#[derive(Debug, Default)]
pub(crate) struct Broken(Mutex<BTreeMap<Invariant, (usize, Vec<String>)>>);

impl Broken {
    /// Adds an observation.
    pub(crate) fn add(&self, invariant: Invariant, what: impl Into<String>) {
        let mut all = self.0.lock();
        let (count, examples) = all.entry(invariant).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(what.into());
        }
    }

    /// How many observations there are about an invariant, and the first of them.
    pub(crate) fn of(&self, invariant: Invariant) -> (usize, Vec<String>) {
        self.0.lock().get(&invariant).cloned().unwrap_or_default()
    }

    /// Whether every invariant holds.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}
