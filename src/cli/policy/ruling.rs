//! What the settings decide about a resource, as text and as JSON (docs/schemas/policy-check-1.json).

use serde_json::{Value, json};

use crate::{
    arm::{self, Failure},
    cli::{
        answer::Exit,
        output::screen,
        policy::Form,
        session::Session,
        subscriptions::{Subscriptions, WIDTH_OF_SUBSCRIPTIONS},
    },
    enforce::{Error, judge},
    policy::{
        Exemption, Mode,
        decide::{Change, Decision, notices},
    },
    report,
    resource_id::ResourceId,
    text::{Column, Row, Rows},
};

/// The version of the JSON.
const FORMAT: u32 = 1;

/// The decision about one resource.
#[derive(Debug)]
pub(super) struct Ruling {
    id: ResourceId,
    /// A word from a closed set, that of the outcomes: what a look would end in.
    outcome: &'static str,
    /// Why, a word from a closed set.
    reason: &'static str,
    /// The rule that decides, or what is missing, in a sentence.
    detail: String,
    /// The ring, if the resource was read.
    ring: Option<&'static str>,
    notices: Vec<String>,
    pub(super) exit: Exit,
}

/// Reads a resource and decides about it.
pub(super) async fn rule(session: &Session, id: ResourceId) -> Ruling {
    let policy = &session.ctx.policy;
    let now = session.ctx.now();
    let defects = |exemption: &Exemption| -> Vec<_> {
        // That a rule has no end is no news about each resource; the report lists it with the rule.
        let found = exemption.until().map(|_| policy.exemptions.defects(exemption, now)).unwrap_or_default();
        found.iter().map(ToString::to_string).collect()
    };
    let by_id = |id: ResourceId, outcome, reason, detail: String, exit| Ruling {
        id,
        outcome,
        reason,
        detail,
        ring: None,
        notices: vec![],
        exit,
    };
    let failed = |id: ResourceId, error: &Error| {
        by_id(id, error.concern().label(), error.reason(), error.whole(), Exit::from(error))
    };
    match session.ctx.exempt_by_id(&id, session.terms()).await {
        Ok(None) => {}
        Ok(Some(exemption)) => {
            let ruling = by_id(id, "exempt", exemption.reason(), exemption.to_string(), Exit::Done);
            return Ruling { notices: defects(&exemption), ..ruling };
        }
        Err(error) => return failed(id, &error),
    }
    let resource = match session.ctx.arm.get(&id, session.terms()).await {
        Ok(resource) => resource,
        Err(arm::Error { failure: Failure::Gone, .. }) => {
            return by_id(id, "not_found", "not_found", "it does not exist".to_owned(), Exit::NotAll);
        }
        Err(error) => return failed(id, &Error::from(error)),
    };
    let decided = judge(&session.ctx, &resource, None, session.terms()).await;
    let defects = match &decided {
        Decision::Exempt(exemption) => defects(exemption),
        _ => vec![],
    };
    let ring = policy.ring_of(&resource);
    let (outcome, detail) = match &decided {
        Decision::Compliant => ("already_sealed", "it has the auth mode and the tags".to_owned()),
        Decision::Exempt(exemption) => ("exempt", exemption.to_string()),
        Decision::Protected(guarded) => ("protected", guarded.to_string()),
        Decision::Pending(reason) => ("pending", reason.to_string()),
        Decision::Seal(change) if ring == Mode::Audit && policy.mode == Mode::Enforce => {
            ("would_seal", format!("{}; no ring of DISKSEAL_ENFORCE contains it", missing(change)))
        }
        Decision::Seal(change) => ("would_seal", missing(change)),
    };
    Ruling {
        id,
        outcome,
        reason: report::reason(&decided),
        detail,
        ring: Some(ring.label()),
        notices: notices(policy, &resource, now).iter().map(ToString::to_string).chain(defects).collect(),
        exit: Exit::from(&decided),
    }
}

