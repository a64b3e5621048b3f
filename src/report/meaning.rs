//! What the reasons for a state mean, in a sentence for people.

/// The meaning of a reason for a state, or of a message of the queue; empty for a word that is not one.
pub fn meaning(reason: &str) -> &'static str {
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
        "attached" => "a machine holds it, and Azure refuses the change until it is detached",
        "unproven" => "Azure accepted the change, and the resource does not show it yet",
        "unfinished" => "Azure accepted the change, and did not finish it in time",
        "not_visible" => "Azure does not show it, although it was written or read a moment before",
        "busy" => "another invocation was at work on it",
        "seal_removed" => "its seal was removed again and again; the next write waits",
        "deadline" => "it was not done in time",
        "gone" => "it does not exist any more",
        "overtaken" => "another write came in between",
        "conflict" => "Azure refuses the change in the state that it is in",
        "locked" => "a management lock forbids the change",
        "disallowed_by_policy" => "an Azure Policy forbids the change",
        "deny_assignment" => "a deny assignment forbids the change",
        "forbidden" => "the handler's identity lacks a role on it",
        "subscription_not_found" => "the identity's tenant does not know its subscription",
        "wrong_tenant" => "its subscription is in another tenant than the identity",
        "refused" => "Azure does not take the request as it is",
        "answer_too_large" => "the answer is longer, or nested more deeply, than any of Azure's",
        "operation_failed" => "Azure began the change, and it failed",
        "operation_canceled" => "Azure began the change, and somebody canceled it",
        "no_token" => "the identity got no token",
        "unauthorized" => "Azure refused the identity's token",
        "unreachable" => "Azure could not be reached",
        "scope_unreadable" => "Azure refuses to list the subscriptions in scope",
        "timeout" => "Azure did not answer in time",
        "throttled" => "the quota of requests of its subscription was spent",
        "server_error" => "Azure answered with an error of its own",
        "unreadable" => "the answer was none that Azure could have given",
        "machine" => "its machine has too many disks for one invocation",
        "sweep" => "a sweep has listed it",
        "_OTHER" => "another version of Diskseal wrote the message",
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
            assert_ne!(super::meaning(reason), "", "{reason}");
        }
        for reason in ["sealed", "auth_mode", "network_access", "tags"] {
            assert_ne!(super::meaning(reason), "", "{reason}");
        }
        assert_eq!(super::meaning("x"), "");
    }
}
