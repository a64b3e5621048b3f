//! What doctor says of the handler's own identity, when a person runs it.

use diskseal::doctor::{Deployment, Finding, Verdict, examine};
use diskseal_emulator::{Emulator, Options, fault::Refusal, role::Role};
use serde_json::{Value, json};

use crate::world::{SUBSCRIPTION, World, identity};

const OTHER: &str = "22222222-2222-4333-8444-555555555555";
const APP: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-app/providers/Microsoft.Web/sites/func-seal";
/// Out of scope.
const ELSEWHERE: &str = "33333333-2222-4333-8444-555555555555";
const SWITCH: (&str, &str) = ("DISKSEAL_SWITCH", "/subscriptions/33333333-2222-4333-8444-555555555555");

fn azure() -> Emulator {
    let subscriptions = [SUBSCRIPTION, OTHER, ELSEWHERE].map(str::to_owned).to_vec();
    let azure = Emulator::new(Options { subscriptions, ..Options::immediate() });
    azure.install(APP, &[("DISKSEAL_MODE", "enforce")]);
    azure
}

fn client_id(azure: &Emulator) -> String {
    azure.options().identity.client_id.clone()
}

async fn doctor(azure: &Emulator, settings: &[(&str, &str)], client_id: String) -> Vec<Finding> {
    let scope = ("DISKSEAL_SUBSCRIPTIONS", &*[SUBSCRIPTION, OTHER].join(","));
    let world = World::at(azure.clone(), &[&[scope], settings].concat());
    let deployment = Deployment {
        function_app: Some(APP.to_owned()),
        client_id: Some(client_id),
        queue: None,
        ingestion: vec![],
        monitor: identity(azure),
        http: azure.http_client(),
        is_person: true,
    };
    let mut findings = vec![];
    examine(&world.ctx, &deployment, &mut |finding| findings.push(finding)).await;
    findings
}

fn of<'a>(findings: &'a [Finding], check: &str) -> Vec<(Verdict, &'a str, &'a str)> {
    let of_check = findings.iter().filter(|finding| finding.check == check);
    of_check.map(|finding| (finding.verdict, &*finding.about, &*finding.text)).collect()
}

fn assignments(scope: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments")
}

/// One assignment of the deployed role in this subscription, at another scope.
fn assigned_at(subscription: &str, scope: &str) -> Value {
    let role = format!(
        "/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/d15c5ea1-0000-4000-8000-000000000001"
    );
    json!({"value": [{"properties": {"scope": scope, "roleDefinitionId": role}}]})
}

#[tokio::test(start_paused = true)]
async fn the_handlers_roles_are_judged_and_not_those_of_whoever_looks() {
    let azure = azure();
    let findings = doctor(&azure, &[], client_id(&azure)).await;
    let [(Verdict::Ok, APP, text)] = of(&findings, "identity")[..] else { panic!("{findings:#?}") };
    assert!(text.contains(&azure.options().identity.object_id), "{text}");
    let verdicts: Vec<_> = of(&findings, "permissions").iter().map(|found| (found.0, found.1)).collect();
    assert_eq!(verdicts, [(Verdict::Ok, SUBSCRIPTION), (Verdict::Ok, OTHER)]);

    // Whoever looks may do all of it; the handler has no role in one subscription.
    let place = assignments(&format!("/subscriptions/{OTHER}"));
    azure.put_fact(&place, json!({"value": []}));
    let findings = doctor(&azure, &[], client_id(&azure)).await;
    let failed = of(&findings, "permissions").into_iter().filter(|found| found.0 == Verdict::Failed);
    let failed: Vec<_> =
        failed.map(|(_, about, text)| (about, text.split_once(" is missing").unwrap().0)).collect();
    assert!(failed.contains(&(OTHER, "Microsoft.Compute/disks/write")), "{failed:?}");
    assert!(failed.iter().all(|(about, _)| *about == OTHER), "{failed:?}");
    assert!(
        !azure.journal().iter().any(|exchange| exchange.path.ends_with("/permissions")),
        "the reader's own"
    );
}

#[tokio::test(start_paused = true)]
async fn an_assignment_counts_at_the_subscription_or_above_it() {
    for (scope, verdict) in [
        (format!("/subscriptions/{OTHER}"), Verdict::Ok),
        ("/providers/Microsoft.Management/managementGroups/all".to_owned(), Verdict::Ok),
        ("/".to_owned(), Verdict::Ok),
        (format!("/subscriptions/{OTHER}/resourceGroups/rg"), Verdict::Failed),
        (format!("/subscriptions/{SUBSCRIPTION}"), Verdict::Failed),
    ] {
        let azure = azure();
        azure.put_fact(&assignments(&format!("/subscriptions/{OTHER}")), assigned_at(OTHER, &scope));
        let findings = doctor(&azure, &[], client_id(&azure)).await;
        let worst =
            of(&findings, "permissions").iter().filter(|found| found.1 == OTHER).map(|found| found.0).max();
        assert_eq!(worst, Some(verdict), "{scope}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_is_said_once() {
    let azure = azure();
    for id in [SUBSCRIPTION, OTHER] {
        azure.refuse_fact(&assignments(&format!("/subscriptions/{id}")), Refusal::authorization_failed());
    }
    let findings = doctor(&azure, &[], client_id(&azure)).await;
    let permissions = of(&findings, "permissions");
    let [(Verdict::Warning, about, text)] = permissions[..] else { panic!("{permissions:?}") };
    assert_eq!(about, format!("{SUBSCRIPTION} and 1 more"));
    assert_eq!(text, "not checked: this identity lacks Microsoft.Authorization/roleAssignments/read");
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_the_app_does_not_have_is_named() {
    let azure = azure();
    let findings = doctor(&azure, &[], "99990000-0000-4000-8000-000000000000".to_owned()).await;
    let [(Verdict::Failed, APP, text)] = of(&findings, "identity")[..] else { panic!("{findings:#?}") };
    assert!(text.contains("99990000-0000-4000-8000-000000000000"), "{text}");

    azure.refuse_fact(APP, Refusal::authorization_failed());
    let findings = doctor(&azure, &[], client_id(&azure)).await;
    let [(Verdict::Warning, APP, text)] = of(&findings, "identity")[..] else { panic!("{findings:#?}") };
    assert_eq!(text, "not checked: this identity lacks Microsoft.Web/sites/read");
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_the_handler_may_not_read_stops_nothing() {
    let azure = azure();
    let place = assignments(SWITCH.1);
    azure.put_fact(&place, json!({"value": []}));
    let findings = doctor(&azure, &[SWITCH], client_id(&azure)).await;
    let switch = of(&findings, "switch");
    assert!(
        switch.iter().any(|(verdict, about, text)| *verdict == Verdict::Failed
            && *about == SWITCH.1
            && text.contains("lacks Microsoft.Resources/tags/read")),
        "{switch:?}"
    );
    azure.put_fact(&place, assigned_at(SUBSCRIPTION, SWITCH.1));
    let allowed: Vec<&str> = Role::deployed().installed().collect();
    azure.set_permissions(SUBSCRIPTION, &allowed, &[]);
    let findings = doctor(&azure, &[SWITCH], client_id(&azure)).await;
    let switch: Vec<_> = of(&findings, "switch").iter().map(|found| found.0).collect();
    assert_eq!(switch, [Verdict::Ok]);
}
