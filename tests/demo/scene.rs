//! What is created, by whom, what is special about it, and how it should end.

use diskseal_emulator::estate::{disk_id, snapshot_id, virtual_machine_id};
use diskseal_emulator::{disk_body, snapshot_body, virtual_machine_body};
use serde_json::{Value, json};

use crate::people::Person::{self, Backup, Cluster, Jane, Omar, Tagger, Terraform};

/// Resource groups that the handler is told to leave alone.
pub(crate) const EXEMPT_GROUPS: &str = "rg-lab-*";
/// The tag that exempts a resource for a time.
pub(crate) const EXEMPT_TAG: &str = "seal-exempt";

/// The subscription of nearly everything.
pub(crate) const PRODUCTION: &str = "11111111-2222-4333-8444-555555555555";
/// What is throttled has a subscription of its own: Azure throttles by subscription, and so the handler
/// pauses by subscription.
const BATCH: &str = "22222222-3333-4444-8555-666666666666";

/// The one virtual machine.
const MACHINE: &str = "erp-app";

/// One resource and its story.
#[derive(Debug)]
pub(crate) struct Scene {
    /// The resource's name.
    pub(crate) name: &'static str,
    /// Whether it is a snapshot, else a disk.
    pub(crate) is_snapshot: bool,
    /// Who creates it.
    pub(crate) by: Person,
    /// What the table says of it.
    pub(crate) special: &'static str,
    group: &'static str,
    /// Whether it is created with the mode already.
    has_mode: bool,
    /// The tags that it is created with.
    tags: &'static [(&'static str, &'static str)],
    /// What happens around it.
    pub(crate) plot: Plot,
    /// How it should end.
    pub(crate) end: End,
}

/// What happens around a resource, besides that it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plot {
    /// Nothing.
    Quiet,
    /// Resource Manager is still at work on it when the event arrives.
    Provisioning,
    /// The handler's write is throttled once.
    Throttled,
    /// The handler's write meets another one once.
    Conflict,
    /// A lock forbids writes, until it is lifted.
    Locked,
    /// It is deleted before the handler has looked.
    DeletedAtOnce,
    /// A tagging tool writes its tag between the handler's look and its tags.
    TaggedMeanwhile,
    /// It is created anew over itself when it has been sealed, which undoes the seal.
    Undone,
    /// The handler is killed between its two writes.
    Killed,
    /// It is made by a virtual machine, and no event tells of it but the machine's.
    OfMachine,
}

/// How a resource should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With the mode, the seal's tags and all tags of others.
    Sealed,
    /// As it was created, with the seal.
    AsCreatedSealed,
    /// As it was created, without the seal.
    AsCreatedUnsealed,
    /// Not there.
    Gone,
}

impl Scene {
    /// The resource's id.
    pub(crate) fn id(&self) -> String {
        let subscription = if self.plot == Plot::Throttled { BATCH } else { PRODUCTION };
        let id = if self.is_snapshot { snapshot_id } else { disk_id };
        id(subscription, self.group, self.name)
    }

    /// The virtual machine that makes it, if one does.
    pub(crate) fn machine(&self) -> Option<String> {
        (self.plot == Plot::OfMachine).then(|| virtual_machine_id(PRODUCTION, self.group, MACHINE))
    }

    /// The body that it is created with, or its machine.
    pub(crate) fn body(&self) -> Value {
        if self.plot == Plot::OfMachine {
            let mut body = virtual_machine_body("westeurope", 0);
            body["properties"]["storageProfile"]["osDisk"]["name"] = json!(self.name);
            return body;
        }
        let source = || disk_id(PRODUCTION, "rg-sql", "sql-data-01");
        let mut body =
            if self.is_snapshot { snapshot_body("westeurope", &source()) } else { disk_body("westeurope") };
        if self.has_mode {
            body["properties"]["dataAccessAuthMode"] = json!("AzureActiveDirectory");
        }
        if !self.tags.is_empty() {
            body["tags"] = self.tags.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        }
        body
    }

