//! The estate and its writers: what others own, and what was promised about it.

use std::collections::BTreeMap;

use diskseal_emulator::{
    Emulator, disk_body,
    estate::{disk_id, snapshot_id},
    event_grid::EventGrid,
    snapshot_body,
    write::Caller,
};
use fastrand::Rng;
use parking_lot::Mutex;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::invariants::{Broken, Invariant};

/// The tags of the seal, which nobody else owns.
pub(crate) const OURS: [&str; 3] = ["diskseal-auth-mode", "diskseal-sealed-at", "diskseal-sealed-by"];
/// Those of every seal. The third says how the mode was set, which nobody knows if it was there before.
const MARKS: [&str; 2] = ["diskseal-auth-mode", "diskseal-sealed-at"];
/// What is in every claim of every writer, and nowhere else.
pub(crate) const CLAIMS: [&str; 2] = ["Chaos Person", "0d0d0d0d-"];

const SUBSCRIPTIONS: u64 = 24;
const OUT_OF_SCOPE: &str = "ffffffff-0000-4000-8000-000000000000";
const EXEMPT_TAG: &str = "diskseal-exempt";
const EXEMPTION: &str = "until=2099-12-31; INC-1 chaos";
/// As many resources as there are events for ten each, and no more than a large subscription has.
const RESOURCES_MAX: usize = 1_500;

/// What is promised about a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lot {
    /// It is sealed in the end.
    Sealed,
    /// It is never written, for this reason.
    Left(&'static str),
}

/// A resource that exists or has existed.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    id: String,
    pub(crate) lot: Lot,
    /// The tags of others.
    tags: BTreeMap<String, String>,
    /// When somebody last removed the mode, or created the resource.
    pub(crate) reset: OffsetDateTime,
    exists: bool,
}

/// The estate.
pub(crate) struct World {
    azure: Emulator,
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    /// By their IDs in lower case.
    estate: BTreeMap<String, Owned>,
    existing: Vec<String>,
    most: usize,
    next: usize,
    writes: usize,
}

/// The settings that the lots follow from.
pub(crate) fn settings() -> impl Iterator<Item = (&'static str, String)> {
    let scope: Vec<_> = (0..SUBSCRIPTIONS).map(subscription).collect();
    let settings = [
        ("DISKSEAL_SUBSCRIPTIONS", scope.join(",")),
        ("DISKSEAL_EXEMPT_NAMES", "exempt-*".to_owned()),
        ("DISKSEAL_EXEMPT_RESOURCE_GROUPS", "rg-exempt-*".to_owned()),
        ("DISKSEAL_EXEMPT_TAG", EXEMPT_TAG.to_owned()),
        ("DISKSEAL_ENFORCE", "resource-group:rg-app-*".to_owned()),
        ("DISKSEAL_SWITCH", format!("/subscriptions/{}/resourceGroups/rg-switch", subscription(0))),
    ];
    settings.into_iter()
}

fn subscription(number: u64) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

impl World {
    pub(crate) fn new(azure: Emulator, seed: u64, events: usize) -> Self {
        let state = State {
            rng: Rng::with_seed(seed),
            estate: BTreeMap::new(),
            existing: Vec::new(),
            most: (events / 10).clamp(50, RESOURCES_MAX),
            next: 0,
            writes: 0,
        };
        Self { azure, state: Mutex::new(state) }
    }

    /// A few writes at once, so that Event Grid has batches.
    pub(crate) fn write_some(&self, event_grid: &EventGrid) {
        let mut state = self.state.lock();
        for _ in 0..state.rng.usize(1..=8) {
            let choice = state.rng.u32(0..100);
            state.writes += 1;
            match choice {
                _ if state.existing.len() < state.most / 5 => state.create(&self.azure),
                0..30 if state.existing.len() < state.most => state.create(&self.azure),
                0..42 => state.overwrite(&self.azure),
                42..57 => state.retag(&self.azure, true),
                57..67 => state.retag(&self.azure, false),
                67..82 => state.reset(&self.azure),
                82..92 => state.delete(&self.azure),
                _ => event_grid.publish(vec![state.forged()]),
            }
        }
    }

    /// What is known of a resource, by its ID in any case.
    pub(crate) fn owned(&self, id: &str) -> Option<Owned> {
        self.state.lock().estate.get(&id.to_ascii_lowercase()).cloned()
    }

    /// How many writes of others there were, and how many resources exist.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.writes, state.existing.len())
    }

    /// Whether every resource is as it was promised.
    pub(crate) fn look_at_resources(&self, broken: &Broken) {
        for owned in self.state.lock().estate.values().filter(|owned| owned.exists) {
            let Some(resource) = self.azure.get(&owned.id) else {
                broken.add(Invariant::Tags, format!("{} is gone", owned.id));
                continue;
            };
            let has_mode = resource["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory";
            let is_sealed = has_mode && MARKS.iter().all(|name| resource["tags"][name].is_string());
            match owned.lot {
                Lot::Sealed if !is_sealed => broken.add(Invariant::Sealed, resource.to_string()),
                Lot::Left(_) if has_mode => broken.add(Invariant::Outside, resource.to_string()),
                _ => {}
            }
            let tags: BTreeMap<String, String> =
                serde_json::from_value(resource["tags"].clone()).unwrap_or_default();
            let foreign: BTreeMap<_, _> =
                tags.into_iter().filter(|(name, _)| !OURS.contains(&name.as_str())).collect();
            if foreign != owned.tags {
                broken.add(Invariant::Tags, format!("{}: {foreign:?}, not {:?}", owned.id, owned.tags));
            }
        }
    }
}

