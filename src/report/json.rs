//! The report as JSON, for programs.
//!
//! This is [`FORMAT`] 1; later releases may add members to it:
//!
//! ```text
//! format         1
//! version        of diskseal
//! takenAt        RFC 3339, UTC
//! identity       object ID, or null if the token has none
//! scope          subscription IDs, or null for all that the identity can read
//! managementGroup
//!                the ID of the management group in scope (scope is null then), or null
//! source         resource_graph | lists
//! expiringWithin days
//! verdict        one sentence
//! clean          true if everything was read and is sealed or exempt
//! totals         {total, sealed, exempt, pending, unsealed, sealedPercent: number | null, rounded down}
//! bySubscription, byKind, byLocation
//!                {name: {as totals}}
//! byReason       [{status, reason, count}]
//! exceptions     [{status, reason, detail, missing, until, daysLeft, owner, kind, name, resourceGroup,
//!                subscriptionId, location, id}]; missing, until, daysLeft, owner and location may be null
//!                missing: {dataAccessAuthMode: true | false, tags: [names]} of what is unsealed
//! pending        [{reason, text, id}]: what is not sealed, and in a state in which Azure may refuse the change
//! warnings       [{reason, text, id}]
//! gaps           [{what, why}]: what could not be read
//! poisonQueue    {messages, oldest: RFC 3339, oldestAgeSeconds, error}: messages that have used up their receipts; null
//!                if the queue service is unknown. messages is null and error says why, if it could not be read
//! ```

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Counts, Entry, Gap, Remark, Report, Run, poison};
use crate::{policy::decide::Decision, resource_id::ResourceId, scope::Scope};

/// The version of the format.
pub const FORMAT: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    format: u32,
    version: &'static str,
    taken_at: String,
    identity: Option<&'a str>,
    scope: Option<&'a [String]>,
    management_group: Option<&'a str>,
    source: &'static str,
    expiring_within: u16,
    verdict: String,
    clean: bool,
    totals: Coverage,
    by_subscription: BTreeMap<&'a str, Coverage>,
    by_kind: BTreeMap<&'a str, Coverage>,
    by_location: BTreeMap<&'a str, Coverage>,
    by_reason: Vec<ReasonCount>,
    exceptions: Vec<Exception<'a>>,
    pending: Vec<Remark<'a>>,
    warnings: Vec<Remark<'a>>,
    gaps: &'a [Gap],
    poison_queue: Option<poison::Json<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Coverage {
    total: usize,
    #[serde(flatten)]
    counts: Counts,
    sealed_percent: Option<f64>,
}

impl From<&Counts> for Coverage {
    fn from(counts: &Counts) -> Self {
        let permille = counts.sealed_permille().and_then(|mille| u32::try_from(mille).ok());
        let sealed_percent = permille.map(|mille| f64::from(mille) / 10.0);
        Self { total: counts.total(), counts: *counts, sealed_percent }
    }
}

#[derive(Serialize)]
struct ReasonCount {
    status: &'static str,
    reason: &'static str,
    count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Exception<'a> {
    status: &'static str,
    reason: &'static str,
    detail: String,
    missing: Option<Missing<'a>>,
    until: Option<String>,
    days_left: Option<i64>,
    owner: Option<&'a str>,
    kind: &'static str,
    name: &'a str,
    resource_group: &'a str,
    subscription_id: &'a str,
    location: Option<&'a str>,
    id: &'a ResourceId,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Missing<'a> {
    data_access_auth_mode: bool,
    tags: Vec<&'a str>,
}

impl<'a> Exception<'a> {
    fn new(entry: &'a Entry, run: &Run) -> Self {
        let until = entry.until();
        Self {
            status: entry.status().label(),
            reason: entry.reason(),
            detail: entry.detail(),
            missing: match &entry.decision {
                Decision::Seal(change) => Some(Missing {
                    data_access_auth_mode: change.data_access_auth_mode.is_some(),
                    tags: change.tags.iter().map(|(name, _)| name).collect(),
                }),
                _ => None,
            },
            until: until.map(|date| date.to_string()),
            days_left: until.map(|date| run.days_left(date)),
            owner: entry.owner.as_deref(),
            kind: entry.kind(),
            name: entry.id.name(),
            resource_group: entry.id.resource_group(),
            subscription_id: entry.id.subscription_id(),
            location: entry.location.as_deref(),
            id: &entry.id,
        }
    }
}

/// The report as JSON.
///
/// # Errors
/// Never, when writing to memory.
pub fn json(report: &Report) -> Result<String, serde_json::Error> {
    let Report { run, totals, by_subscription, by_kind, by_location, by_reason, gaps, poison_queue, .. } =
        report;
    let (scope, management_group) = match &run.scope {
        Scope::Visible => (None, None),
        Scope::Subscriptions(ids) => (Some(ids.as_slice()), None),
        Scope::ManagementGroup(id) => (None, Some(id.as_str())),
    };
    let document = Document {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION"),
        taken_at: run.taken_at_text(),
        identity: run.identity.as_deref(),
        scope,
        management_group,
        source: run.source.label(),
        expiring_within: run.expiring_within,
        verdict: report.verdict(),
        clean: report.is_clean(),
        totals: totals.into(),
        by_subscription: coverage(by_subscription),
        by_kind: coverage(by_kind),
        by_location: coverage(by_location),
        by_reason: by_reason
            .iter()
            .map(|((status, reason), count)| ReasonCount { status: status.label(), reason, count: *count })
            .collect(),
        exceptions: report.exceptions().into_iter().map(|entry| Exception::new(entry, run)).collect(),
        pending: report.pending(),
        warnings: report.warnings(),
        gaps,
        poison_queue: poison_queue.as_ref().map(|queue| queue.json(run.taken_at)),
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

fn coverage(counts: &BTreeMap<String, Counts>) -> BTreeMap<&str, Coverage> {
    counts.iter().map(|(name, counts)| (name.as_str(), counts.into())).collect()
}
