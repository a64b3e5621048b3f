//! `diskseal doctor`, with the real binary: it reports each fault, with the remedy.

use diskseal_emulator::{
    Emulator, Member, Options,
    collector::Answers,
    fault::{Fault, Kind, Refusal},
    serve::Serving,
};
use serde_json::{Value, json};

use super::commands::command;
use crate::world::SUBSCRIPTION;

/// The client ID of the emulator's identity.
const CLIENT: &str = "99990000-aaaa-4bbb-8ccc-ddddeeeeffff";
const ACTIONS: [&str; 12] = [
    "Microsoft.Compute/disks/read",
    "Microsoft.Compute/disks/write",
    "Microsoft.Compute/snapshots/read",
    "Microsoft.Compute/snapshots/write",
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
    "Microsoft.Resources/subscriptions/read",
    "Microsoft.Resources/tags/write",
    "Microsoft.ResourceGraph/resources/read",
    "Microsoft.RecoveryServices/*/read",
    "Microsoft.DataProtection/*/read",
    "Microsoft.ContainerService/managedClusters/read",
];

const OPERATIONS: [&str; 5] = [
    "Microsoft.Compute/disks/write",
    "Microsoft.Compute/snapshots/write",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Compute/virtualMachineScaleSets/write",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/write",
];

fn in_group(rest: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-seal/providers/{rest}")
}

fn topics() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.EventGrid/systemTopics")
}

fn topic() -> String {
    in_group("Microsoft.EventGrid/systemTopics/writes")
}

fn event_subscriptions() -> String {
    format!("{}/eventSubscriptions", topic())
}

fn own_event_subscriptions(subscription: &str) -> String {
    format!("/subscriptions/{subscription}/providers/Microsoft.EventGrid/eventSubscriptions")
}

/// The same event subscription, on the subscription itself.
fn own_event_subscription(subscription: &str) -> Value {
    let mut one = event_subscription();
    one["id"] = json!(format!("{}/seal", own_event_subscriptions(subscription)));
    one["type"] = json!("Microsoft.EventGrid/eventSubscriptions");
    one["properties"]["topic"] = json!(format!("/subscriptions/{subscription}"));
    one
}

fn app() -> String {
    in_group("Microsoft.Web/sites/func-seal")
}

fn account() -> String {
    in_group("Microsoft.Storage/storageAccounts/stseal")
}

fn container() -> String {
    format!("{}/blobServices/default/containers/deadletter", account())
}

fn event_subscription() -> Value {
    json!({
        "id": format!("{}/seal", event_subscriptions()),
        "name": "seal",
        "type": "Microsoft.EventGrid/systemTopics/eventSubscriptions",
        "properties": {
            "topic": topic(),
            "provisioningState": "Succeeded",
            "destination": {"endpointType": "AzureFunction", "properties": {
                "resourceId": format!("{}/functions/seal_on_write", app()),
                "maxEventsPerBatch": 1, "preferredBatchSizeInKilobytes": 64}},
            "filter": {
                "subjectBeginsWith": "", "subjectEndsWith": "",
                "includedEventTypes": ["Microsoft.Resources.ResourceWriteSuccess"],
                "enableAdvancedFilteringOnArrays": true,
                "advancedFilters": [
                    {"operatorType": "StringIn", "key": "data.operationName", "values": OPERATIONS},
                    {"operatorType": "StringNotIn", "key": "data.claims.appid", "values": [CLIENT]}]},
            "eventDeliverySchema": "EventGridSchema",
            "retryPolicy": {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440},
            "deadLetterDestination": {"endpointType": "StorageBlob",
                "properties": {"resourceId": account(), "blobContainerName": "deadletter"}}
        }
    })
}

fn functions(names: &[&str]) -> Value {
    let one = |name: &&str| {
        json!({"id": format!("{}/functions/{name}", app()), "name": format!("func-seal/{name}"),
            "type": "Microsoft.Web/sites/functions", "properties": {"name": name, "isDisabled": false}})
    };
    json!({"value": names.iter().map(one).collect::<Vec<_>>(), "nextLink": null})
}

