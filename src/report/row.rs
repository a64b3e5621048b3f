//! One resource as every form of the report shows it: text and numbers only, so that a large report can be kept in a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::Date;

use super::{
    Entry, InUse, NO_LOCATION, OfResource, Run, Status,
    control::{Check, Verdict},
    exemption_tag::ExemptionTagRow,
    note::{Note, Word},
    pending,
    stamp::seconds,
    warning,
};
use crate::policy::decide::Decision;

/// One resource. In JSON it is an element of `exceptions` and `resources`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its state.
    pub status: Status,
    /// `enforce` if it is sealed, `audit` if it is only reported.
    pub ring: Word,
    /// The reason for its state.
    pub reason: Word,
    /// The reason for people, with details. Empty for a sealed one.
    pub detail: String,
    /// What an unsealed one lacks.
    pub missing: Option<Missing>,
    /// The last day of its exemption.
    pub until: Option<String>,
    /// Whole days until then.
    pub days_left: Option<i64>,
    /// The glob, or the entry of `DISKSEAL_EXEMPTIONS`, that exempts it; none for a tag, and for what is not exempt.
    #[serde(default)]
    pub rule: Option<String>,
    /// Its exemption tag, whether it decides or not.
    pub exemption_tag: Option<ExemptionTagRow>,
    /// The value of its owner tag, or the owner of the listed exemption that decides.
    pub owner: Option<String>,
    /// `disk` or `snapshot`.
    pub kind: Word,
    /// Its name.
    pub name: String,
    /// Its resource group.
    pub resource_group: String,
    /// Its subscription.
    pub subscription_id: String,
    /// The name of its subscription, if the identity sees it.
    pub subscription_name: Option<String>,
    /// Its region.
    pub location: Option<String>,
    /// Its resource ID.
    pub id: String,
    /// Its page in the Azure portal.
    pub portal: String,
    /// The ID of the virtual machine that it is attached to, if Azure returns it.
    pub managed_by: Option<String>,
    /// `properties.dataAccessAuthMode`; `None` if Azure has none; absent if it cannot be read.
    pub data_access_auth_mode: Option<String>,
    /// `properties.networkAccessPolicy`, if Azure returns it.
    pub network_access_policy: Option<String>,
    /// `properties.publicNetworkAccess`, if Azure returns it.
    pub public_network_access: Option<String>,
    /// `properties.diskState`, if Azure returns it.
    pub disk_state: Option<String>,
    /// `properties.timeCreated`, in UTC.
    pub time_created: Option<String>,
    /// When Diskseal sealed it, by its tag. None if it had the mode at the first look.
    pub sealed_at: Option<String>,
    /// What first named it to Diskseal, by its tag.
    pub sealed_by: Option<Word>,
    /// What each check finds.
    pub checks: Checks,
    /// The SAS URLs that were taken of it, with `--exports`.
    pub exports: Option<OfResource>,
    /// Why it is pending, if it is.
    pub pending: Option<Note>,
    /// What a person should look at.
    pub warnings: Vec<Note>,
}

/// What an unsealed resource lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// Whether it lacks the auth mode.
    pub data_access_auth_mode: bool,
    /// The network settings that it lacks, each with the value of the seal.
    #[serde(default)]
    pub network_access: BTreeMap<String, String>,
    /// The names of the tags that it lacks.
    pub tags: Vec<String>,
}

/// What each check finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checks {
    /// [`Check::DataAccessAuthMode`]
    pub data_access_auth_mode: Verdict,
    /// [`Check::NetworkAccess`]
    pub network_access: Verdict,
}

impl Checks {
    /// What one check finds.
    pub const fn of(self, check: Check) -> Verdict {
        match check {
            Check::DataAccessAuthMode => self.data_access_auth_mode,
            Check::NetworkAccess => self.network_access,
        }
    }
}

impl Row {
    pub(super) fn new(
        entry: &Entry,
        run: &Run,
        subscription_name: Option<&str>,
        exports: Option<OfResource>,
    ) -> Self {
        let until = entry.until();
        let id = entry.id.to_string();
        Self {
            status: entry.status(),
            ring: entry.ring.label().into(),
            reason: entry.reason().into(),
            detail: entry.detail(),
            missing: match &entry.decision {
                Decision::Seal(change) => Some(Missing {
                    data_access_auth_mode: change.data_access_auth_mode.is_some(),
                    network_access: change
                        .network_access
                        .pairs()
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .collect(),
                    tags: change.tags.iter().map(|(name, _)| name.to_owned()).collect(),
                }),
                _ => None,
            },
            until: until.map(|date| date.to_string()),
            days_left: until.map(|date| run.days_left(date)),
            rule: entry.rule(),
            exemption_tag: entry.exemption_tag.as_ref().map(ExemptionTagRow::new),
            owner: entry.owner.clone(),
            kind: entry.kind().into(),
            name: entry.id.name().to_owned(),
            resource_group: entry.id.resource_group().to_owned(),
            subscription_id: entry.id.subscription_id().to_owned(),
            subscription_name: subscription_name.map(str::to_owned),
            location: entry.location.clone(),
            portal: run.portal_link(&id),
            id,
            data_access_auth_mode: entry.facts.auth_mode.clone(),
            managed_by: match &entry.in_use {
                Some(InUse::Attached(machine)) => machine.clone(),
                Some(InUse::Sas) | None => None,
            },
            network_access_policy: entry.facts.network_access_policy.clone(),
            public_network_access: entry.facts.public_network_access.clone(),
            disk_state: entry.facts.disk_state.clone(),
            time_created: entry.facts.time_created.map(seconds),
            sealed_at: entry.facts.sealed_at.filter(|at| !at.was_before).map(|at| seconds(at.time)),
            sealed_by: entry.facts.named_by.map(|by| by.label().into()),
            checks: Checks {
                data_access_auth_mode: entry.verdict(Check::DataAccessAuthMode),
                network_access: entry.verdict(Check::NetworkAccess),
            },
            exports,
            pending: pending::of(entry),
            warnings: warning::of(entry, run),
        }
    }

    /// The last day of its exemption, if it has one that ends.
    pub(super) fn last_day(&self) -> Option<Date> {
        day(self.until.as_deref()?)
    }

    /// The region, or `unknown`.
    pub(super) fn location(&self) -> &str {
        self.location.as_deref().unwrap_or(NO_LOCATION)
    }

    /// Whether it is not sealed or has a warning.
    pub fn is_exception(&self) -> bool {
        self.status != Status::Sealed || !self.warnings.is_empty()
    }
}

/// Reads a day as it is written in a row.
pub(super) fn day(text: &str) -> Option<Date> {
    Date::parse(text, DATE).ok()
}

const DATE: &[time::format_description::BorrowedFormatItem<'_>] =
    time::macros::format_description!("[year]-[month]-[day]");
