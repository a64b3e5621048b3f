//! `diskseal doctor --try`: proves the whole route with a disk and a snapshot of its own.
//!
//! It creates a resource group with the rights of the person who runs it, waits until the handler has sealed what is in
//! it, and deletes the group: after a failure and an interruption, too. [`plan()`] only reads; [`attempt()`] creates.

mod evidence;
mod group;
mod plan;
mod timeline;
mod venue;
mod verdict;
mod watch;

use super::Finding;
use crate::enforce::Context;
use group::Made;

pub use plan::{NO_WORKSPACE, Wishes, is_workspace, plan};
pub use venue::{Stop, Trial};

/// Creates the group with a disk and a snapshot, waits for their seals, and deletes it whatever happened. `before` are
/// the findings of the checks before it: they explain what does not arrive.
pub async fn attempt(
    ctx: &Context,
    trial: &Trial,
    before: &[Finding],
    stop: &Stop,
    report: &mut (dyn FnMut(Finding) + Send),
    progress: &mut (dyn FnMut(&str) + Send),
) {
    let (made, fault) = group::make(ctx, trial, stop, progress).await;
    let is_stopped = *stop.borrow() > 0;
    match fault {
        Some(finding) => report(finding),
        None if is_stopped => {}
        None => {
            let seen = watch::watch(ctx, trial, stop, progress).await;
            verdict::findings(trial, trial.mode(&ctx.policy), &seen, before)
                .into_iter()
                .for_each(&mut *report);
        }
    }
    if made == Made::Something {
        report(group::delete(ctx, trial, stop, progress).await);
    }
}