/// A deployment without faults.
async fn deployment() -> (Emulator, Serving) {
    deployment_in(&[SUBSCRIPTION]).await
}

/// The same, in the first of these subscriptions.
async fn deployment_in(subscriptions: &[&str]) -> (Emulator, Serving) {
    let subscriptions = subscriptions.iter().map(|&id| id.to_owned()).collect();
    let mut options = Options { subscriptions, ..Options::immediate() };
    options.audiences.push("https://storage.azure.com".to_owned());
    let azure = Emulator::new(options);
    azure.set_permissions(SUBSCRIPTION, &ACTIONS, &[]);
    let topic = json!({"id": topic(), "name": "writes", "location": "global",
        "type": "Microsoft.EventGrid/systemTopics", "properties": {
            "provisioningState": "Succeeded", "source": format!("/subscriptions/{SUBSCRIPTION}"),
            "topicType": "Microsoft.Resources.Subscriptions"}});
    azure.put_fact(&topics(), json!({"value": [topic]}));
    azure.put_fact(&event_subscriptions(), json!({"value": [event_subscription()]}));
    azure.put_fact(&own_event_subscriptions(SUBSCRIPTION), json!({"value": []}));
    azure.put_fact(&format!("{}/functions", app()), functions(&["seal_on_write", "seal_queued", "sweep"]));
    azure.put_fact(&container(), json!({"id": container(), "properties": {"publicAccess": "None"}}));
    azure.put_fact("/diskseal-pending", json!({}));
    let serving = azure.serve().await.unwrap();
    (azure, serving)
}

/// The exit code, and every line that is not ok, with its remedy.
async fn doctor(serving: &Serving, more: &[&str]) -> (Option<i32>, String) {
    let arguments: Vec<&str> = ["doctor", "--client-id", CLIENT, "--storage-account", &serving.arm_https]
        .iter()
        .chain(more)
        .copied()
        .collect();
    let (code, out, err) = command(serving, &arguments, "").await;
    assert_eq!(err, "");
    let wrong: Vec<&str> = out.lines().filter(|line| !line.starts_with("ok ")).collect();
    (code, wrong.join("\n"))
}

#[tokio::test]
async fn a_correct_deployment_is_reported_by_line_without_colours_and_without_a_write() {
    let (azure, serving) = deployment().await;
    let arguments = ["doctor", "--client-id", CLIENT, "--storage-account", &serving.arm_https];
    let (code, out, err) = command(&serving, &arguments, "").await;
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let checks: Vec<&str> = out.lines().take_while(|line| !line.is_empty()).map(|line| &line[..21]).collect();
    assert_eq!(
        checks.iter().map(|check| check.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>(),
        [
            "ok settings",
            "ok token",
            "ok scope",
            "ok backups",
            "ok permissions",
            "ok Event Grid",
            "ok function app",
            "ok storage",
            "ok storage",
            "ok storage"
        ],
        "{out}"
    );
    assert!(out.contains("object ID 77776666-5555-4444-8333-222211110000, token valid for 14"), "{out}");
    assert!(out.ends_with("10 ok, 0 warnings, 0 failed\n") && !out.contains('\u{1b}'), "{out}");
    assert!(azure.journal().iter().all(|exchange| exchange.method == "GET" || exchange.kind == Kind::Query));

    let (code, out, _) = command(&serving, &["doctor", "-o", "json"], "").await;
    let findings: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0));
    let last = findings.last().unwrap();
    assert_eq!((last["verdict"].as_str(), last["check"].as_str()), (Some("warning"), Some("storage")));
    assert!(
        last["remedy"].as_str().unwrap().contains("--storage-account"),
        "not checked, and how to: {last}"
    );
}

