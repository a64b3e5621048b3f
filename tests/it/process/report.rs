//! `diskseal report`, with the real binary: every format, and the exit code.

use diskseal_emulator::{
    Emulator, Member, Options, Protection, disk_body,
    estate::disk_id,
    fault::{Fault, Kind, Refusal},
    serve::Serving,
    snapshot_body,
};
use serde_json::{Value, json};

use super::{commands::command, disk, snapshot};
use crate::world::SUBSCRIPTION;

const OTHER: &str = "99999999-2222-4333-8444-555555555555";

fn sealed() -> Value {
    let mut body = disk_body("westeurope");
    body["properties"]["dataAccessAuthMode"] = json!("AzureActiveDirectory");
    body["tags"] = json!({
        "diskseal-auth-mode": "AzureActiveDirectory",
        "diskseal-sealed-at": "2026-11-24T01:02:03Z",
    });
    body
}

fn exempt(until: &str) -> Value {
    let mut body = disk_body("northeurope");
    body["tags"] = json!({
        "exempt": format!("until={until}; <script>alert('x')</script>"),
        "Owner": "=cmd|' /C calc'!A0",
    });
    body
}

async fn report(serving: &Serving, more: &[&str]) -> (Option<i32>, String, String) {
    let arguments: Vec<_> = ["report", "--exempt-tag", "exempt"].iter().chain(more).copied().collect();
    command(serving, &arguments, "").await
}

#[tokio::test]
async fn every_format_lists_sealed_exempt_and_unsealed() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    azure.insert(&disk("sealed"), &sealed()).unwrap();
    azure.insert(&disk("exempt"), &exempt("9999-12-31")).unwrap();
    let (code, out, err) = report(&serving, &[]).await;
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("All 2 disks and snapshots are sealed or exempt.\n"), "{out}");

    azure.insert(&snapshot("open"), &snapshot_body("westeurope", &disk("sealed"))).unwrap();
    azure.insert(&disk_id(OTHER, "RG-Other", "over"), &exempt("2020-01-01")).unwrap();
    for exact in [&[][..], &["--exact"][..]] {
        let (code, out, err) = report(&serving, &[&["--output", "json"], exact].concat()).await;
        assert_eq!((code, err.as_str()), (Some(1), ""));
        let json: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json["source"], if exact.is_empty() { "resource_graph" } else { "lists" });
        assert_eq!(json["identity"], azure.options().system_identity.as_ref().unwrap().object_id.as_str());
        assert_eq!(json["totals"]["total"], 4);
        assert_eq!(json["byKind"]["snapshot"]["unsealed"], 1);
        assert_eq!(json["byLocation"]["northeurope"]["total"], 2);
        assert_eq!(json["bySubscription"][SUBSCRIPTION]["sealed"], 1);
        assert_eq!(json["warnings"][0]["reason"], "exemption_expired");
        let statuses: Vec<_> =
            json["exceptions"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
        assert_eq!(statuses, ["unsealed", "unsealed", "exempt"]);
    }
    assert!(
        azure
            .journal()
            .iter()
            .all(|exchange| !["PATCH", "PUT", "DELETE"].contains(&exchange.method.as_str())),
        "a report writes nothing"
    );

    let (code, out, _) = report(&serving, &["-o", "csv"]).await;
    assert_eq!((code, out.lines().count()), (Some(1), 4), "{out}");
    assert!(out.contains(",'=cmd|' /C calc'!A0,"), "{out}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let (code, out, _) = report(&serving, &["--file", path.to_str().unwrap()]).await;
    assert_eq!(code, Some(1));
    assert!(out == format!("Wrote {}: 4 resources, 2 not sealed.\n", path.display()), "{out}");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains("&lt;script&gt;alert('x')&lt;/script&gt;") && page.starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn unreachable_parts_are_named_and_fail_the_report() {
    let mut options = Options::immediate();
    options.subscriptions = vec![SUBSCRIPTION.to_owned()];
    let azure = Emulator::new(options);
    let serving = azure.serve().await.unwrap();
    azure.insert(&disk("sealed"), &sealed()).unwrap();

    // Resource Graph skips a subscription that the identity cannot see.
    let scope = format!("{SUBSCRIPTION},{OTHER}");
    for exact in [&[][..], &["--exact"][..]] {
        let (code, out, _) = report(&serving, &[&["--subscriptions", &scope], exact].concat()).await;
        assert_eq!(code, Some(1), "{out}");
        assert!(out.contains(&format!("Not checked: subscription {OTHER}: ")), "{out}");
    }

    // If Resource Graph refuses, the report lists each subscription; a subscription that refuses is a gap.
    azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
    let (code, out, _) = report(&serving, &["-o", "json"]).await;
    assert_eq!(code, Some(0), "{out}");
    azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::List).always());
    let (code, out, err) = report(&serving, &["-o", "json"]).await;
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["source"], &json["clean"]), (Some(1), &json!("lists"), &json!(false)));
    assert_eq!(
        json["gaps"].as_array().unwrap().len(),
        err.matches("diskseal: not read: ").count(),
        "{out}{err}"
    );
}

