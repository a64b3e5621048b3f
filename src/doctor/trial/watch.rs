//! Waits for the seal, reading ARM and the workspace in turn.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    evidence::{self, Ended, Span},
    timeline::Parts,
    venue::{Stop, Trial, terms, unless_stopped},
};
use crate::{
    arm::Error,
    enforce::Context,
    policy::{
        Mode, NamedBy, Protection,
        decide::{Change, Decision, Occasion, decide},
    },
    resource_id::ResourceId,
};

/// The pause between two looks. The workspace's limit is 200 queries in 30 s ("Azure Monitor service limits").
const PAUSE: Duration = Duration::from_secs(2);
/// How long the host's request is waited for once everything else is there: it is only for the time line.
const HOST_PATIENCE: Duration = Duration::from_mins(1);
/// The time between two lines about a wait in which nothing changes.
const SAY_EVERY: Duration = Duration::from_secs(15);

/// What was seen of one resource.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) id: ResourceId,
    /// How long after its creation it was seen with the seal.
    pub(super) sealed_after: Option<Duration>,
    /// What it lacks of the seal, as ARM showed it last.
    pub(super) lacks: String,
    /// How the last look at it ended.
    pub(super) ended: Option<Ended>,
    /// Whether a span shows it, and not only a line.
    pub(super) has_span: bool,
    /// Where the time of that look went.
    pub(super) parts: Option<Parts>,
}

impl Sight {
    fn new(id: &ResourceId) -> Self {
        Self {
            id: id.clone(),
            sealed_after: None,
            lacks: "the auth mode and the tags".to_owned(),
            ended: None,
            has_span: false,
            parts: None,
        }
    }

    /// Whether the end that the mode asks for was seen.
    pub(super) fn is_good(&self, mode: Mode) -> bool {
        match mode {
            Mode::Enforce => self.sealed_after.is_some(),
            Mode::Audit => self.ended.as_ref().is_some_and(|ended| ended.outcome == "would_seal"),
        }
    }

    /// Whether waiting for more changes nothing.
    fn is_settled(&self, mode: Mode, awaits_traces: bool) -> bool {
        let is_hopeless = self.ended.as_ref().is_some_and(|ended| ended.is_final() && !ended.is_sealed());
        let is_shown = !awaits_traces || self.parts.is_some();
        (self.is_good(mode) && is_shown) || (is_hopeless && !self.is_good(mode))
    }
}

/// What was seen of both.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) disk: Sight,
    pub(super) snapshot: Sight,
    /// Why ARM or the workspace could not be read at the last turn.
    pub(super) fault: Option<Error>,
    pub(super) is_stopped: bool,
}

impl Seen {
    pub(super) fn both(&self) -> [&Sight; 2] {
        [&self.disk, &self.snapshot]
    }
}

