//! The scenes: which resources are created, by whom, in which scenario, and how each should end.

use diskseal_emulator::{
    disk_body,
    estate::{disk_id, snapshot_id, virtual_machine_id},
    snapshot_body, virtual_machine_body,
};
use serde_json::{Value, json};

use crate::people::Person::{self, Backup, Cluster, Jane, Omar, Tagger, Terraform};

/// Pattern of the resource groups that are exempt.
pub(crate) const EXEMPT_GROUPS: &str = "rg-lab-*";
/// Name of the tag that exempts a resource until a date.
pub(crate) const EXEMPT_TAG: &str = "seal-exempt";

/// The subscription of nearly everything.
pub(crate) const PRODUCTION: &str = "11111111-2222-4333-8444-555555555555";
/// The throttled scene has its own subscription, because Azure throttles by subscription and the handler therefore
/// pauses by subscription.
const BATCH: &str = "22222222-3333-4444-8555-666666666666";

/// The one virtual machine.
const MACHINE: &str = "erp-app";

/// One resource and its scenario.
#[derive(Debug)]
pub(crate) struct Scene {
    /// The resource's name.
    pub(crate) name: &'static str,
    /// Whether it is a snapshot, else a disk.
    pub(crate) is_snapshot: bool,
    /// Who creates it.
    pub(crate) by: Person,
    scenario: &'static str,
    group: &'static str,
    /// Whether it is created with the auth mode.
    has_mode: bool,
    /// The tags of the create request.
    tags: &'static [(&'static str, &'static str)],
    plot: Plot,
    end: End,
}

/// The mode of the handler in the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It seals.
    Enforce,
    /// It reports what it would seal, and writes nothing.
    Audit,
}

impl Mode {
    /// The value of `DISKSEAL_MODE`.
    pub(crate) fn value(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Audit => "audit",
        }
    }
}

/// What happens to a resource besides its creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plot {
    /// Nothing.
    Quiet,
    /// It is still provisioning when the event arrives.
    Provisioning,
    /// The handler's write is throttled once.
    Throttled,
    /// The handler's write conflicts with another one once.
    Conflict,
    /// A lock forbids writes until it is removed.
    Locked,
    /// It is deleted before the handler's look.
    DeletedAtOnce,
    /// A tagging tool writes a tag between the handler's read and its write of the tags.
    TaggedMeanwhile,
    /// It is replaced by a full PUT after it was sealed, which removes the seal.
    Undone,
    /// The handler is killed between its two writes.
    Killed,
    /// It is created with a virtual machine; the only event is that of the machine.
    OfMachine,
}

/// How a resource should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With the mode, the seal's tags and all other tags.
    Sealed,
    /// As it was created, reported as what the handler would seal: the end of [`End::Sealed`] in audit mode.
    WouldSeal,
    /// As it was created, with the seal.
    AsCreatedSealed,
    /// As it was created, without the seal.
    AsCreatedUnsealed,
    /// Deleted.
    Gone,
}

impl Scene {
    /// The resource's id.
    pub(crate) fn id(&self) -> String {
        let subscription = if self.plot == Plot::Throttled { BATCH } else { PRODUCTION };
        let id = if self.is_snapshot { snapshot_id } else { disk_id };
        id(subscription, self.group, self.name)
    }

    /// What happens besides the creation. A plot that waits for a write of the handler does not exist in audit mode.
    pub(crate) fn plot(&self, mode: Mode) -> Plot {
        match (mode, self.plot) {
            (
                Mode::Audit,
                Plot::Throttled
                | Plot::Conflict
                | Plot::Locked
                | Plot::TaggedMeanwhile
                | Plot::Undone
                | Plot::Killed,
            ) => Plot::Quiet,
            (_, plot) => plot,
        }
    }

