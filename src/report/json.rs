//! The report as JSON, for programs.
//!
//! This is [`FORMAT`] 1, and docs/schemas/report-1.json is its schema; later releases may add members to it:
//!
//! ```text
//! format         1
//! version        of diskseal
//! takenAt        RFC 3339, UTC
//! identity       object ID, or null if the token has none
//! scope          subscription IDs, or null for all that the identity can read
//! managementGroup
//!                the ID of the management group in scope (scope is null then), or null
//! selection      the flags that narrow the report to a part of the scope, or null
//! source         resource_graph | lists
//! expiringWithin days
//! verdict        one sentence
//! clean          true if everything was read and is sealed or exempt, and no sealed resource has a valid SAS URL
//! totals         {total, sealed, exempt, pending, unsealed, sealedPercent, sealedOrExemptPercent: number | null, rounded
//!                down}
//! bySubscription, byKind, byLocation, byRing
//!                {name: {as totals}}
//! subscriptionNames
//!                {subscription ID: name}, as far as the identity sees them
//! byReason       [{status, reason, count}]
//! timeToSeal     of resources created since a time that were unsealed at the first read: {since, event, sweep, command,
//!                unknown: how many were first named by each; before: had the mode at the first read; unsealed;
//!                seconds: {median, p95, worst} | null; notByEvent: [{kind, sealedBy, timeCreated, sealedAt, seconds, id}]}
//! checks         [{check, title, disk: {pass, fail, exempt, unknown}, snapshot: {the same}}]
//! controls       [{framework, version, number, check, basis, pass, fail, exempt, unknown}]: disks by published control
//! controlsNote   which of them a dashboard of Azure shows
//! exemptions     [{kind: subscription | resource_group | name | listed | tag, number: of a listed one, covers: globs, or the
//!                ID of the resource with the tag, state: in_force | ended | unreadable, until, daysLeft, reason, owner,
//!                resources: how many it exempts, findings: [{reason, text}]}]; null without --exemptions
//! exceptions     [{status, ring: enforce | audit, reason, detail, missing, until, daysLeft, rule, exemptionTag, owner, kind, name, resourceGroup,
//!                subscriptionId, subscriptionName, location, id, portal, managedBy, dataAccessAuthMode, networkAccessPolicy,
//!                publicNetworkAccess, diskState, timeCreated, sealedAt, sealedBy, checks, exports, pending, warnings}]
//!                missing: {dataAccessAuthMode: true | false, networkAccess: {property: value}, tags: [names]} of what is
//!                unsealed
//!                rule: the glob, or the entry of DISKSEAL_EXEMPTIONS, that exempts it, or null
//!                exemptionTag: {state, until, reason} | null
//!                checks: {dataAccessAuthMode, networkAccess: pass | fail | exempt | unknown}
//!                exports: {count, last, by: [texts]}, or null
//! resources      the same of every resource, unsealed ones first; null without --all
//! pending        [{reason, text, id}]: what is not sealed, and in a state in which Azure may refuse the change
//! warnings       [{reason, text, id}]
//! gaps           [{what, why}]: what could not be read
//! poisonQueue    {messages, oldest: RFC 3339, oldestAgeSeconds, error}: messages that have used up their receipts; null
//!                if the queue service is unknown. messages is null and error says why, if it could not be read
//! restorePoints  {collections, restorePoints, error, callers: [{role, principalType, principals: how many, ids: of service
//!                principals and groups}] | null, note}; null without --restore-points
//! exports        {since, until, exports, wouldBreak: {exports, resources, callers}, callers: [{caller: application | person |
//!                unknown, applicationId, name, exports, resources, last, wouldBreak}], resources: [{caller, applicationId,
//!                name, kind: disk | snapshot | restore_point, id, exports, last, effect: sealed | would_seal | left |
//!                not_covered | not_listed}], leftOut, note}; null without --exports
//! ```

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{self, Write},
};

use serde::{Serialize, Serializer, ser::Error};
use serde_json::ser::Formatter;

use super::{
    Counts, Gap, NotByEvent, Percentiles, Report, Status,
    control::{ByKind, CONTROLS, Check, Control, NOTE, Verdicts},
    exports, poison, restore_points,
    stamp::seconds,
};
use crate::scope::Scope;

/// The version of the format.
pub const FORMAT: u32 = 1;

/// A list that is written while it is read. It can be written once.
struct Stream<I>(RefCell<Option<I>>);

impl<I> Stream<I> {
    fn of(list: I) -> Self {
        Self(RefCell::new(Some(list)))
    }
}

