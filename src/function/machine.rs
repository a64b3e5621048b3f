//! Seals the disks of a machine after a write of the machine. Compute creates these disks without the seal, possibly
//! without an event for them.

use futures::{StreamExt, stream};
use tracing::Level;

use super::{
    invocation::{Invocation, send_span},
    one::{Handled, log, pending, seal_now},
    pending::Pending,
};
use crate::{
    enforce::{Concern, Context, Error, Left, Line, Look, Outcome, Trigger, count_failure, disks_of},
    event::ResourceWritten,
    policy::Exemption,
    resource_id::MachineId,
    telemetry::TraceContext,
};

/// Maximum number of disks of a machine that one invocation seals itself, all at once. If there are more, all are
/// handed to the queue, which several instances of the app process.
const DISKS_MAX: usize = 32;

/// Looks at the disks of one machine. `origin` is the trace context of the event.
pub(super) async fn handle(
    ctx: &Context,
    invocation: &Invocation,
    machine: &MachineId,
    written: &ResourceWritten,
    origin: &TraceContext,
) -> Vec<Handled> {
    let correlation_id = written.correlation_id.as_deref();
    let logged = |line: Line| log(invocation, &line.caused_by(correlation_id), None);
    let done = |line| Handled::Done(logged(line));
    match ctx.is_in_scope(machine, invocation.terms).await {
        Ok(true) => {}
        Ok(false) => {
            let line = Line::of_look(machine, &Ok(Outcome::Exempt(Exemption::OutOfScope)));
            return vec![Handled::Done(logged(line).unchanged())];
        }
        Err(fault) => return vec![not_read(invocation, machine, written, &fault)],
    }
    let disks = match disks_of(ctx, machine, written.time, invocation.terms).await {
        Ok(Some(disks)) => disks,
        Ok(None) => return vec![done(Line::of_look(machine, &Ok(Outcome::Gone)))],
        Err(fault) => return vec![not_read(invocation, machine, written, &fault)],
    };
    let (count, is_many) = (disks.ids.len(), disks.ids.len() > DISKS_MAX);
    let plural = if count == 1 { "" } else { "s" };
    let way = if is_many { ", each handed to the queue" } else { "" };
    let why = format!("{count} managed disk{plural}{way}");
    // Whether something changed, its disks show.
    let line = Line::new(Level::INFO, "machine", machine, Some(why));
    let mut handled = vec![Handled::Done(logged(line).unchanged())];
    for (is_incomplete, why) in [
        (disks.has_more, "it has more disks than two reads return"),
        (disks.has_unreadable, "Azure returns some of its disks in a form that cannot be read"),
    ] {
        if is_incomplete {
            handled.push(done(Line::left_to_sweep(machine, why.to_owned())));
        }
    }
    let looks = disks.ids.into_iter().map(|resource| {
        let look = Look::new(resource, Trigger::Event, invocation.terms.time_left());
        let look = look.after_write(written.time).correlated(written.correlation_id.clone());
        look.arrived(invocation.arrival())
    });
    if is_many {
        let context = send_span(count).in_scope(|| invocation.trace_context(origin));
        let queued = |look| Handled::Queued(pending(ctx, look, Pending::OF_A_MACHINE, context.clone()));
        handled.extend(looks.map(queued));
        return handled;
    }
    let sealed: Vec<_> = stream::iter(looks)
        .map(|look| seal_now(ctx, invocation, look, origin))
        .buffer_unordered(DISKS_MAX)
        .collect()
        .await;
    handled.extend(sealed);
    handled
}

fn not_read(
    invocation: &Invocation,
    machine: &MachineId,
    written: &ResourceWritten,
    fault: &Error,
) -> Handled {
    let log = |line: Line| log(invocation, &line.caused_by(written.correlation_id.as_deref()), None);
    count_failure(None, Trigger::Event, fault);
    match fault.concern() {
        // Its disks are unknown, so the queue cannot take them; the sweep finds them without the machine.
        Concern::Resource => {
            let left = Ok(Outcome::LeftToSweep(Left::Wait(fault.clone())));
            Handled::Done(log(Line::of_look(machine, &left)))
        }
        // The queue's messages name disks, so Event Grid delivers the event again.
        Concern::System | Concern::Quota => {
            let line = Line::of_failure(Concern::System.label(), machine, fault);
            Handled::Failed(fault.reason(), log(line))
        }
    }
}
