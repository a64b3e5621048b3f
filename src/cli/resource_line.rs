//! What a command prints of one resource: a line for a person, or an object of JSON Lines (docs/schemas/resource-1.json).

use std::collections::BTreeMap;

use serde::Serialize;

use super::session::{Session, print, say};
use crate::{
    enforce::{AUDIT_RING, Error, Line, Outcome, Reverted, Unsealed},
    policy::decide::{Change, Decision},
    resource_id::ResourceId,
    scope::Scope,
};

/// The version of the format.
const FORMAT: u32 = 1;
/// The word for a resource whose form in a listing cannot be read, so that it is not known what a look would do.
const UNKNOWN: &str = "unknown";
/// The reason of such a resource.
const MALFORMED: &str = "malformed";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    format: u32,
    outcome: &'static str,
    reason: Option<&'static str>,
    detail: Option<&'a str>,
    kind: &'static str,
    name: &'a str,
    resource_group: &'a str,
    subscription_id: &'a str,
    subscription_name: Option<&'a str>,
    id: &'a str,
}

/// A resource with its outcome.
#[derive(Debug)]
pub(super) struct ResourceLine {
    id: ResourceId,
    /// A word from a closed set: the vocabulary of outcomes and of the report.
    outcome: &'static str,
    /// A word from a closed set.
    reason: Option<&'static str>,
    /// The reason in a sentence, with all that Azure says.
    detail: Option<String>,
    /// The outcome as a person reads it.
    word: &'static str,
}

impl ResourceLine {
    /// What a look at a resource led to.
    pub(super) fn of_look(id: &ResourceId, result: &Result<Outcome, Error>) -> Self {
        Self::of(id, Line::of_look(id, result), result.as_ref().err(), "not sealed")
    }

    /// What an unseal led to.
    pub(super) fn of_unseal(id: &ResourceId, result: &Result<Unsealed, Error>) -> Self {
        Self::of(id, Line::of_unseal(id, result), result.as_ref().err(), "not unsealed")
    }

    /// What a revert led to.
    pub(super) fn of_revert(id: &ResourceId, result: &Result<Reverted, Error>) -> Self {
        Self::of(id, Line::of_revert(id, result), result.as_ref().err(), "not reverted")
    }

    /// `refused` is the word for what Azure does not allow.
    fn of(id: &ResourceId, line: Line, error: Option<&Error>, refused: &'static str) -> Self {
        let Line { outcome, reason, why, .. } = line;
        let word = match error {
            Some(Error::Arm(error)) if error.is_refusal() => refused,
            _ => word(outcome),
        };
        Self { id: id.clone(), outcome, reason, detail: error.map(Error::whole).or(why), word }
    }

    /// A resource that would be sealed.
    pub(super) fn of_change(id: &ResourceId, change: &Change, is_in_audit: bool) -> Self {
        let outcome = if is_in_audit { Outcome::InAudit } else { Outcome::WouldSeal };
        let line = Self::of_look(id, &Ok(outcome(change.clone())));
        let is_plain = line.detail.is_none() && !change.sets_properties();
        Self {
            detail: if is_plain { Some("only its tags are missing".to_owned()) } else { line.detail },
            ..line
        }
    }

    /// A resource of which a listing says too little.
    pub(super) fn of_unknown(id: &ResourceId) -> Self {
        let detail = Some("it is listed in a form that cannot be read; a sweep looks at it".to_owned());
        Self { id: id.clone(), outcome: UNKNOWN, reason: Some(MALFORMED), detail, word: UNKNOWN }
    }

    /// A resource that a listing leaves as it is; none for any other decision.
    pub(super) fn of_left(id: &ResourceId, decision: &Decision) -> Option<Self> {
        Some(match decision {
            Decision::Exempt(exemption) => Self::of_look(id, &Ok(Outcome::Exempt(exemption.clone()))),
            Decision::Protected(guarded) => Self::of_look(id, &Ok(Outcome::Protected(guarded.clone()))),
            Decision::Pending(reason) => Self::of_look(id, &Err(Error::Pending(*reason))),
            Decision::Compliant | Decision::Seal(_) => return None,
        })
    }