    /// The tags that must be on it in the end, besides the seal's.
    pub(crate) fn foreign_tags(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let tagged = (self.plot == Plot::TaggedMeanwhile).then_some(TAGGERS_TAG);
        self.tags.iter().copied().chain(tagged)
    }

    /// Whether the mode had to be written.
    pub(crate) fn needs_mode(&self) -> bool {
        !self.has_mode
    }

    /// Whether the trace that is shown is this one's: it has the most to show.
    pub(crate) fn shows_trace(&self) -> bool {
        self.plot == Plot::Throttled
    }
}

/// What the tagging tool writes.
pub(crate) const TAGGERS_TAG: (&str, &str) = ("cost-center", "4711");

const PLAIN: Scene = Scene {
    name: "",
    is_snapshot: false,
    by: Jane,
    special: "nothing",
    group: "rg-sql",
    has_mode: false,
    tags: &[],
    plot: Plot::Quiet,
    end: End::Sealed,
};

/// All of them, in the order of the table.
pub(crate) const SCENES: [Scene; 16] = [
    Scene { name: "sql-data-01", ..PLAIN },
    Scene { name: "sql-data-01-snap", is_snapshot: true, by: Backup, ..PLAIN },
    Scene {
        name: "golden-image",
        by: Terraform,
        special: "created with the seal",
        has_mode: true,
        tags: &[
            ("diskseal-auth-mode", "AzureActiveDirectory"),
            ("diskseal-sealed-at", "2026-01-15T08:00:00Z"),
        ],
        end: End::AsCreatedSealed,
        ..PLAIN
    },
    Scene { name: "web-os-02", by: Terraform, special: "the mode, but no tags", has_mode: true, ..PLAIN },
    Scene { name: "erp-app-os", by: Omar, special: "disk of a new VM", plot: Plot::OfMachine, ..PLAIN },
    Scene {
        name: "scratch-7",
        by: Omar,
        special: "in an exempt group",
        group: "rg-lab-eu",
        end: End::AsCreatedUnsealed,
        ..PLAIN
    },
    Scene {
        name: "forensics-copy",
        is_snapshot: true,
        by: Omar,
        special: "exempt by its tag",
        tags: &[(EXEMPT_TAG, "until=2099-12-31; INC-1234 evidence")],
        end: End::AsCreatedUnsealed,
        ..PLAIN
    },
    Scene {
        name: "restore-test",
        special: "exemption has expired",
        tags: &[(EXEMPT_TAG, "until=2024-06-30; restore test")],
        ..PLAIN
    },
    Scene {
        name: "import-vhd-04",
        by: Omar,
        special: "still provisioning",
        plot: Plot::Provisioning,
        ..PLAIN
    },
    Scene {
        name: "batch-out-17",
        by: Cluster,
        special: "throttled: 429",
        tags: &[("created-by", "aks-batch")],
        plot: Plot::Throttled,
        ..PLAIN
    },
    Scene { name: "pvc-2f9c", by: Cluster, special: "a conflict: 409", plot: Plot::Conflict, ..PLAIN },
    Scene { name: "erp-legacy", special: "a lock, lifted later", plot: Plot::Locked, ..PLAIN },
    Scene {
        name: "ci-tmp-381",
        by: Terraform,
        special: "deleted at once",
        plot: Plot::DeletedAtOnce,
        end: End::Gone,
        ..PLAIN
    },
    Scene {
        name: "crm-data",
        by: Tagger,
        special: "tagged by two at once",
        plot: Plot::TaggedMeanwhile,
        ..PLAIN
    },
    Scene {
        name: "etl-cache",
        by: Terraform,
        special: "a full PUT undoes it",
        tags: &[("owner", "data-team")],
        plot: Plot::Undone,
        ..PLAIN
    },
    Scene { name: "mail-archive", special: "handler is killed", plot: Plot::Killed, ..PLAIN },
];
