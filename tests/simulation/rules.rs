//! What holds of each request.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;

use super::{
    invocation::Invocation,
    observer::{Invariant, Observer},
    process::{Memory, Process, now},
    request::{About, Sent},
    settings::{CLAIM, Guard, has_mode, is_ours},
};

/// How many requests one invocation may send about one resource: one a second of the two minutes that the longest may take.
/// A proof reads and asks every five seconds, a look is begun three times, a write is sent again twice, and a read without an
/// answer five times.
const REQUESTS_ABOUT_ONE: u32 = 120;
/// The same about the operations of its writes: each of those questions may be asked again a few times within three seconds.
const REQUESTS_ABOUT_OPERATIONS: u32 = 200;
/// The seconds between one accepted write of the mode and the next one (DESIGN, "A removed seal is set again within a
/// minute"), and after how long without one they begin anew.
const PAUSES: [u64; 6] = [0, 0, 5, 15, 30, 60];
const CALM: Duration = Duration::from_mins(10);
/// How long what a process has read of the switch counts, and the longest invocation that may have been at work by then.
pub(super) const SWITCH_READ: Duration = Duration::from_mins(1 + 2);
/// The longest that ARM may ask to send nothing, after which it is asked again.
const CLOSED_MAX: Duration = Duration::from_hours(1);

/// An invocation sends a bounded number of requests. Returns whether this one may still be sent: on a paused clock, a loop
/// without a pause would never end.
pub(super) fn bounded(observer: &Observer, process: &Process, invocation: &Invocation, sent: &Sent) -> bool {
    let id = match &sent.about {
        About::Resource(id) | About::Tags(id) => id,
        About::Poll => "its operations",
        About::Switch | About::Other => return true,
    };
    let mut requests = invocation.requests.lock();
    let count = requests.entry(id.to_owned()).or_default();
    *count += 1;
    let most = if sent.about == About::Poll { REQUESTS_ABOUT_OPERATIONS } else { REQUESTS_ABOUT_ONE };
    observer.most_requests.fetch_max(u64::from(*count), Ordering::Relaxed);
    if *count == most + 1 {
        let what = format!("{process:?}, {}: more than {most} requests about {id}", invocation.function);
        observer.violation(Invariant::BoundedRequests, what);
    }
    *count <= most * 4
}

/// A write that ARM has accepted counts for the pause before the next one.
pub(super) fn accepted(memory: &mut Memory, id: &str) {
    let now = Instant::now();
    let (count, last) = memory.accepted.entry(id.to_owned()).or_insert((0, now));
    if now.duration_since(*last) >= CALM {
        *count = 0;
    }
    (*count, *last) = (*count + 1, now);
}

/// A write of a resource.
pub(super) fn write(
    observer: &Observer,
    process: &Process,
    invocation: Option<&Invocation>,
    sent: &Sent,
    id: &str,
) {
    let is_of_mode = matches!(sent.about, About::Resource(_));
    let forbidden = |why: &str| {
        let what = format!("{process:?} writes {id}: {why}");
        observer.violation(Invariant::NoForbiddenWrite, what);
    };
    if let Some(why) = process.settings.forbids_id(id) {
        forbidden(why);
    }
    form(observer, process, sent, id);
    switch(observer, process, invocation, &forbidden);
    // A request that was refused with a time to come back is sent again by then; it was decided when it was first sent.
    let is_repeated = invocation.is_some_and(|invocation| invocation.refused.lock().contains(id));
    if is_of_mode && !is_repeated {
        breaker(observer, process, id);
    }
    let Some(invocation) = invocation else { return };
    let read = invocation.read.lock();
    let Some(last) = read.get(id) else {
        forbidden("this invocation has not read it");
        return;
    };
    if is_of_mode {
        if let Some(why) = process.settings.forbids(last, now()) {
            forbidden(why);
        }
        if process.settings.guard == Guard::Skip && observer.is_protected(last) {
            forbidden("a vault protects it");
        }
        let state = last["properties"]["diskState"].as_str().unwrap_or_default();
        if matches!(state, "ReadyToUpload" | "ActiveUpload") {
            forbidden("an upload into it is expected or in progress");
        }
    } else if !sent.body["properties"]["tags"][CLAIM].is_null() && !has_mode(last) {
        let what = format!("{process:?} tags {id}, whose mode was not set when it was last read");
        observer.violation(Invariant::TagsClaimOnlyWhatWasRead, what);
    }
}

/// A write touches the properties, or merges tags of the seal, and nothing else.
fn form(observer: &Observer, process: &Process, sent: &Sent, id: &str) {
    let touches = |what: String| {
        let what = format!("{process:?} writes {id}: {what}");
        observer.violation(Invariant::ForeignTagsKept, what);
    };
    match &sent.about {
        About::Tags(_) => {
            if sent.body["operation"] != "Merge" {
                touches(format!("the tags are not merged: {}", sent.body));
            }
            let tags = sent.body["properties"]["tags"].as_object();
            for name in tags.into_iter().flat_map(|tags| tags.keys()).filter(|name| !is_ours(name)) {
                touches(format!("the tag {name} is not of the seal"));
            }
        }
        _ if sent.method == "PATCH" => {
            let members = sent.body.as_object();
            for name in members.into_iter().flat_map(|all| all.keys()).filter(|name| *name != "properties") {
                touches(format!("the member {name} is not of the seal"));
            }
        }
        _ => touches(format!("by {}", sent.method)),
    }
}

/// Nothing is written where the last that was read of the switch is that it is off, or where nobody has asked for it.
fn switch(
    observer: &Observer,
    process: &Process,
    invocation: Option<&Invocation>,
    forbidden: &impl Fn(&str),
) {
    let memory = process.memory.lock();
    // What was begun before the switch was read is finished.
    let is_known = |at: Instant| invocation.is_some_and(|invocation| at < invocation.started);
    if memory.switch_off.is_some_and(|(is_off, at)| is_off && is_known(at)) {
        forbidden("the switch was off when it was last read");
    }
    // One that cannot be asked counts as it was last read, and as on before that.
    let is_blind = observer.blind_until.lock().is_some_and(|until| Instant::now() < until)
        || memory.throttled.is_some_and(|at| at.elapsed() < CLOSED_MAX);
    if !is_blind && memory.switch_asked.is_none_or(|at| at.elapsed() > SWITCH_READ) {
        forbidden("the switch was not read before");
    }
}

fn breaker(observer: &Observer, process: &Process, id: &str) {
    let memory = process.memory.lock();
    let Some((count, last)) = memory.accepted.get(id) else { return };
    let (since, index) = (last.elapsed(), usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX));
    let pause = Duration::from_secs(PAUSES[index.min(PAUSES.len() - 1)]);
    if since < CALM && since < pause {
        let what = format!("{process:?} writes {id} {since:?} after its write number {count}");
        observer.violation(Invariant::BreakerHolds, what);
    }
}
