//! The queues as text, and as JSON (docs/schemas/pending-1.json).

use std::{io, time::Duration};

use indicatif::{HumanCount, HumanDuration};
use serde_json::{Value, json};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::{
    cli::{
        output::screen,
        policy::Form,
        subscriptions::{Subscriptions, WIDTH_OF_SUBSCRIPTIONS},
    },
    doctor::{PEEKED_MAX, Peek, Peeked},
    function::{POISON, Pending, QUEUE},
    report::meaning,
    text::{Column, Row, Rows, Screen},
};

/// The version of the JSON.
const FORMAT: u32 = 1;
/// The outcome of what was given up, as the queue of outcomes has it.
const GIVEN_UP: &str = "given_up";
/// What is not known.
const UNKNOWN: &str = "unknown";

/// Both queues.
pub(super) struct Shown {
    pub(super) taken_at: OffsetDateTime,
    pub(super) service: String,
    pub(super) pending: Peeked,
    pub(super) poison: Peeked,
    pub(super) subscriptions: Subscriptions,
}

impl Shown {
    pub(super) fn text(&self, form: Form) -> Vec<u8> {
        if form == Form::Json {
            return format!("{:#}\n", self.json()).into_bytes();
        }
        let mut text = vec![];
        // A list in memory can always be written.
        let _ = self.tables(form == Form::Wide, screen(), &mut text);
        text
    }

    fn json(&self) -> Value {
        json!({
            "format": FORMAT,
            "takenAt": seconds(self.taken_at),
            "service": self.service,
            "pending": self.queue(QUEUE, &self.pending),
            "poison": self.queue(POISON, &self.poison),
        })
    }

    fn queue(&self, name: &str, peeked: &Peeked) -> Value {
        let known = peeked.entries.iter().filter_map(|entry| Some((entry, entry.content.as_ref()?)));
        let resources: Vec<_> = known.map(|(entry, pending)| self.resource(name, entry, pending)).collect();
        json!({
            "queue": name,
            "messages": peeked.messages,
            "unseen": peeked.unseen(),
            "foreign": peeked.entries.len() - resources.len(),
            "resources": resources,
        })
    }

    fn resource(&self, queue: &str, entry: &Peek, pending: &Pending) -> Value {
        let (id, reason) = (&pending.resource, pending.known_reason());
        let is_given_up = queue == POISON;
        let next_try =
            entry.receipts.filter(|_| !is_given_up).map(|receipts| Pending::next_try(receipts).as_secs());
        json!({
            "id": id.as_str(),
            "kind": id.resource_type().label(),
            "name": id.name(),
            "resourceGroup": id.resource_group(),
            "subscriptionId": id.subscription_id(),
            "subscriptionName": self.subscriptions.name(pending.resource.subscription_id()),
            "outcome": if is_given_up { GIVEN_UP } else { "pending" },
            "reason": reason,
            "detail": meaning(reason),
            "firstSeen": seconds(pending.first_seen),
            "insertedAt": entry.inserted.map(seconds),
            "expiresAt": entry.expires.map(seconds),
            "receipts": entry.receipts,
            "nextTrySeconds": next_try,
            "correlationId": pending.correlation_id,
        })
    }

    fn title<'a>(&'a self, pending: &'a Pending) -> &'a str {
        self.subscriptions.title(pending.resource.subscription_id())
    }