impl State {
    fn person(&mut self) -> Caller {
        let number = self.rng.u32(0..9);
        Caller::user(format!("0d0d0d0d-0000-4000-8000-{number:012}"), format!("Chaos Person {number}"))
    }

    fn any(&mut self) -> Option<String> {
        let index = self.rng.usize(0..self.existing.len().max(1));
        self.existing.get(index).cloned()
    }

    fn create(&mut self, azure: &Emulator) {
        let number = self.next;
        self.next += 1;
        let (lot, group, name) = match self.rng.u32(0..20) {
            0 => (Lot::Left("exempt by name"), format!("rg-app-{}", number % 10), format!("exempt-{number}")),
            1 => (Lot::Left("exempt by group"), "rg-exempt-1".to_owned(), format!("r-{number}")),
            2 => (Lot::Left("exempt by tag"), format!("rg-app-{}", number % 10), format!("t-{number}")),
            3 => (Lot::Left("out of scope"), "rg-app-1".to_owned(), format!("r-{number}")),
            4 => (Lot::Left("audit ring"), "rg-audit-1".to_owned(), format!("r-{number}")),
            _ => (Lot::Sealed, format!("rg-app-{}", number % 10), format!("r-{number}")),
        };
        let subscription = match lot {
            Lot::Left("out of scope") => OUT_OF_SCOPE.to_owned(),
            _ => subscription(self.rng.u64(0..SUBSCRIPTIONS)),
        };
        let mut tags = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
        if lot == Lot::Left("exempt by tag") {
            tags.insert(EXEMPT_TAG.to_owned(), EXEMPTION.to_owned());
        }
        let made = if self.rng.bool() { disk_id } else { snapshot_id };
        let id = made(&subscription, &group, &name);
        let reset = azure.clock().now();
        let key = id.to_ascii_lowercase();
        // It must be known before anybody reads about it.
        self.estate.insert(key.clone(), Owned { id, lot, tags, reset, exists: true });
        self.existing.push(key.clone());
        self.put(azure, &key);
    }

    fn overwrite(&mut self, azure: &Emulator) {
        let Some(key) = self.any() else { return };
        let number = self.next;
        self.next += 1;
        let Some(owned) = self.estate.get_mut(&key) else { return };
        owned.tags.retain(|name, _| name == "env" || name == EXEMPT_TAG);
        owned.tags.insert("by".to_owned(), format!("template {number}"));
        owned.reset = azure.clock().now();
        self.put(azure, &key);
    }

    /// A template's PUT of the whole resource, which knows nothing of the seal.
    fn put(&mut self, azure: &Emulator, key: &str) {
        let person = self.person();
        let Some(owned) = self.estate.get(key) else { return };
        let source = disk_id(&subscription(0), "rg-app-1", "source");
        let is_disk = owned.id.contains("/disks/");
        let mut body = if is_disk { disk_body("westeurope") } else { snapshot_body("westeurope", &source) };
        body["tags"] = json!(owned.tags);
        assert!(azure.put(&owned.id, &person, &body).is_ok(), "{}", owned.id);
    }

    /// Another tag by a full update: with the tags that are there, or with the writer's own alone.
    fn retag(&mut self, azure: &Emulator, careful: bool) {
        let (Some(key), person) = (self.any(), self.person()) else { return };
        let number = self.next;
        self.next += 1;
        let Some(owned) = self.estate.get_mut(&key) else { return };
        owned.tags.insert(format!("step{}", number % 5), number.to_string());
        let mut tags = json!(owned.tags);
        if careful {
            tags = azure.get(&owned.id).map_or(Value::Null, |resource| resource["tags"].clone());
            tags[format!("step{}", number % 5)] = json!(number.to_string());
        }
        assert!(azure.patch(&owned.id, &person, &json!({"tags": tags})).is_ok(), "{}", owned.id);
    }

    fn reset(&mut self, azure: &Emulator) {
        let (Some(key), person) = (self.any(), self.person()) else { return };
        let Some(owned) = self.estate.get_mut(&key) else { return };
        owned.reset = azure.clock().now();
        let none = json!({"properties": {"dataAccessAuthMode": "None"}});
        assert!(azure.patch(&owned.id, &person, &none).is_ok(), "{}", owned.id);
    }

    fn delete(&mut self, azure: &Emulator) {
        let (Some(key), person) = (self.any(), self.person()) else { return };
        self.existing.retain(|one| *one != key);
        if let Some(owned) = self.estate.get_mut(&key) {
            owned.exists = false;
            azure.delete(&owned.id, &person);
        }
    }

    /// An event that nobody's write has raised.
    fn forged(&mut self) -> Value {
        let id = self.any().and_then(|key| Some(self.estate.get(&key)?.id.clone())).unwrap_or_default();
        let (subject, data) = match self.rng.u32(0..6) {
            0 => (json!(id), json!({"claims": {"name": "Chaos Person 0", "oid": "0d0d0d0d-0000"}})),
            1 => (json!(disk_id(OUT_OF_SCOPE, "rg-app-1", "forged")), json!({})),
            2 => (
                json!(format!("{id}/../exempt-1")),
                json!({"operationName": "Microsoft.Compute/disks/write"}),
            ),
            3 => (json!(format!("{id}\u{1b}[2J\nsealed {id}")), json!("no object")),
            4 => (json!(["no text"]), Value::Null),
            _ => (json!(id), json!({"claims": "x".repeat(4_096), "correlationId": "\r\nsealed"})),
        };
        json!({
            "specversion": "1.0", "id": self.rng.u64(..).to_string(), "source": "/chaos", "subject": subject,
            "type": "Microsoft.Resources.ResourceWriteSuccess", "time": "2026-11-26T09:00:00Z", "data": data,
        })
    }
}
