//! The queue `diskseal-outcomes`, against the whole function app on a paused clock: which outcomes a person gets, in
//! which form, and what a failure of the host or of the queue does to them.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use diskseal_emulator::{
    Emulator, Options, Protection, disk_body,
    estate::disk_id,
    event_grid::EventGridOptions,
    fault::{Fault, Kind, Refusal},
    host::Trigger,
    queue::Queue,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    delivery::{DEADLINE, Site, site_with},
    world::{SUBSCRIPTION, jane},
};

const ON: (&str, &str) = ("DISKSEAL_OUTCOMES", "on");
const PENDING: &str = "diskseal-pending";
const OUTCOMES: &str = "diskseal-outcomes";
const MACHINE: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/vm";
const VAULT: &str = "/subscriptions/22222222-3333-4444-8555-666666666666/resourceGroups/rg-vault/providers/Microsoft.DataProtection/backupVaults/v";

fn site(settings: &'static [(&str, &str)]) -> Site {
    site_of(&Emulator::new(Options::immediate()), settings)
}

fn site_of(azure: &Emulator, settings: &'static [(&str, &str)]) -> Site {
    site_with(azure, DEADLINE, EventGridOptions::default(), settings)
}

/// The contents of the messages of a queue.
fn texts(queue: &Queue) -> Vec<String> {
    let text = |stored: &str| String::from_utf8(STANDARD.decode(stored).unwrap()).unwrap();
    queue.messages().iter().map(|message| text(&message.text)).collect()
}

/// The outcomes so far, each as its schema has it, with no member that the schema does not name.
pub(crate) fn outcomes(queue: &Queue) -> Vec<Value> {
    let mut schema: Value = serde_json::from_str(include_str!("../../docs/schemas/outcome-1.json")).unwrap();
    schema["additionalProperties"] = json!(false);
    schema["properties"]["data"]["additionalProperties"] = json!(false);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let read = |text: String| {
        let event: Value = serde_json::from_str(&text).unwrap();
        let faults: Vec<_> = validator
            .iter_errors(&event)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{faults:#?} {event:#}");
        event
    };
    texts(queue).into_iter().map(read).collect()
}

impl Site {
    fn outcomes(&self) -> Vec<Value> {
        outcomes(&self.host.queues().queue(OUTCOMES))
    }

    fn poison(&self) -> Vec<String> {
        texts(&self.host.queues().poison(PENDING))
    }

    /// A disk that exists, with an owner, and without an event.
    fn existing(&self, name: &str) -> String {
        let id = disk_id(SUBSCRIPTION, "rg-app", name);
        let mut body = disk_body("westeurope");
        body["tags"] = json!({"Owner": format!("{name}@example.com")});
        self.azure.insert(&id, &body).unwrap();
        id
    }

    /// A message of the queue for a resource, of this form.
    fn queue(&self, message: &Value) {
        let text = serde_json::to_string_pretty(message).unwrap();
        self.host.queues().queue(PENDING).put(STANDARD.encode(text)).unwrap();
    }

    async fn sweep(&self) {
        self.host.fire_timer("sweep").await.unwrap();
        self.settle().await;
    }
}

fn message(id: &str) -> Value {
    json!({"resource": id, "reason": "locked", "firstSeen": "2027-01-31T12:00:00Z", "madeBy": "another version"})
}

fn locked(azure: &Emulator) {
    azure.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).always());
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_is_given_up_is_an_outcome_and_its_message_is_as_the_host_would_have_moved_it() {
    let mut moved = vec![];
    for settings in [&[][..], &[ON][..]] {
        let azure = Emulator::new(Options::immediate());
        let site = site_of(&azure, settings);
        locked(&azure);
        let id = site.existing("d");
        let before = message(&id);
        site.queue(&before);
        let put = site.host.queues().queue(PENDING).messages()[0].clone();
        site.settle().await;
        assert!(site.host.queues().queue(PENDING).is_empty());
        let poison = site.host.queues().poison(PENDING).messages();
        assert_eq!(poison.iter().map(|one| &one.text).collect::<Vec<_>>(), [&put.text]);
        moved.push(site.poison());
        let receipts = site.host.invocations();
        assert_eq!((receipts.len(), receipts.last().unwrap().succeeded()), (16, true));

        if settings.is_empty() {
            assert!(site.outcomes().is_empty(), "off unless it is on");
            continue;
        }
        let [event] = site.outcomes().try_into().unwrap();
        assert_eq!((&event["type"], &event["subject"]), (&json!("diskseal.given_up"), &json!(id)));
        assert_eq!(event["data"]["reason"], "locked");
        assert_eq!(event["data"]["owner"], "d@example.com");
        assert_eq!(event["data"]["firstSeen"], "2027-01-31T12:00:00Z");
        assert_eq!(event["id"], format!("given_up{}/{}", id.to_lowercase(), put.id));
    }
    assert_eq!(moved[0], moved[1], "with a member that this version does not know");
}

