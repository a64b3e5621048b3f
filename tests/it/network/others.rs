//! What other programs say of our results. Their conditions are written here in our own words.
//!
//! | whose | condition | source |
//! | --- | --- | --- |
//! | Azure Policy 8405fdab-1faf-48aa-b702-999c9c172094, "Managed disks should disable public network access", 2.1.0 | flags a disk whose policy is neither `DenyAll` nor `AllowPrivate`, and whose public access is not `Disabled` | Azure/azure-policy, `built-in-policies/policyDefinitions/Compute/Disks_ExportLimitNetworkAccess_Audit.json` |
//! | Azure Policy c3921d55-b741-4d16-8d56-7f16e99e6892, the auth mode, 1.0.0 | flags a disk without the mode | Azure/azure-policy, `…/Compute/Disks_DataAccessAuthMode_Modify.json` |
//! | Powerpipe, controls of CIS 3.0.0 8.5 and 8.6 | passes a disk with `DenyAll` or `AllowPrivate` that also has public access `Disabled`; passes the mode | turbot/steampipe-mod-azure-compliance at 464a8ef, `regulatory_compliance/compute.pp` |
//! | Monkey365, the same | flags a disk with public access `Enabled` that also has `AllowAll`; flags another mode, and an absent one counts as `None` | silverhack/monkey365 at b7b0497, `rules/findings/Azure/Virtual Machines/CIS3.0`, `New-MonkeyDiskObject.ps1` |
//!
//! Azure Policy compares without case; an alias of an absent property is null.

use diskseal::{
    azure::Terms,
    policy,
    report::{Check, Entry},
};
use serde_json::Value;

use super::*;

/// A disk as ARM returns it.
struct Disk(Value);

impl Disk {
    fn is(&self, name: &str, values: &[&str]) -> bool {
        let value = self.0["properties"][name].as_str().unwrap_or_default();
        values.iter().any(|known| known.eq_ignore_ascii_case(value))
    }

    fn is_disk(&self) -> bool {
        self.0["type"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("Microsoft.Compute/disks"))
    }

    /// Whether each program is content: both policies, then Powerpipe's 8.5 and 8.6, then Monkey365's.
    fn verdicts(&self) -> [bool; 6] {
        let is_closed = self.is("networkAccessPolicy", &["DenyAll", "AllowPrivate"]);
        let is_not_public = self.is("publicNetworkAccess", &["Disabled"]);
        let has_mode = self.is("dataAccessAuthMode", &["AzureActiveDirectory"]);
        let is_open =
            self.is("publicNetworkAccess", &["Enabled"]) && self.is("networkAccessPolicy", &["AllowAll"]);
        [
            !self.is_disk() || is_closed || is_not_public,
            !self.is_disk() || has_mode,
            is_closed && is_not_public,
            has_mode,
            !is_open,
            has_mode,
        ]
    }
}

/// The verdicts of the report's own checks: the mode, and the network.
async fn ours(world: &World, id: &str) -> [&'static str; 2] {
    let terms = Terms::behind_events(std::time::Duration::from_mins(1));
    let resource = world.ctx.arm.get(&id.parse().unwrap(), terms).await.unwrap();
    let entry = Entry::new(&world.ctx.policy, &resource, &policy::Protection::Unprotected, now());
    [Check::DataAccessAuthMode, Check::NetworkAccess].map(|check| entry.verdict(check).label())
}

#[tokio::test(start_paused = true)]
async fn what_other_programs_say_of_each_choice() {
    for (choice, policies, powerpipe, monkey) in [
        ("off", [false, true], [false, true], [false, true]),
        ("deny-public", [true, true], [false, true], [true, true]),
        ("deny-all", [true, true], [true, true], [true, true]),
    ] {
        let world = world(&[("DISKSEAL_NETWORK", choice)]);
        let id = world.disk("d");
        let before = Disk(world.azure.get(&id).unwrap()).verdicts();
        assert_eq!(before, [false; 6], "an open disk");
        world.enforce(&id).await.unwrap();
        let after = Disk(world.azure.get(&id).unwrap()).verdicts();
        assert_eq!(after.to_vec(), [policies, powerpipe, monkey].concat(), "{choice}");
        // Our check of the network is the condition of the policy.
        let expected = [after[1], after[0]].map(|passes| if passes { "pass" } else { "fail" });
        assert_eq!(ours(&world, &id).await, expected, "{choice}");
    }
}

#[tokio::test(start_paused = true)]
async fn private_endpoints_and_protected_disks_satisfy_the_policy_of_the_network() {
    let private = world(&[DENY_ALL]);
    let id = private.private_disk("private");
    private.enforce(&id).await.unwrap();
    assert_eq!(Disk(private.azure.get(&id).unwrap()).verdicts(), [true, true, false, true, true, true]);
    let guarded = world(&[GUARD]);
    let id = guarded.disk("protected");
    guarded.azure.protect(&id, VAULT, Protection::DiskBackup);
    guarded.enforce(&id).await.unwrap();
    assert_eq!(Disk(guarded.azure.get(&id).unwrap()).verdicts(), [true, false, false, false, true, false]);
    assert_eq!(ours(&guarded, &id).await, ["fail", "pass"]);
}
