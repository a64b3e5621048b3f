//! `diskseal reseal`, with the real binary: the exemption ends before its day, and the seal follows.

use diskseal_emulator::{
    Emulator, Options, Protection, disk_body,
    fault::{Fault, Kind, Refusal},
    serve::Serving,
    snapshot_body,
};
use serde_json::{Value, json};

use super::{
    commands::{command, program},
    disk, line_of, snapshot,
};

const EXEMPTION: &str = "until=2999-12-31; INC-1234 restore test";

async fn unsealed(options: Options, names: &[&str]) -> (Emulator, Serving) {
    let azure = Emulator::new(options);
    let serving = azure.serve().await.unwrap();
    for name in names {
        azure.insert(&disk(name), &exempt(disk_body("westeurope"))).unwrap();
    }
    (azure, serving)
}

fn exempt(mut body: Value) -> Value {
    body["tags"] = json!({"Keep": EXEMPTION, "team": "data"});
    body
}

async fn reseal(serving: &Serving, more: &[&str]) -> (Option<i32>, String, String) {
    let scope = ["reseal", "--all-subscriptions", "--exempt-tag", "keep"];
    command(serving, &[&scope, more].concat(), "").await
}

fn is_sealed(azure: &Emulator, id: &str) -> bool {
    let resource = azure.get(id).unwrap();
    let tags = &resource["tags"];
    resource["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory"
        && tags["diskseal-auth-mode"] == "AzureActiveDirectory"
        && tags.get("Keep").is_none()
        && tags["team"] == "data"
}

fn writes(azure: &Emulator) -> Vec<Kind> {
    let of_resources = azure
        .journal()
        .into_iter()
        .filter(|exchange| exchange.method == "PATCH" && exchange.path.contains("/Microsoft.Compute/"));
    of_resources.map(|exchange| exchange.kind).collect()
}

#[tokio::test]
async fn the_exemption_goes_first_and_the_seal_follows() {
    for options in [Options::immediate(), Options::default()] {
        let (azure, serving) = unsealed(options, &["a"]).await;
        azure.insert(&snapshot("b"), &exempt(snapshot_body("westeurope", &disk("a")))).unwrap();
        let (code, out, err) = reseal(&serving, &[&disk("a"), &snapshot("b")]).await;
        assert_eq!(code, Some(0), "{out}{err}");
        let mut lines: Vec<_> = out.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, [line_of("sealed", &disk("a")), line_of("sealed", &snapshot("b"))]);
        assert!(is_sealed(&azure, &disk("a")) && is_sealed(&azure, &snapshot("b")));
        let of_disk: Vec<_> = azure
            .journal()
            .into_iter()
            .filter(|exchange| exchange.method == "PATCH" && exchange.path.contains("/disks/a"))
            .map(|exchange| exchange.kind)
            .collect();
        assert_eq!(of_disk, [Kind::TagsWrite, Kind::Patch, Kind::TagsWrite]);

        let (code, out, _) = reseal(&serving, &[&disk("a")]).await;
        assert_eq!((code, out), (Some(0), format!("{}\n", line_of("already sealed", &disk("a")))));
    }
}

