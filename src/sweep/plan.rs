//! The plan of a sweep as a file: what would be sealed, what each resource was, and by which settings.
//!
//! It is JSON; this is [`FORMAT`] 1, and docs/schemas/plan-1.json is its schema. Two hashes hold the file together: one
//! of the settings, one of the resources. So what is applied is what was read.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    io::{self, Read, Write},
};

use ring::digest::{Context as Digest, SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::{policy::Before, policy::decide::Change, resource::tags::Tags, resource_id::ResourceId};

/// The version of the format.
pub const FORMAT: u32 = 1;
/// What marks a file as a plan.
const KIND: &str = "diskseal-plan";

/// The settings that decide what is sealed and how, by the names of their variables; none for one without a value.
pub type Settings = BTreeMap<&'static str, Option<String>>;

/// A resource of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// Its resource ID.
    pub id: ResourceId,
    /// What it was.
    pub before: Before,
    /// What it lacks.
    pub change: Lacking,
}

/// What a resource lacks of the seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lacking {
    /// Whether the mode is to be set.
    pub data_access_auth_mode: bool,
    /// The tags to merge. Values that depend on the moment are those of the plan.
    pub tags: Tags,
}

impl From<&Change> for Lacking {
    fn from(change: &Change) -> Self {
        Self { data_access_auth_mode: change.data_access_auth_mode.is_some(), tags: change.tags.clone() }
    }
}

/// A plan that was read, whose hashes are right.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The settings by which it was made.
    pub settings: BTreeMap<String, Option<String>>,
    /// What is to be sealed, each resource once.
    pub resources: Vec<Planned>,
}

/// Why a file is no plan that can be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFault {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no JSON, or lacks something.
    #[error("it is no plan of diskseal, or only a part of one: {0}")]
    Unreadable(serde_json::Error),
    /// It is of another program.
    #[error("it is no plan of diskseal")]
    Foreign,
    /// It is of another version.
    #[error("its format is {0}, and this version reads {FORMAT}")]
    Format(u32),
    /// It was changed.
    #[error("it was changed after it was written: the hash of its {0} is another; make a new plan")]
    Changed(&'static str),
    /// It names a resource twice.
    #[error("it lists {0} twice")]
    Twice(ResourceId),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    kind: Option<String>,
    format: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    settings: BTreeMap<String, Option<String>>,
    settings_hash: String,
    resources: Vec<Planned>,
    count: usize,
    resources_hash: String,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// The file is damaged, was changed, or is no plan.
    pub fn read(from: &mut impl Read) -> Result<Self, PlanFault> {
        let mut text = vec![];
        from.read_to_end(&mut text)?;
        let head: Head = serde_json::from_slice(&text).map_err(PlanFault::Unreadable)?;
        match (head.kind.as_deref(), head.format) {
            (Some(KIND), Some(FORMAT)) => {}
            (Some(KIND), Some(format)) => return Err(PlanFault::Format(format)),
            _ => return Err(PlanFault::Foreign),
        }
        let document: Document = serde_json::from_slice(&text).map_err(PlanFault::Unreadable)?;
        let Document { settings, settings_hash, resources, count, resources_hash } = document;
        let settings_json = serde_json::to_vec(&settings).map_err(PlanFault::Unreadable)?;
        if hash_of(&settings_json) != settings_hash {
            return Err(PlanFault::Changed("settings"));
        }
        let mut hash = Digest::new(&SHA256);
        let mut known = HashSet::new();
        for one in &resources {
            hash.update(&serde_json::to_vec(one).map_err(PlanFault::Unreadable)?);
            if !known.insert(&one.id) {
                return Err(PlanFault::Twice(one.id.clone()));
            }
        }
        if count != resources.len() || hex(hash.finish().as_ref()) != resources_hash {
            return Err(PlanFault::Changed("resources"));
        }
        Ok(Self { settings, resources })
    }

    /// The settings that differ from these: name, value of the plan, and value now.
    pub fn drift<'a>(
        &'a self,
        now: &'a Settings,
    ) -> impl Iterator<Item = (&'a str, Option<&'a str>, Option<&'a str>)> {
        let of_plan = |name: &str| self.settings.get(name).and_then(Option::as_deref);
        let known = now.iter().map(move |(name, now)| (*name, of_plan(name), now.as_deref()));
        let gone = self.settings.iter().filter(|(name, _)| !now.contains_key(name.as_str()));
        let gone = gone.map(|(name, value)| (name.as_str(), value.as_deref(), None));
        known.chain(gone).filter(|(_, plan, now)| plan != now)
    }
}

/// Writes a plan, one resource a line, without keeping any.
pub struct PlanWriter<W: Write> {
    to: W,
    count: usize,
    hash: Digest,
}

impl<W: Write> PlanWriter<W> {
    /// Begins a plan. `taken_at` is a time, `app` the function app whose settings apply.
    ///
    /// # Errors
    /// `to` cannot be written.
    pub fn begin(mut to: W, taken_at: &str, app: Option<&str>, settings: &Settings) -> io::Result<Self> {
        let version = env!("CARGO_PKG_VERSION");
        let json = serde_json::to_string(settings)?;
        let head = [
            ("kind", serde_json::to_string(KIND)?),
            ("format", FORMAT.to_string()),
            ("version", serde_json::to_string(version)?),
            ("takenAt", serde_json::to_string(taken_at)?),
            ("app", serde_json::to_string(&app)?),
            ("settingsHash", serde_json::to_string(&hash_of(json.as_bytes()))?),
            ("settings", json),
        ];
        to.write_all(b"{\n")?;
        for (name, value) in head {
            writeln!(to, "  {name:?}: {value},")?;
        }
        to.write_all(b"  \"resources\": [")?;
        Ok(Self { to, count: 0, hash: Digest::new(&SHA256) })
    }

