//! The disks that a machine's write may have made.

use tracing::{Instrument, field::Empty, info_span};

use super::{Context, Deadline, Error};
use crate::{
    arm::{self, Failure, MachineDisks},
    resource_id::MachineId,
};

/// Reads which managed disks a machine has, in at most two reads. Nothing of a machine that is gone.
///
/// # Errors
/// The machine cannot be read; [`Error::scope`] says whether others can be.
pub async fn disks_of(
    ctx: &Context,
    machine: &MachineId,
    deadline: Deadline,
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
    let result = match ctx.arm.machine_disks(machine, deadline).instrument(span.clone()).await {
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
        Err(error) => super::record_error(&span, error),
    }
    result.map(Some)
}
