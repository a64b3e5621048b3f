//! The disks that a machine's write may have made.

use std::time::Duration;

use time::OffsetDateTime;
use tracing::{Instrument, field::Empty, info_span};

use super::{Concern, Context, Error, LEFT_TO_SWEEP, NEW_FOR};
use crate::{
    arm::{self, Failure, MachineDisks},
    azure::Terms,
    resource_id::{Machine, MachineId},
    telemetry::{Wait, wait},
};

/// The wait after a 404 on a new machine, which a replica of ARM may not know yet.
const REPLICATION_WAIT: Duration = Duration::from_secs(2);

/// Reads which managed disks a machine has, in at most two reads. Nothing of a machine that is gone. `written`
/// is when the write happened that is the reason to look.
///
/// # Errors
/// The machine cannot be read; [`Error::concern`] says whether others can be.
pub async fn disks_of(
    ctx: &Context,
    machine: &MachineId,
    written: Option<OffsetDateTime>,
    terms: Terms,
) -> Result<Option<MachineDisks>, Error> {
    let span = info_span!(
        "machine",
        diskseal.machine_id = %machine,
        diskseal.disks = Empty,
        diskseal.outcome = Empty,
        diskseal.reason = Empty,
        error.type = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
    );
    let result = match read(ctx, machine, written, terms).instrument(span.clone()).await {
        // A new machine that ARM does not show yet may have disks that nobody has looked at.
        Err(arm::Error { failure: Failure::Gone, .. }) if is_new(ctx, written) => Err(Error::NotVisible),
        Err(arm::Error { failure: Failure::Gone, .. }) => {
            span.record("diskseal.outcome", "gone");
            return Ok(None);
        }
        result => result.map_err(Error::from),
    };
    match &result {
        Ok(disks) => {
            span.record("diskseal.disks", i64::try_from(disks.ids.len()).ok());
        }
        Err(error) => {
            super::record_error(&span, error);
            if error.concern() == Concern::Resource {
                span.record("diskseal.outcome", LEFT_TO_SWEEP);
            }
        }
    }
    result.map(Some)
}

async fn read(
    ctx: &Context,
    machine: &MachineId,
    written: Option<OffsetDateTime>,
    terms: Terms,
) -> Result<MachineDisks, arm::Error> {
    let result = ctx.arm.machine_disks(machine, terms).await;
    let is_gone = matches!(&result, Err(arm::Error { failure: Failure::Gone, .. }));
    // A scale set's own operation lasts longer than replication, and its two reads are needed for its disks.
    let has_read_left = !matches!(machine.machine(), Machine::ScaleSet(_));
    if is_gone && is_new(ctx, written) && has_read_left && terms.allow(REPLICATION_WAIT) {
        // Replication between ARM's regions announces itself by nothing but the next read.
        wait(Wait::Replication, tokio::time::sleep(REPLICATION_WAIT)).await;
        return ctx.arm.machine_disks(machine, terms).await;
    }
    result
}

/// Whether the machine's write is so young that ARM may not show the machine everywhere.
fn is_new(ctx: &Context, written: Option<OffsetDateTime>) -> bool {
    written.is_none_or(|written| ctx.now() - written < NEW_FOR)
}
