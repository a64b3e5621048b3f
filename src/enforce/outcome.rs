//! What a look at a resource leads to.

use std::fmt;

use super::error::{Error, SEAL_REMOVED};
use crate::policy::{Drift, Exemption, Guarded, Mode, decide::Change};

/// The reason of a seal that no event has led to.
pub const EVENT_MISSED: &str = "event_missed";
/// The reason of a resource that stays in audit while others are sealed.
pub const AUDIT_RING: &str = "audit_ring";

/// Says of `network_sealed` that the resource has the auth mode.
pub const HAD_MODE: &str = "it had the auth mode already";

/// Whether ARM keeps the seal's tags as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagsKept {
    /// They are as they were written.
    AsWritten,
    /// ARM shows others: a policy of the organisation changes tags as they are written.
    Modified,
}

impl TagsKept {
    /// The reason of an outcome with modified tags, a word from a closed set.
    pub const MODIFIED: &str = "tags_modified";

    /// The worse of both.
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        if self == Self::AsWritten { other } else { self }
    }
}

words! {
    /// What a look at a resource led to.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Outcome, label of labels {
        /// It was not sealed and is now, proven by what ARM shows.
        Sealed(TagsKept) => "sealed",
        /// As `Sealed`, and it is so new that its event should have led to the seal, and a sweep has.
        Missed(TagsKept) => "sealed",
        /// It had the auth mode, and its tags are written now.
        Tagged(TagsKept) => "tagged",
        /// As `Sealed`, and somebody had removed the seal.
        Resealed(TagsKept) => "sealed",
        /// As `Tagged`, and the resource is written so often that somebody must be removing the seal.
        Retagged(TagsKept) => "tagged",
        /// It had the auth mode, and its network settings are written now.
        NetworkSealed(TagsKept) => "network_sealed",
        /// As `NetworkSealed`, and somebody had undone them.
        NetworkResealed(TagsKept) => "network_sealed",
        /// Its network settings are written now, and its auth mode is left as it is, because of a backup or of one that may
        /// be there.
        NetworkAlone(Guarded) => "network_sealed",
        /// It was sealed before.
        AlreadySealed => "already_sealed",
        /// It is left as it is, for a recorded reason.
        Exempt(Exemption) => "exempt",
        /// It is left as it is, because of a backup or of one that may be there.
        Protected(Guarded) => "protected",
        /// It is not sealed, and audit mode never writes.
        WouldSeal(Change) => "would_seal",
        /// As `WouldSeal`, because no ring contains it while others are sealed.
        InAudit(Change) => "would_seal",
        /// A plan was to be applied, and the resource is not what it was.
        Drifted(Drift) => "drifted",
        /// It was announced or listed, and no longer exists.
        Gone => "gone",
        /// A person named it, and it does not exist.
        NotFound => "not_found",
        /// The sweep seals it later, for this reason.
        LeftToSweep(Left) => "left_to_sweep",
        /// The operator's switch is off. The first sweep after it is on again seals it.
        SwitchedOff => "switched_off",
    }
}

words! {
    /// Why a resource is left to the sweep.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    pub enum Left, reason of reasons {
        /// The settings leave such disks to it.
        #[error("a machine holds it, and DISKSEAL_ATTACHED is leave")]
        Attached => "attached",
    } + {
        /// It cannot be sealed for a reason that is expected to last, and the queue has delivered its message for the
        /// last time; or a machine's disks cannot be read.
        #[error(transparent)]
        Wait(Error),
    }
}

impl Left {
    /// The label of the outcome, also for machines.
    pub const OUTCOME: &str = "left_to_sweep";
}

impl Outcome {
    /// The outcome of a change that was written.
    pub(super) fn of_change(change: Change, kept: TagsKept, is_missed: bool) -> Self {
        let is_of_network = !change.network_access.is_empty();
        match (change.data_access_auth_mode.is_some(), change.is_removal) {
            (true, false) if is_missed => Self::Missed(kept),
            (true, false) => Self::Sealed(kept),
            (true, true) => Self::Resealed(kept),
            (false, true) if is_of_network => Self::NetworkResealed(kept),
            (false, false) if is_of_network => {
                change.held_back.map_or(Self::NetworkSealed(kept), Self::NetworkAlone)
            }
            (false, false) => Self::Tagged(kept),
            (false, true) => Self::Retagged(kept),
        }
    }

    /// The outcome where audit keeps a change from being written: by the mode, or by the ring.
    pub(super) fn in_audit(mode: Mode, change: Change) -> Self {
        match mode {
            Mode::Audit => Self::WouldSeal(change),
            Mode::Enforce => Self::InAudit(change),
        }
    }

    /// Whether the resource needs no change: it is sealed, or its owner has exempted it.
    pub const fn needs_no_change(&self) -> bool {
        matches!(self, Self::AlreadySealed | Self::Exempt(_))
    }

    /// Why it is left as it is, a word from a closed set.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::WouldSeal(change) | Self::InAudit(change) if change.is_removal => Some(SEAL_REMOVED),
            Self::Exempt(exemption) => Some(exemption.reason()),
            Self::Protected(guarded)
            | Self::NetworkAlone(guarded)
            | Self::WouldSeal(Change { held_back: Some(guarded), .. }) => Some(guarded.reason()),
            Self::InAudit(_) => Some(AUDIT_RING),
            Self::Drifted(drift) => Some(drift.reason()),
            Self::Resealed(_) | Self::Retagged(_) | Self::NetworkResealed(_) => Some(SEAL_REMOVED),
            Self::Missed(_) => Some(EVENT_MISSED),
            Self::Sealed(TagsKept::Modified)
            | Self::Tagged(TagsKept::Modified)
            | Self::NetworkSealed(TagsKept::Modified) => Some(TagsKept::MODIFIED),
            Self::LeftToSweep(left) => Some(left.reason()),
            _ => None,
        }
    }

    /// The same in a sentence, also for what only waits.
    pub(super) fn why(&self) -> Option<&dyn fmt::Display> {
        match self {
            Self::WouldSeal(change) | Self::InAudit(change) if change.is_removal => {
                Some(&"its seal was removed")
            }
            Self::Exempt(exemption) => Some(exemption),
            Self::Protected(guarded)
            | Self::NetworkAlone(guarded)
            | Self::WouldSeal(Change { held_back: Some(guarded), .. }) => Some(guarded),
            Self::InAudit(_) => Some(&"it is in audit: no ring of DISKSEAL_ENFORCE contains it"),
            Self::Resealed(_) | Self::Retagged(_) | Self::NetworkResealed(_) => {
                Some(&"its seal had been removed")
            }
            Self::NetworkSealed(TagsKept::AsWritten) => Some(&HAD_MODE),
            Self::Sealed(TagsKept::Modified)
            | Self::Tagged(TagsKept::Modified)
            | Self::NetworkSealed(TagsKept::Modified) => {
                Some(&"its tags were changed as they were written, by an Azure Policy for example")
            }
            Self::Missed(_) => Some(&"it is new, and no event had sealed it"),
            Self::Drifted(drift) => Some(drift),
            Self::LeftToSweep(left) => Some(left),
            Self::SwitchedOff => Some(&"the tag diskseal=off stops every write"),
            _ => None,
        }
    }
}
