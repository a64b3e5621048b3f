//! Generated resources, the same for the same seed.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{disk_id, snapshot_id};
use crate::{Emulator, disk_body, refusal::Refusal, snapshot_body};

const LOCATIONS: [&str; 4] = ["westeurope", "northeurope", "eastus2", "japaneast"];
const GROUPS: u32 = 40;

/// The number of resources and the share that is sealed.
#[derive(Clone, Copy, Debug)]
pub struct Seeded {
    /// The seed.
    pub seed: u64,
    /// The number of disks and snapshots; three in four are disks.
    pub resources: usize,
    /// The number of subscriptions.
    pub subscriptions: u32,
    /// The percentage that is unsealed.
    pub unsealed_percent: u8,
}

impl Emulator {
    /// Creates the resources without events. Returns the ids of the unsealed ones. `tags` are the tags of the
    /// sealed ones.
    pub fn insert_estate(&self, estate: Seeded, tags: &Value) -> Result<Vec<String>, Refusal> {
        let mut rng = Rng::with_seed(estate.seed);
        let mut unsealed = vec![];
        for number in 0..estate.resources {
            let subscription =
                format!("{:08x}-0000-4000-8000-000000000000", rng.u32(0..estate.subscriptions));
            let group = format!("rg-{:02}", rng.u32(0..GROUPS));
            let location = LOCATIONS[rng.usize(0..LOCATIONS.len())];
            let disk = disk_id(&subscription, &group, &format!("disk-{number:06}"));
            let (id, mut body) = if rng.u8(0..4) == 0 {
                (
                    snapshot_id(&subscription, &group, &format!("snap-{number:06}")),
                    snapshot_body(location, &disk),
                )
            } else {
                (disk, disk_body(location))
            };
            body["tags"] = json!({"team": format!("team-{}", rng.u8(0..30))});
            if rng.u8(0..100) < estate.unsealed_percent {
                unsealed.push(id.clone());
            } else {
                body["properties"]["dataAccessAuthMode"] = json!("AzureActiveDirectory");
                for (name, value) in tags.as_object().into_iter().flatten() {
                    body["tags"][name] = value.clone();
                }
            }
            self.insert(&id, &body)?;
            // A third of the disks are attached to a machine.
            if id.contains("/disks/") && rng.u8(0..3) == 0 {
                self.attach(&id, &id.replace("/disks/disk-", "/virtualMachines/vm-"));
            }
        }
        Ok(unsealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    fn made(seed: u64) -> (Vec<Value>, Vec<String>) {
        let azure = Emulator::new(Options::immediate());
        let estate = Seeded { seed, resources: 1_000, subscriptions: 50, unsealed_percent: 40 };
        let unsealed = azure.insert_estate(estate, &json!({"sealed": "yes"})).unwrap();
        let mut resources = azure.resources();
        for resource in &mut resources {
            resource["properties"]["timeCreated"] = Value::Null;
            resource["properties"]["uniqueId"] = Value::Null;
        }
        (resources, unsealed)
    }

    #[test]
    fn a_seed_makes_one_estate_and_another_seed_another() {
        let (first, unsealed) = made(7);
        assert_eq!((first.clone(), unsealed.clone()), made(7));
        assert_ne!(first, made(8).0);
        assert_eq!(first.len(), 1_000);
        assert!((350..450).contains(&unsealed.len()), "{}", unsealed.len());
        let open = first
            .iter()
            .filter(|resource| resource["properties"]["dataAccessAuthMode"] != "AzureActiveDirectory");
        assert_eq!(open.count(), unsealed.len());
    }
}
