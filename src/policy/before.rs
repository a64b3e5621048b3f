//! What a resource was before a change: what a plan of a sweep promises, and what goes back when it is reverted.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::{Mode, Policy, TagRule};
use crate::{
    resource::{DataAccessAuthMode, Resource, tags::Tags},
    resource_id::is_same,
};

/// The values of a resource that a seal changes, and those that show whether it is still the same resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Before {
    /// `properties.dataAccessAuthMode`; `None` if Azure has none.
    pub data_access_auth_mode: DataAccessAuthMode,
    /// `properties.timeCreated` in whole seconds, UTC. Two resources with one ID differ in it.
    pub time_created: Option<String>,
    /// Whether it is sealed or only reported.
    pub ring: Mode,
    /// The values of the seal's tags, and none for each that is absent.
    pub tags: BTreeMap<String, Option<String>>,
}

/// What was done with a plan, so which values are those of a resource in the middle of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is being applied: a sealed resource may have the seal's tags.
    Apply,
    /// It is being reverted: any resource may.
    Revert,
}

words! {
    /// How a resource differs from a plan.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Drift, reason of reasons {
        /// Another resource has its ID now.
        Replaced => "drift_replaced",
        /// Its mode is neither that of the plan nor the seal's.
        Mode(String) => "drift_mode",
        /// The value of this tag is neither that of the plan nor the seal's.
        Tag(String) => "drift_tag",
        /// It is in another ring.
        Ring(Mode) => "drift_ring",
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replaced => f.write_str("it was created after the plan: another resource has its ID now"),
            Self::Mode(mode) => write!(f, "its dataAccessAuthMode is {mode:?}, and was another in the plan"),
            Self::Tag(name) => write!(f, "the value of its tag {name:?} is another than in the plan"),
            Self::Ring(ring) => write!(f, "it is in the ring {} now", ring.label()),
        }
    }
}

impl Before {
    /// The values of a resource as it was read.
    pub fn of(policy: &Policy, resource: &Resource) -> Self {
        let value = |rule: &TagRule| resource.tags.get(rule.name()).map(str::to_owned);
        Self {
            data_access_auth_mode: resource.data_access_auth_mode.clone(),
            time_created: seconds(resource.time_created),
            ring: policy.ring_of(resource),
            tags: policy.tags.iter().map(|rule| (rule.name().to_owned(), value(rule))).collect(),
        }
    }

    /// How a resource differs from these values, by somebody else than a seal with the policy's tags.
    pub fn drift(&self, policy: &Policy, resource: &Resource, step: Step) -> Option<Drift> {
        let created = seconds(resource.time_created);
        if self.time_created.is_some() && created.is_some() && self.time_created != created {
            return Some(Drift::Replaced);
        }
        let mode = &resource.data_access_auth_mode;
        let is_sealed = *mode == DataAccessAuthMode::AzureActiveDirectory;
        if *mode != self.data_access_auth_mode && !is_sealed {
            return Some(Drift::Mode(mode.as_str().to_owned()));
        }
        let is_other = |rule: &&TagRule| {
            let now = resource.tags.get(rule.name());
            let is_written =
                (is_sealed || step == Step::Revert) && now.is_some_and(|now| rule.has_written(now));
            // A revert has removed it, and was stopped before it wrote the value of before.
            let is_removed = step == Step::Revert && now.is_none();
            !(now == self.tag(rule.name()) || is_written || is_removed)
        };
        if let Some(rule) = policy.tags.iter().find(is_other) {
            return Some(Drift::Tag(rule.name().to_owned()));
        }
        let ring = policy.ring_of(resource);
        (step == Step::Apply && ring != self.ring).then_some(Drift::Ring(ring))
    }

    /// The tags of a seal to remove from a resource, and those whose values of before to write.
    pub fn undo(&self, resource: &Resource) -> (Tags, Tags) {
        let (mut remove, mut restore) = (Tags::default(), Tags::default());
        for (name, before) in &self.tags {
            match (resource.tags.get(name), before) {
                (Some(now), None) => remove.insert(name, now),
                (now, Some(before)) if now != Some(before) => restore.insert(name, before),
                _ => {}
            }
        }
        (remove, restore)
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(known, _)| is_same(known, name)).and_then(|(_, value)| value.as_deref())
    }
}

