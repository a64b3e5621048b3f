//! The actions that requests need, and the faults found.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::*;

const DISK: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/disks/d";

fn exchange(method: &str, path: &str, body: Value) -> Exchange {
    Exchange {
        kind: Kind::Other,
        method: method.to_owned(),
        origin: "https://management.azure.com".to_owned(),
        path: path.to_owned(),
        query: "api-version=2024-03-02".to_owned(),
        client_request_id: None,
        user_agent: Some("diskseal/0".to_owned()),
        content_type: None,
        traceparent: None,
        object_id: None,
        request_body: body,
        status: Some(200),
        response_headers: Vec::new(),
        response_body: Value::Null,
        received: OffsetDateTime::UNIX_EPOCH,
        answered: OffsetDateTime::UNIX_EPOCH,
        fault: None,
    }
}

fn needed(method: &str, path: &str) -> Option<String> {
    actions_of(&exchange(method, path, Value::Null)).map(|actions| actions.join(" "))
}

#[test]
fn an_action_is_the_paths_type_and_the_methods_verb() {
    let in_group = "/subscriptions/s/resourceGroups/rg/providers";
    for (method, path, action) in [
        ("GET", DISK.to_owned(), "Microsoft.Compute/disks/read"),
        (
            "GET",
            "/subscriptions/s/providers/Microsoft.Compute/snapshots".to_owned(),
            "Microsoft.Compute/snapshots/read",
        ),
        ("PATCH", DISK.to_owned(), "Microsoft.Compute/disks/write"),
        ("DELETE", DISK.to_owned(), "Microsoft.Compute/disks/delete"),
        ("POST", format!("{DISK}/beginGetAccess"), "Microsoft.Compute/disks/beginGetAccess/action"),
        (
            "PATCH",
            format!("{DISK}/providers/Microsoft.Resources/tags/default"),
            "Microsoft.Resources/tags/write",
        ),
        (
            "GET",
            "/subscriptions/s/providers/Microsoft.Resources/tags/default".to_owned(),
            "Microsoft.Resources/tags/read",
        ),
        (
            "GET",
            format!("{in_group}/Microsoft.Compute/virtualMachineScaleSets/web/virtualMachines"),
            "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
        ),
        ("GET", "/subscriptions".to_owned(), "Microsoft.Resources/subscriptions/read"),
        (
            "GET",
            "/subscriptions/s/resourceGroups/rg".to_owned(),
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ),
        (
            "GET",
            "/providers/Microsoft.Management/managementGroups/mg/descendants".to_owned(),
            "Microsoft.Management/managementGroups/descendants/read",
        ),
        ("GET", "/subscriptions/s/providers/Microsoft.Compute/locations/w/DiskOperations/1".to_owned(), ""),
    ] {
        assert_eq!(needed(method, &path).as_deref(), Some(action), "{method} {path}");
    }
    assert_eq!(needed("MERGE", DISK), None);
    assert_eq!(needed("GET", "/"), None);
    assert_eq!(
        needed("POST", "/providers/Microsoft.ResourceGraph/resources"),
        None,
        "a query that says nothing"
    );
}

#[test]
fn a_query_needs_what_it_names() {
    let of = |query: &str| {
        let body = json!({"query": query});
        actions_of(&exchange("POST", "/providers/Microsoft.ResourceGraph/resources", body))
    };
    let may_ask = "Microsoft.ResourceGraph/resources/read";
    assert_eq!(
        of("resources | where type =~ 'microsoft.compute/disks' | where id =~ '/subscriptions/s'").unwrap(),
        [may_ask, "microsoft.compute/disks/read"]
    );
    let protected = of("recoveryservicesresources | where type =~ 'Microsoft.RecoveryServices/vaults/x'");
    assert_eq!(
        protected.unwrap(),
        [may_ask, "Microsoft.RecoveryServices/vaults/read", "Microsoft.RecoveryServices/vaults/x/read"]
    );
    let instances = of("recoveryservicesresources | where type =~ 'Microsoft.DataProtection/backupVaults/x'");
    assert_eq!(
        instances.unwrap(),
        [
            may_ask,
            "Microsoft.DataProtection/backupVaults/read",
            "Microsoft.DataProtection/backupVaults/x/read"
        ]
    );
    assert_eq!(of("securityresources | project id"), None);
}

#[test]
fn missing_actions_are_reported_and_foreign_requests_are_ignored() {
    let none: [String; 0] = [];
    let found = |exchange: &Exchange| Role::deployed().judge(exchange);
    assert_eq!(found(&exchange("PATCH", &DISK.to_uppercase(), Value::Null)), none);
    let foreign = exchange("POST", &format!("{DISK}/beginGetAccess"), Value::Null);
    let told = "role: infra/role-actions.json has no Microsoft.Compute/disks/beginGetAccess/action";
    assert_eq!(found(&foreign), [told]);
    assert_eq!(found(&exchange("MERGE", DISK, Value::Null)).len(), 1);
    assert_eq!(found(&Exchange { user_agent: Some("az/2".to_owned()), ..foreign }), none);
}

#[test]
fn actions_for_people_are_outside_the_role_and_reads_but_for_the_group_of_a_trial() {
    let of_a_trial =
        ["write", "delete"].map(|verb| format!("Microsoft.Resources/subscriptions/resourceGroups/{verb}"));
    for (action, _) in OF_PEOPLE {
        // App settings are read by a POST.
        let is_read = action.ends_with("/read") || action.ends_with("/config/list/action");
        assert!(is_read || of_a_trial.iter().any(|known| known == action), "{action}");
        assert!(!Role::deployed().all().any(|known| known.eq_ignore_ascii_case(action)), "{action}");
    }
}