    /// The outcome as a person reads it.
    pub(super) fn word(&self) -> &'static str {
        self.word
    }

    /// Whether it is in the ring audit while others are sealed.
    pub(super) fn is_in_audit(&self) -> bool {
        self.reason == Some(AUDIT_RING)
    }

    /// Whether there is nothing to do about it, so that its number is enough.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.outcome, "exempt" | "already_sealed")
    }

    /// `sealed  disk data-01 in rg-app`, with the subscription if there are several, and the reason.
    pub(super) fn text(&self, names: &Names) -> String {
        let (kind, name, group) = (self.id.resource_type().label(), self.id.name(), self.id.resource_group());
        let subscription = match names {
            Names::OfOne => String::new(),
            Names::OfSeveral(_) => {
                let id = self.id.subscription_id();
                format!(", {}", names.of(id).unwrap_or(id))
            }
        };
        let detail = self.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        format!("{:<WIDTH$}  {kind} {name} in {group}{subscription}{detail}", self.word)
    }

    /// The same as JSON.
    pub(super) fn json<'a>(&'a self, names: &'a Names) -> impl Serialize + 'a {
        let id = &self.id;
        Object {
            format: FORMAT,
            outcome: self.outcome,
            reason: self.reason,
            detail: self.detail.as_deref(),
            kind: id.resource_type().label(),
            name: id.name(),
            resource_group: id.resource_group(),
            subscription_id: id.subscription_id(),
            subscription_name: names.of(id.subscription_id()),
            id: id.as_str(),
        }
    }

    /// Prints it in one of both forms.
    pub(super) fn print(&self, names: &Names, is_json: bool) {
        if is_json {
            // Texts and a number always become JSON.
            let json = serde_json::to_string(&self.json(names)).unwrap_or_default();
            print(format!("{json}\n").as_bytes());
        } else {
            say(&self.text(names));
        }
    }
}

/// The width of the longest usual word, `already sealed`.
const WIDTH: usize = 14;

/// An outcome in a person's words. No queue tries again what a command could not do yet.
fn word(outcome: &'static str) -> &'static str {
    match outcome {
        "pending" => "not yet",
        "would_seal" => "would seal",
        "already_sealed" => "already sealed",
        "network_sealed" => "network sealed",
        "not_found" => "not found",
        "left_to_sweep" => "left to sweep",
        "switched_off" => "switched off",
        "already_unsealed" => "already unsealed",
        "would_unseal" => "would unseal",
        "already_reverted" => "already reverted",
        "would_revert" => "would revert",
        word => word,
    }
}

/// The names of subscriptions.
#[derive(Debug)]
pub(super) enum Names {
    /// The command works in one subscription, which no line has to name.
    OfOne,
    /// It works in several: the names by their IDs, as far as they can be read.
    OfSeveral(BTreeMap<String, String>),
}

impl Names {
    /// The names for these resources.
    pub(super) async fn of_ids(session: &Session, ids: &[ResourceId]) -> Self {
        let mut subscriptions = ids.iter().map(ResourceId::subscription_id);
        let first = subscriptions.next().unwrap_or_default();
        if subscriptions.all(|id| id.eq_ignore_ascii_case(first)) {
            Self::OfOne
        } else {
            Self::read(session).await
        }
    }

    /// The names for everything in scope.
    pub(super) async fn of_scope(session: &Session) -> Self {
        match &session.ctx.policy.scope {
            Scope::Subscriptions(ids) if ids.len() < 2 => Self::OfOne,
            _ => Self::read(session).await,
        }
    }

    async fn read(session: &Session) -> Self {
        // Without names, the lines have the IDs.
        let listed = session.ctx.arm.subscriptions(&Scope::Visible, session.terms()).await;
        let (ids, names) = listed.map(|listed| (listed.ids, listed.names)).unwrap_or_default();
        if ids.len() == 1 {
            return Self::OfOne;
        }
        Self::OfSeveral(names.into_iter().map(|(id, name)| (id.to_ascii_lowercase(), name)).collect())
    }

    fn of(&self, subscription_id: &str) -> Option<&str> {
        match self {
            Self::OfOne => None,
            Self::OfSeveral(names) => names.get(&subscription_id.to_ascii_lowercase()).map(String::as_str),
        }
    }
}