fn seconds(time: Option<OffsetDateTime>) -> Option<String> {
    let time = time?.checked_to_offset(UtcOffset::UTC)?;
    time.replace_nanosecond(0).ok()?.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::resource::Member;

    const SEALED_AT: &str = "2026-11-27T01:02:03Z";

    fn policy() -> Policy {
        let rules = [("mode", "AAD"), ("at", "{sealed_at}"), ("by", "by {trigger}")];
        Policy {
            tags: rules.into_iter().map(|(name, value)| TagRule::new(name, value).unwrap()).collect(),
            ..Policy::default()
        }
    }

    fn resource(mode: DataAccessAuthMode, tags: &[(&str, &str)]) -> Resource {
        let id = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";
        Resource {
            id: id.parse().unwrap(),
            location: None,
            data_access_auth_mode: mode,
            provisioning_state: None,
            disk_state: None,
            network_access_policy: None,
            public_network_access: None,
            create_option: None,
            completion_percent: None,
            held_by: vec![],
            source: None,
            time_created: Some(datetime!(2026-11-01 0:00:00.5 UTC)),
            tags: tags.iter().copied().collect(),
            unreadable: Vec::<Member>::new(),
        }
    }

    #[test]
    fn a_part_of_the_seal_is_no_drift_and_anything_else_is() {
        use DataAccessAuthMode::{AzureActiveDirectory as Aad, None as Open, Other};
        let before = Before::of(&policy(), &resource(Open, &[("team", "x"), ("Mode", "old")]));
        let drift = |mode, tags: &[(&str, &str)], step| {
            before.drift(&policy(), &resource(mode, tags), step).map(|drift| drift.reason())
        };
        let seal = [("mode", "AAD"), ("at", SEALED_AT), ("by", "by sweep")];
        for (mode, tags, apply, revert) in [
            (Open, &[("mode", "old")][..], None, None),
            (Open, &[("mode", "old"), ("team", "y")], None, None),
            (Aad, &[("mode", "old")], None, None),
            (Aad, &seal, None, None),
            (Aad, &seal[..1], None, None),
            (Other("X".to_owned()), &[("mode", "old")], Some("drift_mode"), Some("drift_mode")),
            (Open, &[("mode", "new")], Some("drift_tag"), Some("drift_tag")),
            (Open, &[], Some("drift_tag"), None),
            (Open, &seal, Some("drift_tag"), None),
            (Aad, &[("mode", "AAD"), ("at", "mine")], Some("drift_tag"), Some("drift_tag")),
            (Aad, &[("mode", "AAD"), ("by", "by night")], Some("drift_tag"), Some("drift_tag")),
        ] {
            assert_eq!(drift(mode.clone(), tags, Step::Apply), apply, "{mode:?} {tags:?}");
            assert_eq!(drift(mode.clone(), tags, Step::Revert), revert, "{mode:?} {tags:?}");
        }
        let mut other = resource(Open, &[("mode", "old")]);
        other.time_created = Some(datetime!(2026-11-01 0:00:01 UTC));
        assert_eq!(before.drift(&policy(), &other, Step::Apply), Some(Drift::Replaced));
        let ringed = Policy { rings: "tag:ring=1".parse().unwrap(), ..policy() };
        let moved = before.drift(&ringed, &resource(Open, &[("mode", "old")]), Step::Apply);
        assert_eq!(moved, Some(Drift::Ring(Mode::Audit)));
    }

    #[test]
    fn only_tags_of_the_seal_go_back() {
        use DataAccessAuthMode::{AzureActiveDirectory as Aad, None as Open};
        let before = Before::of(&policy(), &resource(Open, &[("team", "x"), ("mode", "old")]));
        let sealed = resource(Aad, &[("team", "y"), ("MODE", "AAD"), ("at", SEALED_AT)]);
        let (remove, restore) = before.undo(&sealed);
        assert_eq!(remove.iter().collect::<Vec<_>>(), [("at", SEALED_AT)]);
        assert_eq!(restore.iter().collect::<Vec<_>>(), [("mode", "old")]);
        let (remove, restore) = before.undo(&resource(Open, &[("mode", "old")]));
        assert!(remove.is_empty() && restore.is_empty());
    }
}