#[tokio::test]
async fn a_kill_at_any_request_is_made_good_by_the_next_run() {
    let holds: [fn() -> Fault; 2] = [Fault::hold_before_applying, Fault::hold_after_applying];
    for (point, hold) in
        [Kind::TagsWrite, Kind::Patch].into_iter().flat_map(|point| holds.map(|hold| (point, hold)))
    {
        let (azure, serving) = unsealed(Options::immediate(), &["a"]).await;
        let held = azure.inject(hold().on(point));
        let mut child =
            program(&serving, &["reseal", "--all-subscriptions", "--exempt-tag", "keep", &disk("a")])
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
        tokio::select! {
            () = held.held() => {}
            ended = child.wait() => panic!("it has ended without {point:?}: {ended:?}"),
        }
        child.kill().await.unwrap();
        held.cut_off();
        held.remove();
        // Whatever the kill left, it is not sealed and exempt at once.
        let resource = azure.get(&disk("a")).unwrap();
        let has_mode = resource["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory";
        assert!(!(has_mode && resource["tags"].get("Keep").is_some()), "{point:?}: {resource}");
        let (code, out, err) = reseal(&serving, &[&disk("a")]).await;
        assert_eq!(code, Some(0), "{point:?}: {out}{err}");
        assert!(is_sealed(&azure, &disk("a")), "{point:?}");
    }
}

#[tokio::test]
async fn what_could_not_be_sealed_keeps_its_exemption() {
    let (azure, serving) = unsealed(Options::immediate(), &["held", "busy", "locked", "ruled"]).await;
    let machine = disk("vm").replace("disks", "virtualMachines");
    azure.attach(&disk("held"), &machine);
    let vault = disk("v").replace("Microsoft.Compute/disks", "Microsoft.RecoveryServices/vaults");
    azure.protect(&machine, &vault, Protection::Backup);
    azure.set_property(&disk("busy"), "provisioningState", json!("Updating"));
    azure.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::TagsWrite).resource("locked").always());
    for (name, word) in [
        ("held", "protected"),
        ("busy", "not yet"),
        ("locked", "not sealed"),
        ("ruled", "exempt"),
        ("gone", "not found"),
    ] {
        let (code, out, err) = reseal(&serving, &["--exempt-names", "ruled", &disk(name)]).await;
        assert_eq!(code, Some(1), "{out}{err}");
        assert!(out.starts_with(&line_of(word, &disk(name))), "{out}");
        if name != "gone" {
            let resource = azure.get(&disk(name)).unwrap();
            assert_eq!(
                (&resource["tags"]["Keep"], resource["properties"].get("dataAccessAuthMode")),
                (&json!(EXEMPTION), None),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn neither_audit_mode_nor_the_switch_nor_wrong_use_lets_it_write() {
    const GROUP: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-app";
    let (azure, serving) = unsealed(Options::immediate(), &["a", "b"]).await;
    let (a, b) = (disk("a"), disk("b"));
    let (code, out, _) = reseal(&serving, &["--mode", "audit", &a]).await;
    assert_eq!((code, out), (Some(1), format!("{}\n", line_of("would seal", &a))));
    azure.set_scope_tag(GROUP, "diskseal", "off");
    let (code, out, _) = reseal(&serving, &["--switch", GROUP, &a]).await;
    assert_eq!(code, Some(1));
    assert!(out.starts_with(&line_of("switched off", &a)), "{out}");
    for (arguments, expected) in [
        (vec!["reseal", "--all-subscriptions", &a], "no exemption tag is set"),
        (vec!["reseal", "--exempt-tag", "keep", &a, &b], "no scope is set"),
        (vec!["reseal", "--exempt-tag", "keep", "nonsense"], "nonsense"),
    ] {
        let (code, out, err) = command(&serving, &arguments, "").await;
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(err.contains(expected), "{err}");
    }
    assert_eq!(writes(&azure), []);
}

#[tokio::test]
async fn a_tag_of_another_form_is_somebody_elses_and_an_ended_one_is_ours() {
    let (azure, serving) = unsealed(Options::immediate(), &[]).await;
    for (name, value) in [("theirs", "yes please"), ("over", "until=2020-01-01; INC-1")] {
        let mut body = disk_body("westeurope");
        body["tags"] = json!({"keep": value});
        azure.insert(&disk(name), &body).unwrap();
        let (code, out, err) = reseal(&serving, &[&disk(name)]).await;
        assert_eq!((code, out), (Some(0), format!("{}\n", line_of("sealed", &disk(name)))), "{err}");
    }
    assert_eq!(azure.get(&disk("theirs")).unwrap()["tags"]["keep"], "yes please");
    assert_eq!(azure.get(&disk("over")).unwrap()["tags"].get("keep"), None);
}
