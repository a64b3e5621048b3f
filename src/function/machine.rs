//! From a machine's write to its disks: Compute makes them itself, without the seal, and may tell of them by no
//! event of their own.

use futures::{StreamExt, stream};
use time::OffsetDateTime;
use tracing::{error, info, warn};

use super::{
    invocation::{Invocation, send_span},
    pending::Pending,
    seal::{Handled, pending, seal_now},
};
use crate::{
    enforce::{Concern, Context, Error, Look, Trigger, count_failure, disks_of},
    resource_id::MachineId,
    telemetry::TraceContext,
};

/// How many disks of a machine one invocation takes on, all at once. Of more, each is handed to the queue, where
/// as many instances as the platform starts work on them.
const DISKS_MAX: usize = 32;

/// Looks at the disks of one machine. `told` is the trace that the event tells of.
pub(super) async fn handle(
    ctx: &Context,
    invocation: &Invocation,
    machine: &MachineId,
    written: Option<OffsetDateTime>,
    told: &TraceContext,
) -> Vec<Handled> {
    match ctx.is_in_scope(machine, invocation.terms).await {
        Ok(true) => {}
        Ok(false) => {
            let line = format!("exempt {machine}: its subscription is not in scope");
            info!(invocation_id = invocation.id, "{line}");
            return vec![Handled::Done(line)];
        }
        Err(fault) => return vec![not_read(invocation, machine, &fault)],
    }
    let disks = match disks_of(ctx, machine, written, invocation.terms).await {
        Ok(Some(disks)) => disks,
        Ok(None) => {
            let line = format!("gone {machine}");
            info!(invocation_id = invocation.id, "{line}");
            return vec![Handled::Done(line)];
        }
        Err(fault) => return vec![not_read(invocation, machine, &fault)],
    };
    let (count, is_many) = (disks.ids.len(), disks.ids.len() > DISKS_MAX);
    let plural = if count == 1 { "" } else { "s" };
    let way = if is_many { ", each handed to the queue" } else { "" };
    let line = format!("machine {machine}: {count} managed disk{plural}{way}");
    info!(invocation_id = invocation.id, "{line}");
    let mut handled = vec![Handled::Done(line)];
    if !disks.are_all {
        let line = format!("left_to_sweep {machine}: it has more disks than two reads tell of");
        warn!(invocation_id = invocation.id, "{line}");
        handled.push(Handled::Done(line));
    }
    let looks = disks.ids.into_iter().map(|resource| {
        Look::new(resource, Trigger::Event, invocation.terms.time_left()).after_write(written, true)
    });
    if is_many {
        let context = send_span(count).in_scope(|| invocation.trace_context(told));
        let queued =
            |look| Handled::Pending(pending(ctx, look, Pending::OF_A_MACHINE, context.clone()), None);
        handled.extend(looks.map(queued));
        return handled;
    }
    let sealed: Vec<_> = stream::iter(looks)
        .map(|look| seal_now(ctx, invocation, look, told))
        .buffer_unordered(DISKS_MAX)
        .collect()
        .await;
    handled.extend(sealed);
    handled
}

fn not_read(invocation: &Invocation, machine: &MachineId, fault: &Error) -> Handled {
    count_failure(None, Trigger::Event, fault);
    if fault.concern() == Concern::Resource {
        // No disk is known that could wait in the queue; the sweep needs no machine to find them.
        let line = format!("left_to_sweep {machine}: {fault}");
        warn!(invocation_id = invocation.id, "{line}");
        return Handled::Done(line);
    }
    let line = format!("failed {machine}: {fault}");
    error!(invocation_id = invocation.id, "{line}");
    Handled::Failed(fault.reason(), line)
}
