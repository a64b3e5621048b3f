//! The ARM resource ID of a machine that runs on managed disks: a virtual machine, a scale set, or an
//! instance of a scale set.
//!
//! It is a separate type, so the compiler refuses a machine where a disk is read or written.

use std::{fmt, str::FromStr};

use super::{ParseIdError, case::is_same, check_names, in_compute};

/// The ID of one machine, in one of three forms below
/// `/subscriptions/{id}/resourceGroups/{group}/providers/Microsoft.Compute`; see [`Machine`].
///
/// Equality ignores case, as that of a [`ResourceId`](super::ResourceId) does.
#[derive(Clone)]
pub struct MachineId {
    subscription_id: Box<str>,
    resource_group: Box<str>,
    machine: Machine,
}

/// The kind of machine, and its names as spelled in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Machine {
    /// `virtualMachines/{name}`
    VirtualMachine(Box<str>),
    /// `virtualMachineScaleSets/{name}`
    ScaleSet(Box<str>),
    /// `virtualMachineScaleSets/{scale set}/virtualMachines/{instance}`
    Instance {
        /// The scale set's name.
        scale_set: Box<str>,
        /// The instance's ID: a number, or the name of its virtual machine.
        instance: Box<str>,
    },
}

impl MachineId {
    /// The subscription's GUID, as spelled in the source.
    pub fn subscription_id(&self) -> &str {
        &self.subscription_id
    }

    /// The resource group's name, as spelled in the source.
    pub fn resource_group(&self) -> &str {
        &self.resource_group
    }

    /// The kind and names.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }
}

impl FromStr for MachineId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (subscription_id, resource_group, path) = in_compute(text).ok_or(Self::Err::NotAMachine)?;
        let is = |segment: &str, keyword: &str| segment.eq_ignore_ascii_case(keyword);
        let machine = match path[..] {
            [kind, name] if is(kind, "virtualMachines") => Machine::VirtualMachine(name.into()),
            [kind, name] if is(kind, "virtualMachineScaleSets") => Machine::ScaleSet(name.into()),
            [kind, scale_set, child, instance]
                if is(kind, "virtualMachineScaleSets") && is(child, "virtualMachines") =>
            {
                Machine::Instance { scale_set: scale_set.into(), instance: instance.into() }
            }
            _ => return Err(Self::Err::NotAMachine),
        };
        check_names(subscription_id, resource_group, &path)?;
        Ok(Self { subscription_id: subscription_id.into(), resource_group: resource_group.into(), machine })
    }
}

impl PartialEq for MachineId {
    fn eq(&self, other: &Self) -> bool {
        is_same(&self.to_string(), &other.to_string())
    }
}

impl Eq for MachineId {}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VirtualMachine(name) => write!(f, "virtualMachines/{name}"),
            Self::ScaleSet(name) => write!(f, "virtualMachineScaleSets/{name}"),
            Self::Instance { scale_set, instance } => {
                write!(f, "virtualMachineScaleSets/{scale_set}/virtualMachines/{instance}")
            }
        }
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscription_id, resource_group, machine } = self;
        write!(
            f,
            "/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/Microsoft.Compute/{machine}"
        )
    }
}

impl fmt::Debug for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-app/providers/Microsoft.Compute";

    fn parse(path: &str) -> Result<MachineId, ParseIdError> {
        format!("{GROUP}/{path}").parse()
    }

    #[test]
    fn parsing_ignores_case_and_display_uses_arms_spelling() {
        for path in [
            "virtualMachines/VM-1",
            "virtualMachineScaleSets/Web",
            "virtualMachineScaleSets/web/virtualMachines/17",
            "virtualMachineScaleSets/web/virtualMachines/web_0a1b",
        ] {
            let loud = path.replace("virtualMachines", "VIRTUALMACHINES").replace("ScaleSets", "scalesets");
            for text in [path, &loud] {
                assert_eq!(parse(text).unwrap().to_string(), format!("{GROUP}/{path}"));
            }
        }
    }

    #[test]
    fn other_texts_are_refused() {
        use ParseIdError::{Name, NotAMachine, ResourceGroup, SubscriptionId};
        for (path, error) in [
            ("disks/d", NotAMachine),
            ("virtualMachines", NotAMachine),
            ("virtualMachines/vm/extensions/agent", NotAMachine),
            ("virtualMachines/vm/virtualMachines/vm", NotAMachine),
            ("virtualMachineScaleSets/web/extensions/agent", NotAMachine),
            ("virtualMachineScaleSets/web/virtualMachines/1/x", NotAMachine),
            ("virtualMachines/", Name),
            ("virtualMachines/..", Name),
            ("virtualMachines/vm?x=1", Name),
            ("virtualMachines/v\tm", Name),
            ("virtualMachines/vm%2f..", Name),
            ("virtualMachineScaleSets/../virtualMachines/1", Name),
            ("virtualMachineScaleSets/web/virtualMachines/", Name),
        ] {
            assert_eq!(parse(path), Err(error), "{path}");
        }
        let elsewhere = GROUP.replace("Microsoft.Compute", "Microsoft.Classic");
        for (text, error) in [
            (format!("{elsewhere}/virtualMachines/vm"), NotAMachine),
            (format!("{GROUP}/virtualMachines/vm").replace("1111-2222", "1111-222g"), SubscriptionId),
            (format!("{GROUP}/virtualMachines/vm").replace("rg-app", "rg#app"), ResourceGroup),
        ] {
            assert_eq!(text.parse::<MachineId>(), Err(error), "{text}");
        }
    }
}