#[tokio::test]
async fn every_gap_in_the_role_is_named() {
    let (azure, serving) = deployment().await;
    azure.set_permissions(
        SUBSCRIPTION,
        &["*/read", "Microsoft.Compute/disks/*"],
        &["Microsoft.Compute/disks/write"],
    );
    let (code, wrong) = doctor(&serving, &[]).await;
    assert_eq!(code, Some(1));
    for action in [
        "Microsoft.Compute/disks/write",
        "Microsoft.Compute/snapshots/write",
        "Microsoft.Resources/tags/write",
    ] {
        assert!(wrong.contains(&format!("Local 11111111: {action} is missing")), "{wrong}");
        assert!(wrong.contains(&format!("→ add {action} to the identity's role")), "{wrong}");
    }
    assert!(wrong.contains("more permissions than it needs: Microsoft.Compute/disks/*"), "{wrong}");
}

#[tokio::test]
async fn missing_parts_are_reported_with_a_remedy() {
    let (azure, serving) = deployment().await;
    azure.put_fact(&format!("{}/functions", app()), functions(&["seal_on_write", "sweep"]));
    azure.forget_fact("/diskseal-pending");
    azure.refuse_fact(
        &container(),
        Refusal::new(404, "ContainerNotFound", "The specified container does not exist."),
    );
    let (code, wrong) = doctor(&serving, &[]).await;
    assert_eq!(code, Some(1));
    for part in [
        "the host does not know the function seal_queued",
        "the dead-letter container does not exist",
        "az storage container create --auth-mode login --account-name stseal -n deadletter",
        "the queue does not exist",
    ] {
        assert!(wrong.contains(part), "{part}: {wrong}");
    }

    let other = in_group("Microsoft.Web/sites/func-other");
    let (code, wrong) = doctor(&serving, &["--app", &other]).await;
    assert_eq!(code, Some(1));
    assert!(
        wrong.contains(&format!("no event subscription delivers to {other}, but one to {}", app())),
        "{wrong}"
    );

    azure.put_fact(&event_subscriptions(), json!({"value": []}));
    let (_, wrong) = doctor(&serving, &[]).await;
    assert!(wrong.contains("no event subscription delivers to a function seal_on_write"), "{wrong}");
    azure.put_fact(&topics(), json!({"value": []}));
    let (_, wrong) = doctor(&serving, &[]).await;
    assert!(wrong.contains("no system topic for this subscription"), "{wrong}");
    assert!(wrong.contains("→ az eventgrid system-topic create"), "{wrong}");
    assert!(wrong.contains("function app  not checked"), "{wrong}");
}

#[tokio::test]
async fn events_and_rights_for_machines_are_asked_for_only_where_they_are_wanted() {
    let (azure, serving) = deployment().await;
    let without: Vec<&str> =
        ACTIONS.into_iter().filter(|action| !action.contains("virtualMachine")).collect();
    azure.set_permissions(SUBSCRIPTION, &without, &[]);
    let mut subscription = event_subscription();
    subscription["properties"]["filter"]["advancedFilters"][0]["values"] = json!(OPERATIONS[..2]);
    azure.put_fact(&event_subscriptions(), json!({"value": [subscription]}));
    let (code, wrong) = doctor(&serving, &[]).await;
    assert_eq!(code, Some(1));
    for part in [
        "Microsoft.Compute/virtualMachines/read is missing",
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read is missing",
        "excludes Microsoft.Compute/virtualMachines/write, Microsoft.Compute/virtualMachineScaleSets/write",
        "or set DISKSEAL_MACHINE_EVENTS=off",
    ] {
        assert!(wrong.contains(part), "{part}: {wrong}");
    }
    let (code, wrong) = doctor(&serving, &["--machine-events", "off"]).await;
    assert_eq!(code, Some(0), "{wrong}");
}

