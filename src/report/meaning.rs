//! What the reasons for a state mean, in a sentence for people.

/// The meaning of a reason; empty for a word that is not one.
pub(super) fn of(reason: &str) -> &'static str {
    match reason {
        "sealed" => "it has the auth mode, the network settings and the tags of the seal",
        "auth_mode" => "its auth mode is not AzureActiveDirectory",
        "network_access" => "it lacks network settings of the seal",
        "tags" => "it lacks tags of the seal alone",
        "vault" => "a vault protects it, and does not support sealed disks",
        "network_only" => "a vault protects it; its network settings alone restrict exports",
        "guard_unknown" => "it is not known whether a vault protects it",
        "provisioning" => "it is being created or changed",
        "ready_to_upload" => "it is ready for an upload, which the seal would break",
        "active_upload" => "an upload into it is in progress, which the seal would break",
        "import" => "data is being imported into it",
        "empty_snapshot" => "it is an empty snapshot, and the seal would prevent an upload into it",
        "malformed" => "Azure returns it in a form that cannot be read",
        "network_unknown" => "Azure returns network settings with values that are not known",
        "out_of_scope" => "its subscription is not in scope",
        "subscription" => "DISKSEAL_EXEMPT_SUBSCRIPTIONS exempts its subscription",
        "resource_group" => "DISKSEAL_EXEMPT_RESOURCE_GROUPS exempts its resource group",
        "name" => "DISKSEAL_EXEMPT_NAMES exempts its name",
        "listed" => "DISKSEAL_EXEMPTIONS exempts it until a day",
        "tag" => "its exemption tag exempts it until a day",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::{Exemption, Guarded, decide::PendingReason};

    #[test]
    fn every_reason_has_a_meaning() {
        let exemptions = Exemption::reasons();
        for reason in Guarded::reasons().into_iter().chain(PendingReason::reasons()).chain(exemptions) {
            assert_ne!(super::of(reason), "", "{reason}");
        }
        for reason in ["sealed", "auth_mode", "network_access", "tags"] {
            assert_ne!(super::of(reason), "", "{reason}");
        }
        assert_eq!(super::of("x"), "");
    }
}
