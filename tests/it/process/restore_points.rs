//! `diskseal report --restore-points`, with the real binary: who may get SAS URLs that no seal covers.

use diskseal_emulator::{
    Emulator, Options,
    fault::{Kind, Refusal},
    serve::Serving,
};
use serde_json::{Value, json};

use super::{commands::command, proof::assert_conforms};
use crate::world::SUBSCRIPTION;

const OTHER: &str = "22222222-2222-4333-8444-555555555555";

fn authorization(subscription: &str) -> String {
    format!("/subscriptions/{subscription}/providers/Microsoft.Authorization")
}

/// A role with these actions and not-actions, in every subscription ("Role Definitions - Get By ID").
fn role(azure: &Emulator, name: &str, actions: &[&str], not_actions: &[&str]) {
    for subscription in [SUBSCRIPTION, OTHER] {
        let permissions =
            json!([{"actions": actions, "notActions": not_actions, "dataActions": [], "notDataActions": []}]);
        azure.put_fact(
            &format!("{}/roleDefinitions/{name}", authorization(subscription)),
            json!({"properties": {"roleName": format!("The {name}"), "permissions": permissions}}),
        );
    }
}

/// The assignments that the list of a subscription has: at it, above it and below it.
fn assign(azure: &Emulator, subscription: &str, assignments: &[(&str, &str, &str, &str)]) {
    let provider = authorization(subscription);
    let value: Vec<Value> = assignments
        .iter()
        .map(|(scope, role, principal_type, principal)| {
            json!({"properties": {
                "scope": scope, "roleDefinitionId": format!("{provider}/roleDefinitions/{role}"),
                "principalType": principal_type, "principalId": principal,
            }})
        })
        .collect();
    azure.put_fact(&format!("{provider}/roleAssignments"), json!({"value": value}));
}

async fn estate() -> (Emulator, Serving) {
    let subscriptions = vec![SUBSCRIPTION.to_owned(), OTHER.to_owned()];
    let azure = Emulator::new(Options { subscriptions, ..Options::immediate() });
    let serving = azure.serve().await.unwrap();
    for subscription in [SUBSCRIPTION, OTHER] {
        let collection = format!(
            "/subscriptions/{subscription}/resourceGroups/RG-vm/providers/Microsoft.Compute/restorePointCollections/vm"
        );
        azure.add_restore_points(&collection, &["monday"]);
    }
    role(&azure, "owner", &["*"], &[]);
    role(&azure, "compute", &["Microsoft.Compute/*"], &["Microsoft.Compute/*/retrieveSasUris/action"]);
    role(
        &azure,
        "export",
        &["microsoft.compute/restorepointcollections/restorepoints/retrievesasuris/action"],
        &[],
    );
    role(&azure, "reader", &["*/read"], &[]);
    let sub = format!("/subscriptions/{SUBSCRIPTION}");
    let group = format!("{sub}/resourceGroups/rg-VM");
    let point =
        format!("{group}/providers/Microsoft.Compute/restorePointCollections/vm/restorePoints/monday");
    assign(
        &azure,
        SUBSCRIPTION,
        &[
            (
                "/providers/Microsoft.Management/managementGroups/root",
                "owner",
                "User",
                "a0000000-0000-4000-8000-000000000001",
            ),
            (&sub, "owner", "User", "a0000000-0000-4000-8000-000000000002"),
            // Twice the same person.
            (&group, "owner", "User", "A0000000-0000-4000-8000-000000000002"),
            (&group, "owner", "Group", "b0000000-0000-4000-8000-000000000001"),
            (&point, "export", "ServicePrincipal", "c0000000-0000-4000-8000-000000000001"),
            (&sub, "compute", "ServicePrincipal", "d0000000-0000-4000-8000-000000000001"),
            (&sub, "reader", "ServicePrincipal", "d0000000-0000-4000-8000-000000000002"),
            (
                &format!("{sub}/resourceGroups/rg-vm2"),
                "owner",
                "Group",
                "d0000000-0000-4000-8000-000000000003",
            ),
            (
                &format!("{group}/providers/Microsoft.Compute/disks/d"),
                "owner",
                "Group",
                "d0000000-0000-4000-8000-000000000004",
            ),
        ],
    );
    let other = format!("/subscriptions/{OTHER}");
    assign(&azure, OTHER, &[(&other, "export", "ServicePrincipal", "c0000000-0000-4000-8000-000000000002")]);
    (azure, serving)
}

async fn report(serving: &Serving) -> (Option<i32>, Value) {
    let (code, out, err) = command(serving, &["report", "--restore-points", "-o", "json"], "").await;
    let json = serde_json::from_str(&out).unwrap_or_else(|fault| panic!("{fault}: {out}{err}"));
    assert_conforms(&json);
    (code, json)
}

#[tokio::test]
async fn whoever_may_get_sas_urls_of_restore_points_is_listed_by_role_and_no_person_is_named() {
    let (azure, serving) = estate().await;
    let (code, json) = report(&serving).await;
    assert_eq!((code, &json["gaps"]), (Some(0), &json!([])));
    assert_eq!(
        json["restorePoints"]["callers"],
        json!([
            {"role": "The export", "principalType": "ServicePrincipal", "principals": 2, "ids": ["c0000000-0000-4000-8000-000000000001", "c0000000-0000-4000-8000-000000000002"]},
            {"role": "The owner", "principalType": "Group", "principals": 1, "ids": ["b0000000-0000-4000-8000-000000000001"]},
            {"role": "The owner", "principalType": "User", "principals": 2, "ids": []},
        ])
    );
    let definitions = azure
        .journal()
        .iter()
        .filter(|exchange| exchange.path.to_ascii_lowercase().contains("/roledefinitions/"))
        .count();
    assert_eq!(definitions, 4, "each role is read once, whatever subscription it is assigned in");
    for (output, expected) in [("table", "  The owner, User: 2\n"), ("html", "<li>The owner, User: 2</li>")] {
        let (_, out, _) = command(&serving, &["report", "--restore-points", "-o", output], "").await;
        assert!(out.contains(expected) && out.contains("b0000000"), "{out}");
        assert!(!out.contains("a0000000"), "a person is named: {out}");
    }
    // Without the flag nothing of it is read.
    azure.clear_journal();
    command(&serving, &["report"], "").await;
    assert!(!azure.journal().iter().any(|exchange| exchange.path.contains("Microsoft.Authorization")));
}

#[tokio::test]
async fn assignments_that_cannot_be_read_are_a_gap_of_their_subscription() {
    let (azure, serving) = estate().await;
    let path = format!("{}/roleAssignments", authorization(OTHER));
    azure.refuse_fact(&path, Refusal::authorization_failed());
    let (code, json) = report(&serving).await;
    assert_eq!((code, json["gaps"].as_array().unwrap().len()), (Some(1), 1));
    let gap = &json["gaps"][0];
    assert_eq!(gap["what"], format!("who may get SAS URLs of restore points in subscription {OTHER}"));
    assert_eq!(json["restorePoints"]["callers"][0]["principals"], 1, "the other subscription is listed");

    // A list in an odd form is no list of nobody.
    azure.put_fact(&path, json!({"value": [{"properties": {"scope": 7}}]}));
    let (code, json) = report(&serving).await;
    assert_eq!((code, json["gaps"].as_array().unwrap().len()), (Some(1), 1), "{json:#}");
    assert!(azure.journal().iter().any(|exchange| exchange.kind == Kind::Query));
}