#[tokio::test]
async fn an_event_subscription_on_the_subscription_itself_is_one_as_well() {
    let (azure, serving) = deployment().await;
    let own = own_event_subscriptions(SUBSCRIPTION);
    azure.put_fact(&own, json!({"value": [own_event_subscription(SUBSCRIPTION)]}));
    let (code, wrong) = doctor(&serving, &[]).await;
    assert_eq!(code, Some(0), "{wrong}");
    assert!(wrong.contains("both deliver: each write is handled twice"), "{wrong}");

    azure.put_fact(&topics(), json!({"value": []}));
    let (code, wrong) = doctor(&serving, &[]).await;
    assert_eq!((code, wrong.trim()), (Some(0), "10 ok, 0 warnings, 0 failed"));
    let mut narrow = own_event_subscription(SUBSCRIPTION);
    narrow["properties"]["filter"]["includedEventTypes"] =
        json!(["Microsoft.Resources.ResourceDeleteSuccess"]);
    azure.put_fact(&own, json!({"value": [narrow]}));
    let (code, wrong) = doctor(&serving, &[]).await;
    assert_eq!(code, Some(1), "it is examined as the others are");
    assert!(wrong.contains("does not deliver Microsoft.Resources.ResourceWriteSuccess"), "{wrong}");

    // What doctor may not read is not missing, and does not matter if events arrive the other way.
    let refused = || Refusal::new(403, "AuthorizationFailed", "The client does not have authorization.");
    azure.refuse_fact(&own, refused());
    let (code, wrong) = doctor(&serving, &["--app", &app()]).await;
    assert_eq!(code, Some(0), "{wrong}");
    assert!(wrong.contains("this identity lacks Microsoft.EventGrid/eventSubscriptions/read"), "{wrong}");
    assert!(!wrong.contains("no system topic"), "{wrong}");
    azure.put_fact(&own, json!({"value": [own_event_subscription(SUBSCRIPTION)]}));
    azure.refuse_fact(&topics(), refused());
    let (code, wrong) = doctor(&serving, &[]).await;
    assert_eq!((code, wrong.trim()), (Some(0), "10 ok, 0 warnings, 0 failed"));
}

#[tokio::test]
async fn of_a_management_group_each_subscription_without_events_is_named() {
    const OTHER: &str = "99999999-2222-4333-8444-555555555555";
    let (azure, serving) = deployment_in(&[SUBSCRIPTION, OTHER]).await;
    let subscription = |id: &str| Member::Subscription(id.to_owned());
    azure.set_management_group("mg-prod", &[subscription(SUBSCRIPTION), subscription(OTHER)]);
    azure.set_permissions(OTHER, &ACTIONS, &[]);
    azure.put_fact(&topics().replace(SUBSCRIPTION, OTHER), json!({"value": []}));
    azure.put_fact(&own_event_subscriptions(OTHER), json!({"value": []}));
    let group = ["--management-group", "mg-prod"];
    let (code, wrong) = doctor(&serving, &group).await;
    assert_eq!((code, wrong.matches("failed ").count()), (Some(1), 1), "{wrong}");
    assert!(wrong.contains(&format!("Event Grid    Local {OTHER}: no system topic")), "{wrong}");
    azure.put_fact(&own_event_subscriptions(OTHER), json!({"value": [own_event_subscription(OTHER)]}));
    assert_eq!(doctor(&serving, &group).await, (Some(0), "\n12 ok, 0 warnings, 0 failed".to_owned()));

    azure.set_management_group("mg-empty", &[]);
    let (code, wrong) = doctor(&serving, &["--management-group", "mg-empty"]).await;
    assert_eq!(code, Some(1));
    assert!(wrong.contains("mg-empty: this management group has no subscription"), "{wrong}");
    azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Descendants).always());
    let (code, wrong) = doctor(&serving, &group).await;
    assert_eq!(code, Some(1));
    assert!(wrong.contains("Microsoft.Management/managementGroups/descendants/read on the group"), "{wrong}");
}

