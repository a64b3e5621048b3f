//! Published controls, and which of two checks each is about.
//!
//! Sources: CIS Microsoft Azure Foundations Benchmark 3.0.0, CIS Microsoft Azure Compute Services Benchmark 2.0.0, and
//! the built-in policies and initiatives in github.com/Azure/azure-policy (2026-04-29).

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What every form of the report says about the mapping.
pub(super) const NOTE: &str = "Azure Policy 8405fdab-1faf-48aa-b702-999c9c172094 (public network access) is in 25 built-in initiatives. \
     c3921d55-b741-4d16-8d56-7f16e99e6892 (the auth mode) is in none, so a seal alone moves no compliance dashboard. The controls are \
     about disks; no published control judges snapshots.";

words! {
    /// What is checked of each resource.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Check, label of labels {
        /// `dataAccessAuthMode` is `AzureActiveDirectory`.
        DataAccessAuthMode => "data_access_auth_mode",
        /// `networkAccessPolicy` is `DenyAll` or `AllowPrivate`, or `publicNetworkAccess` is `Disabled`. This is the
        /// condition of the built-in policy 8405fdab-1faf-48aa-b702-999c9c172094, version 2.1.0.
        NetworkAccess => "network_access",
    }
}

impl Check {
    /// All checks.
    pub const ALL: [Self; 2] = [Self::DataAccessAuthMode, Self::NetworkAccess];

    /// The check for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::DataAccessAuthMode => "Data access needs Microsoft Entra ID",
            Self::NetworkAccess => "Data is not accessible from all networks",
        }
    }

    /// What to do where it fails.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::DataAccessAuthMode => "Seal it: set dataAccessAuthMode to AzureActiveDirectory.",
            Self::NetworkAccess => {
                "Set publicNetworkAccess to Disabled, or networkAccessPolicy to DenyAll or AllowPrivate."
            }
        }
    }

    /// The controls about it.
    pub fn controls(self) -> impl Iterator<Item = &'static Control> {
        CONTROLS.iter().filter(move |control| control.check == self)
    }
}

words! {
    /// What a check finds.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Verdict, label of labels {
        /// As the controls demand.
        Pass => "pass",
        /// Otherwise.
        Fail => "fail",
        /// Otherwise, for a recorded reason. Programs that do not know of the exemption call it a failure.
        Exempt => "exempt",
        /// The resource cannot be read.
        Unknown => "unknown",
    }
}

impl Verdict {
    /// All verdicts.
    pub const ALL: [Self; 4] = [Self::Pass, Self::Fail, Self::Exempt, Self::Unknown];
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.label().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Verdict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = String::deserialize(from)?;
        let found = Self::ALL.into_iter().find(|one| one.label() == word);
        found.ok_or_else(|| de::Error::custom("not a verdict"))
    }
}

words! {
    /// Who says that a control is about a check.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Basis, label of labels {
        /// The benchmark names the property.
        Benchmark => "benchmark",
        /// A built-in initiative of Azure Policy contains the policy about it.
        Initiative => "initiative",
        /// Annex A of ISO/IEC 27001:2022 has the controls of ISO/IEC 27002:2022 under the same numbers. Microsoft's
        /// initiative for 27001 does not contain the policy.
        SameNumber => "same_number",
    }
}

/// One published control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// The benchmark or standard.
    pub framework: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The control's number in it.
    pub number: &'static str,
    /// What it is about.
    pub check: Check,
    /// Who says so.
    pub basis: Basis,
}

impl Control {
    /// `CIS Microsoft Azure Foundations Benchmark 3.0.0 8.6`
    pub fn name(&self) -> String {
        format!("{} {} {}", self.framework, self.version, self.number)
    }
}

const fn of(
    (framework, version): (&'static str, &'static str),
    number: &'static str,
    check: Check,
    basis: Basis,
) -> Control {
    Control { framework, version, number, check, basis }
}

const FOUNDATIONS: (&str, &str) = ("CIS Microsoft Azure Foundations Benchmark", "3.0.0");
const COMPUTE: (&str, &str) = ("CIS Microsoft Azure Compute Services Benchmark", "2.0.0");
const NIST: (&str, &str) = ("NIST SP 800-53", "R5.1.1");
const ISO_27001: (&str, &str) = ("ISO/IEC 27001", "2022");
const ISO_27002: (&str, &str) = ("ISO/IEC 27002", "2022");
const MCSB: (&str, &str) = ("Microsoft cloud security benchmark", "v2");

/// All controls. CIS Foundations has moved its controls of disks to the Compute Services Benchmark with 4.0.0.
pub(super) const CONTROLS: [Control; 14] = [
    of(FOUNDATIONS, "8.6", Check::DataAccessAuthMode, Basis::Benchmark),
    of(COMPUTE, "20.5", Check::DataAccessAuthMode, Basis::Benchmark),
    of(FOUNDATIONS, "8.5", Check::NetworkAccess, Basis::Initiative),
    of(COMPUTE, "20.4", Check::NetworkAccess, Basis::Benchmark),
    of(NIST, "AC-3", Check::NetworkAccess, Basis::Initiative),
    of(NIST, "AC-4", Check::NetworkAccess, Basis::Initiative),
    of(NIST, "AC-6", Check::NetworkAccess, Basis::Initiative),
    of(NIST, "SC-7", Check::NetworkAccess, Basis::Initiative),
    of(NIST, "SC-7(3)", Check::NetworkAccess, Basis::Initiative),
    of(ISO_27002, "5.14", Check::NetworkAccess, Basis::Initiative),
    of(ISO_27002, "8.2", Check::NetworkAccess, Basis::Initiative),
    of(ISO_27001, "A.5.14", Check::NetworkAccess, Basis::SameNumber),
    of(ISO_27001, "A.8.2", Check::NetworkAccess, Basis::SameNumber),
    of(MCSB, "NS-2", Check::NetworkAccess, Basis::Initiative),
];

/// How many resources of one kind have each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Verdicts {
    /// [`Verdict::Pass`]
    pub pass: usize,
    /// [`Verdict::Fail`]
    pub fail: usize,
    /// [`Verdict::Exempt`]
    pub exempt: usize,
    /// [`Verdict::Unknown`]
    pub unknown: usize,
}

impl Verdicts {
    pub(super) fn add(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Pass => &mut self.pass,
            Verdict::Fail => &mut self.fail,
            Verdict::Exempt => &mut self.exempt,
            Verdict::Unknown => &mut self.unknown,
        } += 1;
    }

    /// The counts, in the order of [`Verdict::ALL`].
    pub(super) const fn counts(self) -> [usize; 4] {
        [self.pass, self.fail, self.exempt, self.unknown]
    }
}

/// The verdicts of one check, by kind of resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct ByKind {
    /// Of disks, which the controls are about.
    pub disk: Verdicts,
    /// Of snapshots, which no published control judges.
    pub snapshot: Verdicts,
}