    fn tables(&self, is_wide: bool, screen: Screen, to: &mut Vec<u8>) -> io::Result<()> {
        let all = || self.pending.entries.iter().chain(&self.poison.entries);
        let known = || all().filter_map(|entry| entry.content.as_ref());
        let first = known().next().map(|pending| pending.resource.subscription_id().to_ascii_lowercase());
        let are_several =
            known().any(|pending| Some(pending.resource.subscription_id().to_ascii_lowercase()) != first);
        let is_narrow = screen.width.is_some_and(|width| width < WIDTH_OF_SUBSCRIPTIONS);
        let has_subscription = (are_several || is_wide) && !is_narrow;
        let columns = |others: &[Column]| {
            let mut columns =
                vec![Column::name("NAME", 12), Column::whole("KIND").ranked(1), Column::name("GROUP", 8)];
            columns.extend(has_subscription.then_some(Column::name("SUBSCRIPTION", 12)));
            columns.extend([Column::whole("REASON"), Column::whole("SINCE")]);
            columns.extend(others);
            columns.extend(is_wide.then_some(Column::id("ID")));
            columns
        };
        for (queue, peeked) in [(QUEUE, &self.pending), (POISON, &self.poison)] {
            let lead = if queue == QUEUE { "" } else { "\n" };
            to.extend(lead.as_bytes());
            to.extend(screen.prose(&summary(queue, peeked), 4).as_bytes());
            let others = if queue == QUEUE {
                [Column::whole("NEXT TRY"), Column::number("RECEIPTS").ranked(2)]
            } else {
                [Column::whole("GIVEN UP"), Column::whole("DELETED").ranked(2)]
            };
            let rows = || -> Rows<'_> {
                let known = peeked.entries.iter().filter_map(|entry| Some((entry, entry.content.as_ref()?)));
                Box::new(known.map(|(entry, pending)| {
                    let row = self.row(queue, entry, pending, has_subscription, is_wide);
                    let is_below = is_narrow && are_several;
                    Ok(if is_below { row.below(&format!("In {}:", self.title(pending))) } else { row })
                }))
            };
            screen.table(to, &columns(&others), rows)?;
        }
        let mut reasons: Vec<_> = known().map(Pending::known_reason).collect();
        reasons.sort_unstable();
        reasons.dedup();
        let meanings = || -> Rows<'_> {
            let row = |reason: &&'static str| Ok(Row::new([*reason, meaning(reason)].map(str::to_owned)));
            Box::new(reasons.iter().map(row))
        };
        screen.table(to, &[Column::whole("REASON"), Column::prose("MEANING")], meanings)
    }

    fn row(
        &self,
        queue: &str,
        entry: &Peek,
        pending: &Pending,
        has_subscription: bool,
        is_wide: bool,
    ) -> Row {
        let id = &pending.resource;
        let mut cells =
            vec![id.name().to_owned(), id.resource_type().label().to_owned(), id.resource_group().to_owned()];
        cells.extend(has_subscription.then(|| self.title(pending).to_owned()));
        cells.extend([pending.known_reason().to_owned(), self.ago(Some(pending.first_seen))]);
        if queue == QUEUE {
            cells.extend([
                entry
                    .receipts
                    .map_or_else(|| UNKNOWN.to_owned(), |receipts| in_time(Pending::next_try(receipts))),
                entry.receipts.map_or_else(|| UNKNOWN.to_owned(), |receipts| receipts.to_string()),
            ]);
        } else {
            let left = entry.expires.and_then(|expires| Duration::try_from(expires - self.taken_at).ok());
            let left = left.map_or_else(|| UNKNOWN.to_owned(), in_time);
            cells.extend([self.ago(entry.inserted), left]);
        }
        cells.extend(is_wide.then(|| id.to_string()));
        Row::new(cells)
    }

    fn ago(&self, time: Option<OffsetDateTime>) -> String {
        let age = time.and_then(|time| Duration::try_from(self.taken_at - time).ok());
        age.map_or_else(|| UNKNOWN.to_owned(), |age| format!("{} ago", HumanDuration(age)))
    }
}

/// How much a queue holds, and what of it cannot be listed.
fn summary(queue: &str, peeked: &Peeked) -> String {
    let count = |number: u64| match number {
        1 => "1 message".to_owned(),
        number => format!("{} messages", HumanCount(number)),
    };
    let listed = peeked.entries.len();
    let unseen = match peeked.unseen() {
        0 => None,
        unseen if listed < PEEKED_MAX => {
            Some(format!("{} hidden until the next try, which Azure does not show", HumanCount(unseen)))
        }
        unseen => Some(format!(
            "{} behind the first {PEEKED_MAX} or hidden until the next try, which Azure does not show",
            HumanCount(unseen)
        )),
    };
    let foreign = peeked.entries.iter().filter(|entry| entry.content.is_none()).count();
    let foreign = (foreign > 0).then(|| format!("{foreign} that Diskseal did not write"));
    let more: Vec<_> = unseen.into_iter().chain(foreign).collect();
    let more = if more.is_empty() { String::new() } else { format!(": {}", more.join(", ")) };
    format!(
        "{queue}: {}{more}",
        if peeked.messages == 0 { "no messages".to_owned() } else { count(peeked.messages) }
    )
}

fn in_time(time: Duration) -> String {
    if time.is_zero() { "now".to_owned() } else { format!("in {}", HumanDuration(time)) }
}

fn seconds(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_a_message_has_a_meaning() {
        for reason in Pending::reasons().into_iter().chain([Pending::OTHER]) {
            assert_ne!(meaning(reason), "", "{reason}");
        }
    }
}