impl<T: Serialize, I: Iterator<Item = io::Result<T>>> Serialize for Stream<I> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fault = None;
        let list = self.0.take().into_iter().flatten();
        let done = to.collect_seq(list.map_while(|one| one.map_err(|why| fault = Some(why)).ok()))?;
        match fault {
            None => Ok(done),
            Some(fault) => Err(S::Error::custom(fault)),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a, X: Serialize, E: Serialize, R: Serialize, P: Serialize, W: Serialize> {
    format: u32,
    version: &'static str,
    taken_at: String,
    identity: Option<&'a str>,
    scope: Option<&'a [String]>,
    management_group: Option<&'a str>,
    selection: Option<String>,
    source: &'static str,
    expiring_within: u16,
    verdict: String,
    clean: bool,
    totals: Coverage,
    by_subscription: BTreeMap<&'a str, Coverage>,
    by_kind: BTreeMap<&'a str, Coverage>,
    by_location: BTreeMap<&'a str, Coverage>,
    by_ring: BTreeMap<&'a str, Coverage>,
    subscription_names: &'a BTreeMap<String, String>,
    by_reason: Vec<ReasonCount>,
    time_to_seal: TimeToSeal<'a>,
    checks: Vec<CheckCount>,
    controls: Vec<ControlCount>,
    controls_note: &'static str,
    exemptions: Option<X>,
    exceptions: E,
    resources: Option<R>,
    pending: P,
    warnings: W,
    gaps: &'a [Gap],
    poison_queue: Option<poison::Json<'a>>,
    restore_points: Option<restore_points::Json<'a>>,
    exports: Option<exports::Json>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Coverage {
    total: usize,
    #[serde(flatten)]
    counts: Counts,
    sealed_percent: Option<f64>,
    sealed_or_exempt_percent: Option<f64>,
}

impl From<&Counts> for Coverage {
    fn from(counts: &Counts) -> Self {
        let percent = |permille: Option<usize>| Some(f64::from(u32::try_from(permille?).ok()?) / 10.0);
        Self {
            total: counts.total(),
            counts: *counts,
            sealed_percent: percent(counts.sealed_permille()),
            sealed_or_exempt_percent: percent(counts.sealed_or_exempt_permille()),
        }
    }
}

#[derive(Serialize)]
struct ReasonCount {
    status: Status,
    reason: &'static str,
    count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TimeToSeal<'a> {
    since: String,
    event: usize,
    sweep: usize,
    command: usize,
    unknown: usize,
    before: usize,
    unsealed: usize,
    seconds: Option<Percentiles>,
    not_by_event: Vec<&'a NotByEvent>,
}

#[derive(Serialize)]
struct CheckCount {
    check: &'static str,
    title: &'static str,
    #[serde(flatten)]
    by_kind: ByKind,
}

#[derive(Serialize)]
struct ControlCount {
    framework: &'static str,
    version: &'static str,
    number: &'static str,
    check: &'static str,
    basis: &'static str,
    #[serde(flatten)]
    disks: Verdicts,
}

/// Writes the report as JSON, row by row.
///
/// # Errors
/// The rows cannot be read, or `to` cannot be written.
pub fn json(report: &Report, to: &mut impl Write) -> io::Result<()> {
    write(report, &mut serde_json::Serializer::pretty(&mut *to))?;
    to.write_all(b"\n")
}

/// Writes the same on one line, without a line break at its end.
///
/// # Errors
/// Those of [`json`].
pub fn json_line(report: &Report, to: &mut impl Write) -> io::Result<()> {
    write(report, &mut serde_json::Serializer::new(to))
}

fn write<W: Write, F: Formatter>(report: &Report, to: &mut serde_json::Serializer<W, F>) -> io::Result<()> {
    let (run, delays) = (&report.run, &report.delays);
    let (scope, management_group) = match &run.scope {
        Scope::Visible => (None, None),
        Scope::Subscriptions(ids) => (Some(ids.as_slice()), None),
        Scope::ManagementGroup(id) => (None, Some(id.as_str())),
    };
    let reasons = report.by_reason.iter();
    let document = Document {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION"),
        taken_at: run.taken_at_text(),
        identity: run.identity.as_deref(),
        scope,
        management_group,
        selection: (!report.selection.is_all()).then(|| report.selection.to_string()),
        source: run.source.label(),
        expiring_within: run.expiring_within,
        verdict: report.verdict(),
        clean: report.is_clean(),
        totals: (&report.totals).into(),
        by_subscription: coverage(&report.by_subscription),
        by_kind: coverage(&report.by_kind),
        by_location: coverage(&report.by_location),
        by_ring: coverage(&report.by_ring),
        subscription_names: &report.subscription_names,
        by_reason: reasons
            .map(|((status, reason), count)| ReasonCount { status: *status, reason, count: *count })
            .collect(),
        time_to_seal: TimeToSeal {
            since: seconds(run.since),
            event: delays.event,
            sweep: delays.sweep,
            command: delays.command,
            unknown: delays.unknown,
            before: delays.before,
            unsealed: delays.unsealed,
            seconds: delays.percentiles(),
            not_by_event: delays.not_by_event(),
        },
        checks: Check::ALL.into_iter().map(|check| CheckCount::new(check, report)).collect(),
        controls: CONTROLS.iter().map(|control| ControlCount::new(control, report)).collect(),
        controls_note: NOTE,
        exemptions: report.lists_exemptions.then(|| Stream::of(report.exemptions())),
        exceptions: Stream::of(report.rows.json(true)),
        resources: run.is_of_all.then(|| Stream::of(report.rows.json(false))),
        pending: Stream::of(report.pending()),
        warnings: Stream::of(report.warnings()),
        gaps: &report.gaps,
        poison_queue: report.poison_queue.as_ref().map(|queue| queue.json(run.taken_at)),
        restore_points: report.restore_points.as_ref().map(super::RestorePoints::json),
        exports: report.exports.as_ref().map(super::Exports::json),
    };
    Ok(document.serialize(to)?)
}

impl CheckCount {
    fn new(check: Check, report: &Report) -> Self {
        let by_kind = report.by_check.get(&check).copied().unwrap_or_default();
        Self { check: check.label(), title: check.title(), by_kind }
    }
}

impl ControlCount {
    fn new(control: &Control, report: &Report) -> Self {
        let &Control { framework, version, number, check, basis } = control;
        let disks = report.by_check.get(&check).copied().unwrap_or_default().disk;
        Self { framework, version, number, check: check.label(), basis: basis.label(), disks }
    }
}

fn coverage(counts: &BTreeMap<String, Counts>) -> BTreeMap<&str, Coverage> {
    counts.iter().map(|(name, counts)| (name.as_str(), counts.into())).collect()
}