    /// Adds a resource.
    ///
    /// # Errors
    /// `to` cannot be written.
    pub fn add(&mut self, one: &Planned) -> io::Result<()> {
        let json = serde_json::to_vec(one)?;
        self.hash.update(&json);
        self.to.write_all(if self.count == 0 { b"\n    " } else { b",\n    " })?;
        self.to.write_all(&json)?;
        self.count += 1;
        Ok(())
    }

    /// Ends the plan; returns how many resources are in it.
    ///
    /// # Errors
    /// `to` cannot be written.
    pub fn end(mut self) -> io::Result<usize> {
        let hash = hex(self.hash.finish().as_ref());
        write!(self.to, "\n  ],\n  \"count\": {},\n  \"resourcesHash\": {hash:?}\n}}\n", self.count)?;
        self.to.flush()?;
        Ok(self.count)
    }
}

fn hash_of(text: &[u8]) -> String {
    hex(digest(&SHA256, text).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{policy::Mode, resource::DataAccessAuthMode};

    fn planned(name: &str) -> Planned {
        let id = format!(
            "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/{name}"
        );
        let tags = [("a".to_owned(), Some("1 \u{1b} ü".to_owned())), ("b".to_owned(), None)].into();
        Planned {
            id: id.parse().unwrap(),
            before: Before {
                data_access_auth_mode: DataAccessAuthMode::None,
                time_created: Some("2026-11-01T00:00:00Z".to_owned()),
                ring: Mode::Enforce,
                tags,
            },
            change: Lacking { data_access_auth_mode: true, tags: [("b", "2")].into_iter().collect() },
        }
    }

    fn settings() -> Settings {
        [("DISKSEAL_MODE", Some("enforce".to_owned())), ("DISKSEAL_SWITCH", None)].into()
    }

    fn written(names: &[&str]) -> String {
        let mut text = vec![];
        let mut writer = PlanWriter::begin(&mut text, "2026-11-27T00:00:00Z", None, &settings()).unwrap();
        for name in names {
            writer.add(&planned(name)).unwrap();
        }
        assert_eq!(writer.end().unwrap(), names.len());
        String::from_utf8(text).unwrap()
    }

    fn fault(text: &str) -> String {
        Plan::read(&mut text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_was_written_is_read_whatever_its_layout_is() {
        for names in [&[][..], &["d1"], &["d1", "d2", "d3"]] {
            let text = written(names);
            let pretty: serde_json::Value = serde_json::from_str(&text).unwrap();
            for text in [text, format!("{pretty:#}")] {
                let plan = Plan::read(&mut text.as_bytes()).unwrap();
                assert_eq!(plan.resources, names.iter().map(|name| planned(name)).collect::<Vec<_>>());
                assert_eq!(plan.drift(&settings()).count(), 0);
            }
        }
    }

    #[test]
    fn every_change_is_found_and_every_other_file_is_refused() {
        let text = written(&["d1", "d2"]);
        for (changed, part) in [
            (text.replace("disks/d2", "disks/d9"), "hash of its resources"),
            (text.replace("\"count\": 2", "\"count\": 1"), "hash of its resources"),
            (
                text.replace("\"enforce\",\"DISKSEAL_SWITCH", "\"audit\",\"DISKSEAL_SWITCH"),
                "hash of its settings",
            ),
            (text.replace("disks/d2", "disks/D1"), "twice"),
            (text.replace("\"format\": 1", "\"format\": 2"), "its format is 2"),
            (text.replace(KIND, "another"), "no plan of diskseal"),
            (text[..text.len() / 2].to_owned(), "only a part of one"),
            (text.replace("\"count\"", "\"counts\""), "missing field"),
            (text.replace("disks/d2", "virtualMachines/d2"), "only a part of one"),
            (String::new(), "only a part of one"),
            ("[]".to_owned(), "no plan of diskseal"),
            ("{}".to_owned(), "no plan of diskseal"),
            ("{\"format\": 1, \"resources\": []}".to_owned(), "no plan of diskseal"),
        ] {
            assert_ne!(changed, text, "{part}");
            let fault = fault(&changed);
            assert!(fault.contains(part), "{part}: {fault}");
        }
    }

    #[test]
    fn each_setting_that_differs_is_named() {
        let plan = Plan::read(&mut written(&[]).as_bytes()).unwrap();
        let now = [("DISKSEAL_MODE", Some("audit".to_owned())), ("DISKSEAL_PACE", None)].into();
        let drift: Vec<_> = plan.drift(&now).collect();
        assert_eq!(drift, [("DISKSEAL_MODE", Some("enforce"), Some("audit"))]);
    }

    #[test]
    fn a_hundred_thousand_are_read_and_written() {
        let mut text = vec![];
        let mut writer = PlanWriter::begin(&mut text, "2026-11-27T00:00:00Z", None, &settings()).unwrap();
        for n in 0..100_000 {
            writer.add(&planned(&format!("d{n}"))).unwrap();
        }
        assert_eq!(writer.end().unwrap(), 100_000);
        assert_eq!(Plan::read(&mut &text[..]).unwrap().resources.len(), 100_000);
    }
}