    /// The scenario, as the table shows it.
    pub(crate) fn scenario(&self, mode: Mode) -> &'static str {
        if self.plot(mode) == self.plot { self.scenario } else { PLAIN.scenario }
    }

    /// How it should end.
    pub(crate) fn end(&self, mode: Mode) -> End {
        match (mode, self.end) {
            (Mode::Audit, End::Sealed) => End::WouldSeal,
            (_, end) => end,
        }
    }

    /// The virtual machine that makes it, if one does.
    pub(crate) fn machine(&self) -> Option<String> {
        (self.plot == Plot::OfMachine).then(|| virtual_machine_id(PRODUCTION, self.group, MACHINE))
    }

    /// The body of the create request, of the resource or of its machine.
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

    /// The tags that it must have in the end, besides the seal's.
    pub(crate) fn foreign_tags(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let tagged = (self.plot == Plot::TaggedMeanwhile).then_some(TAGGERS_TAG);
        self.tags.iter().copied().chain(tagged)
    }

    /// Whether the mode had to be written.
    pub(crate) fn needs_mode(&self) -> bool {
        !self.has_mode
    }

    /// Whether the demo shows the trace of this scene, which has the most spans of interest.
    pub(crate) fn shows_trace(&self) -> bool {
        self.plot == Plot::Throttled
    }
}

/// The tag that the tagging tool writes.
pub(crate) const TAGGERS_TAG: (&str, &str) = ("cost-center", "4711");

const PLAIN: Scene = Scene {
    name: "",
    is_snapshot: false,
    by: Jane,
    scenario: "plain disk",
    group: "rg-sql",
    has_mode: false,
    tags: &[],
    plot: Plot::Quiet,
    end: End::Sealed,
};

/// All scenes, in the order of the table.
pub(crate) const SCENES: [Scene; 16] = [
    Scene { name: "sql-data-01", ..PLAIN },
    Scene { name: "sql-data-01-snap", is_snapshot: true, by: Backup, scenario: "plain snapshot", ..PLAIN },
    Scene {
        name: "golden-image",
        by: Terraform,
        scenario: "created with the seal",
        has_mode: true,
        tags: &[
            ("diskseal-auth-mode", "AzureActiveDirectory"),
            ("diskseal-sealed-at", "2026-01-15T08:00:00Z"),
        ],
        end: End::AsCreatedSealed,
        ..PLAIN
    },
    Scene { name: "web-os-02", by: Terraform, scenario: "mode without tags", has_mode: true, ..PLAIN },
    Scene { name: "erp-app-os", by: Omar, scenario: "disk of a new VM", plot: Plot::OfMachine, ..PLAIN },
    Scene {
        name: "scratch-7",
        by: Omar,
        scenario: "in an exempt group",
        group: "rg-lab-eu",
        end: End::AsCreatedUnsealed,
        ..PLAIN
    },
    Scene {
        name: "forensics-copy",
        is_snapshot: true,
        by: Omar,
        scenario: "exempt by tag",
        tags: &[(EXEMPT_TAG, "until=2099-12-31; INC-1234 evidence")],
        end: End::AsCreatedUnsealed,
        ..PLAIN
    },
    Scene {
        name: "restore-test",
        scenario: "expired exemption",
        tags: &[(EXEMPT_TAG, "until=2024-06-30; restore test")],
        ..PLAIN
    },
    Scene {
        name: "import-vhd-04",
        by: Omar,
        scenario: "still provisioning",
        plot: Plot::Provisioning,
        ..PLAIN
    },
    Scene {
        name: "batch-out-17",
        by: Cluster,
        scenario: "throttled: 429",
        tags: &[("created-by", "aks-batch")],
        plot: Plot::Throttled,
        ..PLAIN
    },
    Scene { name: "pvc-2f9c", by: Cluster, scenario: "conflict: 409", plot: Plot::Conflict, ..PLAIN },
    Scene { name: "erp-legacy", scenario: "locked for a while", plot: Plot::Locked, ..PLAIN },
    Scene {
        name: "ci-tmp-381",
        by: Terraform,
        scenario: "deleted at once",
        plot: Plot::DeletedAtOnce,
        end: End::Gone,
        ..PLAIN
    },
    Scene {
        name: "crm-data",
        by: Tagger,
        scenario: "concurrent tag write",
        plot: Plot::TaggedMeanwhile,
        ..PLAIN
    },
    Scene {
        name: "etl-cache",
        by: Terraform,
        scenario: "replaced by a PUT",
        tags: &[("owner", "data-team")],
        plot: Plot::Undone,
        ..PLAIN
    },
    Scene { name: "mail-archive", scenario: "handler killed", plot: Plot::Killed, ..PLAIN },
];