#[tokio::test]
async fn unreadable_resources_are_named_with_the_reason() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    azure.insert(&disk("odd."), &sealed()).unwrap();
    azure.insert(&disk("even"), &sealed()).unwrap();
    for (exact, source) in
        [(&[][..], "Resource Graph"), (&["--exact"][..], "the list of Microsoft.Compute/disks")]
    {
        let (code, out, err) = report(&serving, &[&["-o", "json"], exact].concat()).await;
        let json: Value = serde_json::from_str(&out).unwrap();
        let gaps = json["gaps"].as_array().unwrap();
        assert_eq!((code, gaps.len()), (Some(1), 1), "{out}");
        let (what, why) = (gaps[0]["what"].as_str().unwrap(), gaps[0]["why"].as_str().unwrap());
        assert!(what.eq_ignore_ascii_case(&disk("odd.")), "{what}");
        assert!(
            why.starts_with(source) && why.contains("the resource's name breaks Azure's naming rules"),
            "{why}"
        );
        assert!(err.contains("odd."), "{err}");
    }
}

#[tokio::test]
async fn an_attached_disk_is_pending_until_it_is_detached() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    let machine = disk("vm").replace("disks", "virtualMachines");
    azure.insert(&disk("held"), &disk_body("westeurope")).unwrap();
    azure.attach(&disk("held"), &machine);
    for exact in [&[][..], &["--exact"][..]] {
        let (_, out, _) = report(&serving, &[&["-o", "json"], exact].concat()).await;
        let json: Value = serde_json::from_str(&out).unwrap();
        let pending = json["pending"].as_array().unwrap();
        assert_eq!((pending.len(), &pending[0]["reason"]), (1, &json!("attached")), "{out}");
        assert!(pending[0]["text"].as_str().unwrap().contains(&machine), "{out}");
    }
    azure.detach(&disk("held"));
    let (_, out, _) = report(&serving, &["-o", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["pending"], json!([]));
}

#[tokio::test]
async fn a_management_group_is_reported_with_what_the_identity_does_not_see_of_it() {
    let azure =
        Emulator::new(Options { subscriptions: vec![SUBSCRIPTION.to_owned()], ..Options::immediate() });
    let serving = azure.serve().await.unwrap();
    azure.insert(&disk("sealed"), &sealed()).unwrap();
    let members = [SUBSCRIPTION, OTHER].map(|id| Member::Subscription(id.to_owned()));
    azure.set_management_group("mg-prod", &members);
    for exact in [&[][..], &["--exact"][..]] {
        let scope = ["-o", "json", "--management-group", "mg-prod"];
        let (code, out, _) = report(&serving, &[&scope[..], exact].concat()).await;
        let json: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (code, &json["managementGroup"], &json["scope"]),
            (Some(1), &json!("mg-prod"), &json!(null))
        );
        assert_eq!(json["totals"]["total"], 1, "{out}");
        assert_eq!(json["gaps"][0]["what"], format!("subscription {OTHER}"), "{out}");
    }

    let (code, out, _) = report(&serving, &["--management-group", "mg-typo"]).await;
    assert_eq!(code, Some(1));
    assert!(out.contains("Not checked: the management group mg-typo: "), "{out}");
    let both = ["--management-group", "mg-prod", "--subscriptions", SUBSCRIPTION];
    let (code, _, err) = report(&serving, &both).await;
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("--management-group: cannot be combined with --subscriptions"), "{err}");
}

#[tokio::test]
async fn disks_of_protected_machines_are_named_with_their_vault() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    let machine = disk("vm").replace("disks", "virtualMachines");
    let vault = disk("v").replace("Microsoft.Compute/disks", "Microsoft.RecoveryServices/vaults");
    for (name, body) in [
        ("free", disk_body("westeurope")),
        ("open", disk_body("westeurope")),
        ("over", sealed()),
        ("exempt", exempt("9999-12-31")),
    ] {
        azure.insert(&disk(name), &body).unwrap();
        azure.attach(&disk(name), if name == "free" { "/subscriptions/s/other" } else { &machine });
    }
    azure.protect(&machine, &vault, Protection::Backup);
    let warnings = |out: &str| -> Vec<String> {
        let json: Value = serde_json::from_str(out).unwrap();
        let warnings = json["warnings"].as_array().unwrap().iter();
        let protected = warnings.filter(|warning| warning["reason"] == "protected");
        protected.map(|warning| format!("{} {}", warning["id"].as_str().unwrap(), warning["text"])).collect()
    };
    for exact in [&[][..], &["--exact"][..]] {
        let (_, out, _) = report(&serving, &[&["-o", "json"], exact].concat()).await;
        let told = warnings(&out);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("/disks/open ") && told[0].contains("DISKSEAL_BACKUP_GUARD"), "{told:?}");
        assert!(told[1].contains("/disks/over ") && told[1].contains(&vault), "{told:?}");
    }

    // Without the setting, the report says so once; with the guard off, it says nothing.
    azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
    let (_, out, err) = report(&serving, &["-o", "json"]).await;
    assert!(warnings(&out).is_empty() && err.contains("the vaults of 4 resources: "), "{err}");
    let (_, out, err) = report(&serving, &["-o", "json", "--backup-guard", "off"]).await;
    assert_eq!((warnings(&out).len(), err.lines().count()), (0, 1), "{err}");
    assert!(
        err.starts_with("warning: Resource Graph cannot be read, and the lists are read instead: "),
        "{err}"
    );
}

#[tokio::test]
async fn no_azure_and_no_such_form_have_exit_codes_of_their_own() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    let (code, out, _) = report(&serving, &["--output", "pdf"]).await;
    assert_eq!((code, out.as_str()), (Some(2), ""));
    let (code, ..) = report(&serving, &["--file", "/no/such/folder/report"]).await;
    assert_eq!(code, Some(2));
    azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Token).always());
    let (code, out, err) = report(&serving, &["--output", "html"]).await;
    assert_eq!((code, out.as_str()), (Some(3), ""));
    assert!(err.starts_with("diskseal: "), "{err}");
}