fn missing(change: &Change) -> String {
    let mode =
        change.data_access_auth_mode.as_ref().map(|mode| format!("dataAccessAuthMode={}", mode.as_str()));
    let network = change.network_access.pairs().map(|(name, value)| format!("{name}={value}"));
    let tags = change.before.iter().chain(change.tags.iter());
    let tags = tags.map(|(name, value)| format!("tag {name}={value}"));
    let parts: Vec<String> = mode.into_iter().chain(network).chain(tags).collect();
    let held_back = change.held_back.as_ref().map(|guarded| format!("{guarded}; "));
    format!("{}missing: {}", held_back.unwrap_or_default(), parts.join(", "))
}

/// The decisions, with the names of their subscriptions.
pub(super) struct Rulings<'a> {
    pub(super) all: &'a [Ruling],
    pub(super) subscriptions: Subscriptions,
}

impl Rulings<'_> {
    pub(super) fn text(&self, form: Form) -> Vec<u8> {
        if form == Form::Json {
            let all: Vec<_> = self.all.iter().map(|ruling| self.json(ruling)).collect();
            return format!("{:#}\n", Value::from(all)).into_bytes();
        }
        let (screen, is_wide) = (screen(), form == Form::Wide);
        let first = self.all.first().map(|ruling| ruling.id.subscription_id());
        let is_other = |ruling: &Ruling| Some(ruling.id.subscription_id()) != first;
        let are_several = self.all.iter().any(is_other);
        let is_narrow = screen.width.is_some_and(|width| width < WIDTH_OF_SUBSCRIPTIONS);
        let has_subscription = (are_several || is_wide) && !is_narrow;
        let mut columns =
            vec![Column::name("NAME", 12), Column::whole("KIND").ranked(1), Column::name("GROUP", 8)];
        columns.extend(has_subscription.then_some(Column::name("SUBSCRIPTION", 12)));
        columns.extend([Column::whole("OUTCOME"), Column::whole("REASON")]);
        columns.extend(is_wide.then_some(Column::whole("RING")));
        columns.push(Column::prose("WHY"));
        columns.extend(is_wide.then_some(Column::id("ID")));
        let rows = || -> Rows<'_> {
            Box::new(self.all.iter().map(|ruling| {
                let (id, subscription) = (&ruling.id, self.subscriptions.title(ruling.id.subscription_id()));
                let mut cells =
                    [id.name(), id.resource_type().label(), id.resource_group()].map(str::to_owned).to_vec();
                cells.extend(has_subscription.then(|| subscription.to_owned()));
                cells.extend([ruling.word(), ruling.reason.to_owned()]);
                cells.extend(is_wide.then(|| ruling.ring.unwrap_or_default().to_owned()));
                let notices = ruling.notices.iter().map(|notice| format!("; note: {notice}"));
                cells.push(format!("{}{}", ruling.detail, notices.collect::<String>()));
                cells.extend(is_wide.then(|| id.to_string()));
                let row = Row::new(cells);
                let is_below = is_narrow && are_several;
                Ok(if is_below { row.below(&format!("In {subscription}:")) } else { row })
            }))
        };
        let mut text = vec![];
        // A list in memory can always be written.
        let _ = screen.table(&mut text, &columns, rows);
        text.split_off(usize::from(text.first() == Some(&b'\n')))
    }

    fn json(&self, ruling: &Ruling) -> Value {
        let id = &ruling.id;
        json!({
            "format": FORMAT,
            "id": id.as_str(),
            "kind": id.resource_type().label(),
            "name": id.name(),
            "resourceGroup": id.resource_group(),
            "subscriptionId": id.subscription_id(),
            "subscriptionName": self.subscriptions.name(id.subscription_id()),
            "outcome": ruling.outcome,
            "reason": ruling.reason,
            "detail": ruling.detail,
            "ring": ruling.ring,
            "notices": ruling.notices,
        })
    }
}

impl Ruling {
    /// The outcome as a person reads it. No queue tries again what a command finds.
    fn word(&self) -> String {
        if self.outcome == "pending" { "not yet".to_owned() } else { self.outcome.replace('_', " ") }
    }
}