/// What the host does after a failed output: the invocation has failed, and the message comes again.
#[tokio::test(start_paused = true)]
async fn an_output_that_fails_leads_to_a_repeat_and_never_to_a_loss() {
    for (refused, outcomes) in [(OUTCOMES, 1), ("diskseal-pending-poison", 2)] {
        let azure = Emulator::new(Options::immediate());
        let site = site_of(&azure, &[ON]);
        locked(&azure);
        site.queue(&message(&site.existing("d")));
        site.host.queues().queue(refused).refuse_puts(1);
        site.settle().await;
        let events = site.outcomes();
        assert_eq!(events.len(), outcomes, "{refused}: the outcome is put before the message");
        assert!(events.iter().all(|event| event["id"] == events[0]["id"]), "a receiver can drop repeats");
        assert_eq!(site.poison().len(), 1, "{refused}");
        assert!(site.host.queues().queue(PENDING).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_expected_wait_and_a_protected_disk_are_outcomes_once_they_are_left() {
    let azure = Emulator::new(Options { attached_disks_refuse_the_mode: true, ..Options::immediate() });
    let site = site_of(&azure, &[ON]);
    let id = site.create("attached");
    assert!(azure.attach(&id, MACHINE));
    sleep(Duration::from_hours(2)).await;
    let [event] = site.outcomes().try_into().unwrap();
    assert_eq!(event["type"], "diskseal.left_to_sweep");
    assert_eq!((&event["subject"], &event["data"]["reason"]), (&json!(id), &json!("attached")));
    assert_eq!(event["data"]["owner"], Value::Null);

    let site = self::site(&[ON]);
    let id = disk_id(SUBSCRIPTION, "rg-app", "p");
    site.azure.protect(&id, VAULT, Protection::DiskBackup);
    let created = site.create("p");
    site.settle().await;
    let [event] = site.outcomes().try_into().unwrap();
    assert_eq!((&event["type"], &event["subject"]), (&json!("diskseal.protected"), &json!(created)));
    assert!(event["data"]["message"].as_str().unwrap().contains(VAULT), "{event}");
}

#[tokio::test(start_paused = true)]
async fn a_removed_seal_is_an_outcome_with_the_write_that_removed_it_and_no_person() {
    let site = site(&[ON]);
    let id = site.create("d");
    site.settle().await;
    assert!(site.outcomes().is_empty(), "a seal is no news");
    site.azure.set_property(&id, "dataAccessAuthMode", Value::Null);
    let guid = "9f3c6f0e-1f5c-4d7b-9f2c-0a1b2c3d4e5f";
    let event = json!({
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "subject": id,
        "data": {"correlationId": guid, "claims": {"name": "Jane Doe", "ipaddr": "203.0.113.7"}},
    });
    site.host.invoke("seal_on_write", Trigger::Event(event)).await.unwrap();
    site.settle().await;
    assert!(site.is_sealed(&id));
    let [event] = site.outcomes().try_into().unwrap();
    assert_eq!(event["type"], "diskseal.seal_removed");
    assert_eq!(
        (&event["data"]["reason"], &event["data"]["correlationId"]),
        (&json!("seal_removed"), &json!(guid))
    );
    let text = event.to_string();
    assert!(!text.contains("Jane") && !text.contains("203.0.113.7"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_first_sweep_of_a_day_names_what_ends_and_what_is_left_and_the_next_does_not() {
    let azure = Emulator::new(Options::immediate());
    let until = (azure.clock().now() + time::Duration::days(2)).date();
    let list = json!([{"names": ["listed*"], "until": until.to_string(), "reason": "migration"}]).to_string();
    let site = site_of(
        &azure,
        vec![ON, ("DISKSEAL_EXEMPT_TAG", "exempt"), ("DISKSEAL_EXEMPTIONS", list.leak())].leak(),
    );
    let (exempt, protected, listed) = (site.existing("e"), site.existing("p"), site.existing("listed"));
    let tags = json!({"tags": {"Owner": "e@example.com", "exempt": format!("until={until}; migration")}});
    site.azure.patch(&exempt, &jane(), &tags).unwrap();
    site.azure.protect(&protected, VAULT, Protection::DiskBackup);
    site.settle().await;
    site.host.queues().queue(OUTCOMES).receive(32, Duration::from_hours(100));
    let before = site.outcomes().len();

    site.sweep().await;
    let events = site.outcomes().split_off(before);
    for (id, word, owner) in [
        (&exempt, "exemption_ends", "e@example.com"),
        (&listed, "exemption_ends", "listed@example.com"),
        (&protected, "protected", "p@example.com"),
    ] {
        let event = events.iter().find(|event| event["subject"] == *id).unwrap();
        assert_eq!(
            (&event["type"], &event["data"]["owner"]),
            (&json!(format!("diskseal.{word}")), &json!(owner))
        );
        let last_day = if word == "protected" { Value::Null } else { json!(until.to_string()) };
        assert_eq!(event["data"]["until"], last_day, "{event}");
    }
    assert_eq!(events.len(), 3, "{events:#?}");

    sleep(Duration::from_mins(1)).await;
    site.sweep().await;
    assert_eq!(site.outcomes().len(), before + 3, "once a day");
    sleep(Duration::from_hours(24)).await;
    site.sweep().await;
    let again = site.outcomes().split_off(before + 3);
    assert_eq!(again.len(), 3);
    assert!(again.iter().all(|event| events.iter().any(|old| old["id"] == event["id"])), "with the same IDs");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_a_limit_stops_is_an_outcome_and_nothing_is_written() {
    for (settings, count) in
        [(&[ON, ("DISKSEAL_MAX_RESOURCES", "1")][..], 1), (&[("DISKSEAL_MAX_RESOURCES", "1")][..], 0)]
    {
        let site = site(settings);
        let ids = ["a", "b"].map(|name| site.existing(name));
        let invocation = site.host.fire_timer("sweep").await.unwrap();
        assert_eq!(invocation.succeeded(), count == 1, "the host drops the outputs of a failure");
        site.settle().await;
        assert!(!ids.iter().any(|id| site.is_sealed(id)));
        let events = site.outcomes();
        assert_eq!(events.len(), count);
        for event in events {
            assert_eq!(
                (&event["type"], &event["data"]["reason"]),
                (&json!("diskseal.sweep_refused"), &json!("exceeded"))
            );
        }
    }
}
