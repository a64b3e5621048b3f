//! Evidence: a report a day in a container, each with the hash of the one before.
//!
//! What protects a file is the container's immutability policy ("Store business-critical blob data with immutable
//! storage"). The hashes show what a policy cannot: a file that is missing, and one that was written in its place. The
//! schema of a file is docs/schemas/evidence-1.json.

mod chain;
mod compose;
mod container;
mod days;
mod document;
mod fetched;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    sync::Arc,
    time::Duration,
};

use time::{Date, OffsetDateTime, UtcOffset};

pub use chain::{Checked, State, check};
pub use container::{Container, Refusal};
pub use days::{Days, Folder};
pub use document::Link;
pub use fetched::file_name;

use crate::{
    arm,
    azure::{NoToken, Terms},
    enforce::Context,
    estate,
    policy::EXPIRING_WITHIN_DAYS,
    report::{Report, Run, SINCE_DAYS, Source},
};
use fetched::Fetched;

/// How long one request of the inventory may take, waits for Resource Graph's quota included.
const REQUEST_TIME: Duration = Duration::from_mins(1);

words! {
    /// Why there is no evidence.
    #[derive(Debug, thiserror::Error)]
    pub enum Error, reason of reasons {
        /// The container's service refuses.
        #[error(transparent)]
        Refused(#[from] Refusal) => "storage_refused",
        /// The container's service does not answer.
        #[error("the container cannot be reached: {0}")]
        Unreachable(String) => "storage_unreachable",
        /// There is no token for the container.
        #[error(transparent)]
        NoToken(#[from] NoToken) => "no_token",
        /// The container's service answers what cannot be read.
        #[error("{0}")]
        Unreadable(String) => "storage_unreadable",
        /// A file cannot be written or read.
        #[error("a file: {0}")]
        File(#[from] io::Error) => "file",
        /// Azure lists nothing of the scope, so there is nothing to keep.
        #[error("nothing of the scope could be read: {0}")]
        NothingRead(String) => "nothing_read",
        /// The time is over.
        #[error("not done within its time")]
        Deadline => "deadline",
        /// The task has ended before its end.
        #[error("it has stopped: {0}")]
        Stopped(String) => "stopped",
    } + {
        /// A request to ARM failed.
        #[error(transparent)]
        Arm(#[from] arm::Error),
    }
}

/// Where evidence goes.
#[derive(Debug)]
pub struct Evidence {
    /// The container.
    pub container: Container,
    /// The address of the cloud's portal, for the links of the report.
    pub portal: &'static str,
}

/// What has become of a day's evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It was written.
    Written {
        /// The name of the file.
        name: String,
        /// Its size in bytes.
        bytes: u64,
        /// The number of resources in it.
        resources: usize,
    },
    /// It was there before, or another instance was first.
    Before,
}

/// Writes the evidence of today, in UTC, unless it is there. The file appears whole or not at all.
///
/// # Errors
/// There is none: the next try begins anew, and what was uploaded is not part of any file.
pub async fn keep(ctx: &Context, evidence: &Evidence, terms: Terms) -> Result<Kept, Error> {
    tokio::time::timeout_at(terms.until(), keep_in_time(ctx, evidence, terms))
        .await
        .unwrap_or(Err(Error::Deadline))
}

/// Whether today, in UTC, has no evidence yet.
///
/// # Errors
/// The container cannot be listed.
pub async fn is_due(ctx: &Context, evidence: &Evidence, terms: Terms) -> Result<bool, Error> {
    let days = tokio::time::timeout_at(terms.until(), evidence.container.days(terms)).await;
    Ok(!days.unwrap_or(Err(Error::Deadline))?.contains(&day(ctx.now())))
}

async fn keep_in_time(ctx: &Context, evidence: &Evidence, terms: Terms) -> Result<Kept, Error> {
    let container = &evidence.container;
    let now = ctx.now();
    let today = day(now);
    let days = container.days(terms).await?;
    if days.contains(&today) {
        return Ok(Kept::Before);
    }
    // A file with a later date is none that this has written.
    let previous = match days.iter().rfind(|other| **other < today) {
        Some(other) => Some(container.fetch(&file_name(*other), terms).await?),
        None => None,
    };
    let report = inventory(ctx, evidence.portal, now, terms).await?;
    let resources = report.totals().total();
    if let (0, [gap, ..]) = (resources, report.gaps()) {
        return Err(Error::NothingRead(format!("{}: {}", gap.what, gap.why)));
    }
    // It reads and writes every row, which would keep the only thread of the handler from its events.
    let composed = tokio::task::spawn_blocking(move || composed(&report, today, previous)).await;
    let file = composed.map_err(|fault| Error::Stopped(fault.to_string()))??;
    let (name, bytes) = (file_name(today), file.metadata()?.len());
    if container.put(&name, file, terms).await? {
        Ok(Kept::Written { name, bytes, resources })
    } else {
        Ok(Kept::Before)
    }
}

/// The day of a time in UTC.
fn day(time: OffsetDateTime) -> Date {
    time.checked_to_offset(UtcOffset::UTC).unwrap_or(time).date()
}

async fn inventory(
    ctx: &Context,
    portal: &'static str,
    now: OffsetDateTime,
    terms: Terms,
) -> Result<Report, Error> {
    let run = Run {
        taken_at: now,
        identity: ctx.arm.identity().object_id(terms).await?,
        scope: ctx.policy.scope.clone(),
        source: Source::Graph,
        expiring_within: EXPIRING_WITHIN_DAYS,
        since: now.saturating_sub(time::Duration::days(SINCE_DAYS.into())),
        is_of_all: true,
        portal,
    };
    let report = Report::new(run).stored_in(tempfile::tempfile()?);
    Ok(estate::inventory(&ctx.arm, &ctx.guard, &ctx.policy, report, REQUEST_TIME, |_, _| {}).await?)
}

fn composed(report: &Report, today: Date, previous: Option<Fetched>) -> io::Result<File> {
    let mut to = BufWriter::with_capacity(64 * 1024, tempfile::tempfile()?);
    compose::compose(report, today, previous, &mut to)?;
    to.flush()?;
    to.into_inner().map_err(io::IntoInnerError::into_error)
}

/// Evidence that an app shares with its invocations.
pub type Shared = Arc<Evidence>;