/// Waits until both resources have the end that the mode asks for, with their traces where there is a workspace, or
/// cannot have it any more; at most as long as the trial may take.
pub(super) async fn watch(
    ctx: &Context,
    trial: &Trial,
    stop: &Stop,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Seen {
    let (began, mode) = (Instant::now(), ctx.policy.mode);
    let (disk, snapshot) = (Sight::new(&trial.disk), Sight::new(&trial.snapshot));
    let mut seen = Seen { disk, snapshot, fault: None, is_stopped: false };
    let (mut shown, mut last, mut said) = (None, String::new(), began);
    loop {
        if unless_stopped(stop, look(ctx, trial, began, &mut seen)).await.is_none() {
            seen.is_stopped = true;
            return seen;
        }
        let awaits_traces = trial.awaits_traces();
        let is_settled = seen.both().iter().all(|one| one.is_settled(mode, awaits_traces));
        if is_settled {
            let since = *shown.get_or_insert_with(Instant::now);
            let has_hosts = seen.both().iter().all(|one| one.parts.as_ref().is_none_or(Parts::has_host));
            if has_hosts || since.elapsed() >= HOST_PATIENCE {
                return seen;
            }
        }
        if began.elapsed() >= trial.timeout {
            return seen;
        }
        let state = state(&seen, mode, awaits_traces);
        if state != last || said.elapsed() >= SAY_EVERY {
            progress(&format!("{} s: {state}", began.elapsed().as_secs()));
            (last, said) = (state, Instant::now());
        }
        // Between two looks: `PAUSE` says why, and a signal ends it.
        let pause = PAUSE.min(trial.timeout.saturating_sub(began.elapsed()));
        if unless_stopped(stop, tokio::time::sleep(pause)).await.is_none() {
            seen.is_stopped = true;
            return seen;
        }
    }
}

async fn look(ctx: &Context, trial: &Trial, began: Instant, seen: &mut Seen) {
    seen.fault = None;
    for one in [&mut seen.disk, &mut seen.snapshot] {
        if one.sealed_after.is_none()
            && let Err(error) = read(ctx, began, one).await
        {
            seen.fault = Some(error);
        }
    }
    if let Some(workspace) = &trial.workspace
        && let Err(error) = traces(ctx, trial, workspace, seen).await
    {
        seen.fault = Some(error);
    }
}

/// Reads the resource, and judges it as the handler does.
async fn read(ctx: &Context, began: Instant, one: &mut Sight) -> Result<(), Error> {
    let resource = ctx.arm.get(&one.id, terms()).await?;
    let occasion = Occasion { now: ctx.now(), event_time: None, trace_id: None, named_by: NamedBy::Event };
    match decide(&ctx.policy, &resource, &Protection::Unprotected, &occasion) {
        Decision::Compliant => {
            one.sealed_after = Some(began.elapsed());
            one.lacks.clear();
        }
        Decision::Seal(Change { data_access_auth_mode, network_access, tags, .. }) => {
            let lacks = [
                data_access_auth_mode.map(|_| "the auth mode"),
                (!network_access.is_empty()).then_some("the network settings"),
                (!tags.is_empty()).then_some("the tags"),
            ];
            one.lacks = lacks.into_iter().flatten().collect::<Vec<_>>().join(" and ");
        }
        Decision::Exempt(_) | Decision::Protected(_) | Decision::Pending(_) => {}
    }
    Ok(())
}

/// Reads what the workspace shows of the looks at both.
async fn traces(ctx: &Context, trial: &Trial, workspace: &str, seen: &mut Seen) -> Result<(), Error> {
    let query = async |text: String| rows(ctx.arm.logs(workspace, &text, terms()).await);
    let looks = query(evidence::looks(&trial.disk, &trial.snapshot)).await?;
    let looks: Vec<Span> = looks.iter().filter_map(Span::of).collect();
    let mut ids: Vec<String> = looks.iter().map(|look| look.trace_id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let (mut spans, mut requests) = (vec![], vec![]);
    if !ids.is_empty() {
        spans = query(evidence::spans(&ids)).await?.iter().filter_map(Span::of).collect();
        requests = query(evidence::requests(&ids)).await?;
    }
    let mut lines = None;
    for one in [&mut seen.disk, &mut seen.snapshot] {
        let Some(look) = telling(&looks, &one.id) else {
            // The host's log shows how a look ended where no trace does.
            if lines.is_none() {
                lines = Some(query(evidence::lines(trial.group_name())).await?);
            }
            let lines = lines.iter().flatten().filter_map(evidence::message);
            one.ended =
                lines.filter_map(|line| Ended::of_line(line, &one.id)).next_back().or(one.ended.take());
            continue;
        };
        one.ended = Ended::of_span(look);
        one.has_span = true;
        one.parts = Parts::of(look, &spans, evidence::began(&requests, &look.trace_id));
    }
    Ok(())
}

/// The look to report: the first that sealed the resource or ends as no other can, or else the last.
fn telling<'a>(looks: &'a [Span], id: &ResourceId) -> Option<&'a Span> {
    let mut own: Vec<&Span> = looks.iter().filter(|look| look.is_look_at(id)).collect();
    own.sort_by_key(|look| look.started);
    let is_final = |look: &&&Span| {
        let ended = Ended::of_span(look);
        ended.is_some_and(|ended| ended.is_final() && ended.outcome != "already_sealed")
    };
    own.iter().find(is_final).or_else(|| own.last()).copied()
}

/// No rows, if the table is not there: it is made with its first row.
fn rows(answer: Result<Vec<Map<String, Value>>, Error>) -> Result<Vec<Map<String, Value>>, Error> {
    match answer {
        Err(error) if is_missing_table(&error) => Ok(vec![]),
        answer => answer,
    }
}

/// "Azure Monitor Log Analytics API errors": 400 `BadArgumentError`, with the code `SemanticError` inside.
pub(super) fn is_missing_table(error: &Error) -> bool {
    error.status == Some(400)
        && [&error.code, &error.innermost_code]
            .into_iter()
            .flatten()
            .any(|code| code.starts_with("Sem") || code.starts_with("SEM"))
}

/// One line about both.
fn state(seen: &Seen, mode: Mode, awaits_traces: bool) -> String {
    let one = |noun: &str, sight: &Sight| {
        let good = match mode {
            Mode::Enforce => "sealed",
            Mode::Audit => "would be sealed",
        };
        match (&sight.ended, sight.is_good(mode)) {
            (_, true) if awaits_traces && sight.parts.is_none() => format!("{noun} {good}, no trace yet"),
            (_, true) => format!("{noun} {good}"),
            (Some(ended), false) => format!("{noun} {}", ended.outcome),
            (None, false) if mode == Mode::Audit => format!("{noun}: no look seen yet"),
            (None, false) => format!("{noun} lacks {}", sight.lacks),
        }
    };
    format!("{}, {}", one("disk", &seen.disk), one("snapshot", &seen.snapshot))
}
