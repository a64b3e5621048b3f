//! What each request of the handler may be.

use std::collections::BTreeMap;

use diskseal_emulator::{fault::Kind, journal::Exchange};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    invariants::{Broken, Invariant},
    world::{Lot, OURS, World},
};

/// For how long an answer that shows the mode may be the reason to write the tags, whatever others do meanwhile: the
/// deadline of an invocation, and the half minute that the host waits for it.
const INVOCATION: time::Duration = time::Duration::seconds(60);

/// What is known from the requests so far.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// When an answer has last shown the mode of a resource, by its ID in lower case.
    shown: BTreeMap<String, OffsetDateTime>,
    /// The resource of an operation, by the operation's name.
    operations: BTreeMap<String, String>,
}

impl Wire {
    /// Looks at the next exchange, in the order in which they ended.
    pub(crate) fn look(&mut self, exchange: &Exchange, world: &World, broken: &Broken) {
        match exchange.kind {
            Kind::Get | Kind::Patch => self.learn(exchange),
            Kind::Poll => self.learn_of_operation(exchange),
            _ => {}
        }
        // Queries of Resource Graph are POSTs that write nothing.
        let writes = matches!(
            exchange.kind,
            Kind::Put | Kind::Patch | Kind::Delete | Kind::Access | Kind::TagsWrite | Kind::Group
        );
        if writes && exchange.method != "GET" {
            self.judge(exchange, world, broken);
        }
    }

    fn learn(&mut self, exchange: &Exchange) {
        let id = exchange.path.to_ascii_lowercase();
        let operation = exchange.response_header("azure-asyncoperation");
        if let Some(name) = operation.and_then(operation_of) {
            self.operations.insert(name, id.clone());
        }
        if exchange.response_body["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory"
            && exchange.status == Some(200)
        {
            self.shown.insert(id, exchange.answered);
        }
    }

    fn learn_of_operation(&mut self, exchange: &Exchange) {
        let has_ended = exchange.response_body["status"] == "Succeeded"
            || exchange.response_body["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory";
        let id = operation_of(&exchange.path).and_then(|name| self.operations.get(&name).cloned());
        if let Some(id) = id.filter(|_| has_ended) {
            self.shown.insert(id, exchange.answered);
        }
    }

    fn judge(&self, exchange: &Exchange, world: &World, broken: &Broken) {
        let id = exchange.path.split("/providers/Microsoft.Resources/").next().unwrap_or_default();
        let what = || format!("{} {} {}", exchange.method, exchange.path, exchange.request_body);
        let Some(owned) = world.owned(id) else {
            return broken.add(Invariant::Outside, format!("nobody's: {}", what()));
        };
        if let Lot::Left(why) = owned.lot {
            broken.add(Invariant::Outside, format!("{why}: {}", what()));
        }
        let is_mode_alone = exchange.kind == Kind::Patch
            && exchange.request_body == json!({"properties": {"dataAccessAuthMode": "AzureActiveDirectory"}});
        let tags = &exchange.request_body["properties"]["tags"];
        let are_ours = |tags: &Value| {
            tags.as_object().is_some_and(|tags| tags.keys().all(|name| OURS.contains(&name.as_str())))
        };
        let is_tags_alone = exchange.kind == Kind::TagsWrite
            && exchange.request_body["operation"] == "Merge"
            && are_ours(tags);
        if !is_mode_alone && !is_tags_alone {
            broken.add(Invariant::Shape, what());
        }
        if is_tags_alone {
            let since = owned.reset.min(exchange.received - INVOCATION);
            let shown = self.shown.get(&id.to_ascii_lowercase());
            if shown.is_none_or(|shown| *shown < since) {
                broken.add(Invariant::Order, format!("{}; the mode was shown at {shown:?}", what()));
            }
        }
    }
}

/// The name of an operation, from its URL.
fn operation_of(url: &str) -> Option<String> {
    let path = url.split('?').next()?;
    path.rsplit('/').next().map(str::to_ascii_lowercase)
}