#[tokio::test]
async fn the_state_of_the_switch_is_reported() {
    let (azure, serving) = deployment().await;
    let scope = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-seal");
    let (code, wrong) = doctor(&serving, &["--switch", &scope]).await;
    assert_eq!((code, wrong.trim()), (Some(0), "11 ok, 0 warnings, 0 failed"));

    azure.set_scope_tag(&scope, "diskseal", "off");
    let (code, wrong) = doctor(&serving, &["--switch", &scope]).await;
    assert_eq!(code, Some(0), "{wrong}");
    assert!(wrong.contains(&format!("switch        {scope}: off: nothing is sealed")), "{wrong}");

    azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::TagsRead).always());
    let (code, wrong) = doctor(&serving, &["--switch", &scope]).await;
    assert_eq!(code, Some(1), "{wrong}");
    assert!(
        wrong.contains("cannot be read, so for a new process it counts as on and stops nothing: "),
        "{wrong}"
    );
    assert!(wrong.contains("give the identity Microsoft.Resources/tags/read there"), "{wrong}");
}

#[tokio::test]
async fn unreadable_parts_are_not_reported_as_missing() {
    let (azure, serving) = deployment().await;
    let refused = || Refusal::new(403, "AuthorizationFailed", "The client does not have authorization.");
    azure.refuse_fact(&topics(), refused());
    azure.refuse_fact(
        "/diskseal-pending",
        refused().with_header("x-ms-error-code", "AuthorizationPermissionMismatch"),
    );
    let (code, wrong) = doctor(&serving, &["--app", &app()]).await;
    assert_eq!(code, Some(0), "{wrong}");
    assert!(wrong.contains("this identity lacks Microsoft.EventGrid/systemTopics/read"), "{wrong}");
    assert!(wrong.contains("Storage Queue Data Contributor"), "{wrong}");

    azure.refuse_fact("/diskseal-pending", refused().with_header("x-ms-error-code", "AuthorizationFailure"));
    let (code, wrong) = doctor(&serving, &["--app", &app()]).await;
    assert_eq!(code, Some(1), "{wrong}");
    assert!(wrong.contains("403 AuthorizationFailure") && wrong.contains("firewall"), "{wrong}");
}

#[tokio::test]
async fn the_exit_code_distinguishes_wrong_settings_from_an_unreachable_azure() {
    let (azure, serving) = deployment().await;
    let (code, out, _) = command(&serving, &["doctor", "--mode", "maybe", "--tags", "nonsense"], "").await;
    assert_eq!((code, out.matches("failed   settings").count()), (Some(2), 2), "{out}");
    let (code, _, err) = command(&serving, &["doctor", "--app", "/subscriptions/../x"], "").await;
    assert_eq!(code, Some(2));
    assert!(err.contains("Microsoft.Web/sites/NAME"), "{err}");
    let (code, _, err) = command(&serving, &["doctor", "--storage-account", "http://example.com"], "").await;
    assert_eq!(code, Some(2), "{err}");

    azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Token).always());
    let (code, out, _) = command(&serving, &["doctor"], "").await;
    assert_eq!(code, Some(3), "{out}");
    assert!(out.contains("failed   token") && out.contains("→ sign in"), "{out}");
}

#[tokio::test]
async fn refused_telemetry_is_reported_with_the_missing_role() {
    let (_azure, serving) = deployment().await;
    let traces = format!("--azure-monitor-traces-endpoint={}", serving.azure_monitor.ingestion("traces"));
    let logs = format!("--azure-monitor-logs-endpoint={}", serving.azure_monitor.ingestion("logs"));
    let arguments = ["doctor", "--storage-account", &serving.arm_https, &traces, &logs];
    let (code, text, told) = command(&serving, &arguments, "").await;
    assert_eq!((code, told.as_str()), (Some(0), ""), "{text}");
    for signal in ["traces", "logs"] {
        assert!(text.contains(&format!("Azure Monitor, {signal}: it accepts exports")), "{text}");
    }
    assert!(!text.contains("Azure Monitor, metrics"), "{text}");

    serving.azure_monitor.answer(Answers::Status(403));
    let (code, text, told) = command(&serving, &arguments[..4], "").await;
    assert!(text.contains("Azure Monitor, traces: this identity may not export to it"), "{text}");
    assert!(text.contains("Monitoring Metrics Publisher on the data collection rule"), "{text}");
    assert_eq!(code, Some(0), "{text}");
    // doctor exports its own telemetry too.
    assert!(told.starts_with("warning: traces are not exported"), "{told}");
}
