//! The places of an estate. What stands in a place comes and goes, its ID stays: so a step of a script means the same
//! whatever other steps are left out.

use diskseal_emulator::estate::{disk_id, scale_set_id, snapshot_id, virtual_machine_id};
use fastrand::Rng;

pub(crate) const SUBSCRIPTIONS: [&str; 3] = [
    "11111111-2222-4333-8444-555555555555",
    "22222222-2222-4333-8444-555555555555",
    "33333333-2222-4333-8444-555555555555",
];
/// What carries the switch.
pub(crate) const SWITCH: &str =
    "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-diskseal";

/// What is made in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Disk,
    Snapshot,
    /// A disk that is made for an upload.
    UploadDisk,
    Machine,
    UniformSet,
    FlexibleSet,
}

/// A place.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    /// Whether a vault protects what is made here, from the beginning.
    pub(crate) is_protected: bool,
}

impl Slot {
    /// A place, of any kind.
    pub(crate) fn any(rng: &mut Rng, number: usize) -> Self {
        let kind = match rng.u32(0..20) {
            0..=9 => Kind::Disk,
            10..=14 => Kind::Snapshot,
            15 => Kind::UploadDisk,
            16..=17 => Kind::Machine,
            18 => Kind::UniformSet,
            _ => Kind::FlexibleSet,
        };
        let subscription = SUBSCRIPTIONS[[0, 0, 0, 1, 1, 2][rng.usize(0..6)]];
        let group = ["rg-app", "rg-app", "rg-app", "RG-Data", "rg-lab-1"][rng.usize(0..5)];
        let exempt = if rng.u32(0..8) == 0 { "-exempt" } else { "" };
        let name = match kind {
            Kind::Machine | Kind::UniformSet | Kind::FlexibleSet => format!("m{number}{exempt}"),
            _ => format!("r{number}{exempt}"),
        };
        let id = match kind {
            Kind::Disk | Kind::UploadDisk => disk_id(subscription, group, &name),
            Kind::Snapshot => snapshot_id(subscription, group, &name),
            Kind::Machine => virtual_machine_id(subscription, group, &name),
            Kind::UniformSet | Kind::FlexibleSet => scale_set_id(subscription, group, &name),
        };
        let is_protected = matches!(kind, Kind::Disk | Kind::Machine) && rng.u32(0..8) == 0;
        Self { kind, id, is_protected }
    }

    pub(crate) fn is_machine(&self) -> bool {
        matches!(self.kind, Kind::Machine | Kind::UniformSet | Kind::FlexibleSet)
    }
}
