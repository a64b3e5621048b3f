//! `diskseal sweep`, with the real binary.

use std::{collections::BTreeMap, process::Stdio};

use diskseal_emulator::{
    Emulator, Options, Protection, disk_body,
    fault::{Fault, Kind, Refusal},
    journal::Exchange,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::{
    commands::{command, program},
    disk, line_of,
};

/// Resources in three subscriptions, some of them sealed.
fn estate(azure: &Emulator, count: usize) -> Vec<String> {
    (0..count)
        .map(|n| {
            let id = disk(&format!("d{n:05}"))
                .replace("11111111-", ["11111111-", "22222222-", "33333333-"][n % 3]);
            let mut body = disk_body("westeurope");
            if n % 5 < 3 {
                body["properties"]["dataAccessAuthMode"] = json!("AzureActiveDirectory");
                body["tags"] = json!({
                    "diskseal-auth-mode": "AzureActiveDirectory",
                    "diskseal-sealed-at": "2026-01-01T00:00:00Z",
                });
            }
            azure.insert(&id, &body).unwrap();
            id
        })
        .collect()
}

fn is_write(exchange: &Exchange) -> bool {
    exchange.kind != Kind::Query && exchange.method != "GET"
}

#[tokio::test]
async fn everything_in_scope_is_sealed_and_nothing_is_written_twice() {
    for arguments in [&["sweep"][..], &["sweep", "--exact"]] {
        let azure = Emulator::new(Options::immediate());
        let serving = azure.serve().await.unwrap();
        let ids = estate(&azure, 2_500);
        let (code, out, err) = command(&serving, arguments, "").await;
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        let (lines, last) = out.trim_end().rsplit_once('\n').unwrap();
        assert_eq!((lines.lines().count(), last), (1_000, "1000 sealed, 1500 sealed before."));
        for id in &ids {
            assert_eq!(azure.get(id).unwrap()["properties"]["dataAccessAuthMode"], "AzureActiveDirectory");
        }
        let mut writes = BTreeMap::new();
        for exchange in azure.journal().iter().filter(|exchange| is_write(exchange)) {
            *writes.entry(exchange.path.clone()).or_insert(0) += 1;
        }
        assert_eq!((writes.len(), writes.values().max()), (2_000, Some(&1)));
    }
}

/// Sealed resources drop out of the list while it is being paged, so that each listing skips half of the
/// rest.
#[tokio::test]
async fn nothing_is_passed_over_however_many_pages_there_are() {
    let azure = Emulator::new(Options { resource_graph_page_size: 5, ..Options::immediate() });
    let serving = azure.serve().await.unwrap();
    let ids = estate(&azure, 1_000);
    let (code, out, err) = command(&serving, &["sweep", "--concurrency", "1"], "").await;
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.ends_with("\n400 sealed, 600 sealed before.\n"), "{out}");
    for id in &ids {
        assert_eq!(azure.get(id).unwrap()["properties"]["dataAccessAuthMode"], "AzureActiveDirectory");
    }
}

#[tokio::test]
async fn an_unreadable_resource_is_named_and_counted_once() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    azure.insert(&disk("odd."), &disk_body("westeurope")).unwrap();
    azure.insert(&disk("even"), &disk_body("westeurope")).unwrap();
    for arguments in [&["sweep"][..], &["sweep", "--exact"]] {
        let (code, out, err) = command(&serving, arguments, "").await;
        assert_eq!(code, Some(1), "{out}");
        assert!(out.contains("1 unreadable in the listing"), "{out}");
        let told: Vec<_> = err.lines().filter(|line| line.contains("unreadable in the listing: ")).collect();
        assert!(matches!(&told[..], [line] if line.contains("/odd.: the resource's name breaks")), "{err}");
    }
}

#[tokio::test]
async fn a_dry_run_shows_exactly_what_a_sweep_then_sends() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    estate(&azure, 20);
    let tags = ["--tags", "diskseal-auth-mode=AzureActiveDirectory"];
    let (code, out, _) =
        command(&serving, &[&["sweep", "--dry-run", "--verbose"][..], &tags].concat(), "").await;
    assert_eq!(code, Some(0), "a dry run that was carried out");
    assert!(!azure.journal().iter().any(|exchange| is_write(exchange)));
    let lines: Vec<_> = out.lines().collect();
    let mut shown: Vec<(String, Value)> = lines
        .windows(2)
        .filter_map(|pair| {
            let url = pair[0].strip_prefix("  PATCH ")?;
            Some((url.to_owned(), serde_json::from_str(pair[1]).unwrap()))
        })
        .collect();
    assert_eq!(lines.last().unwrap(), &"Dry run: 8 would be sealed. Nothing was written.");

    let (code, ..) = command(&serving, &[&["sweep"][..], &tags].concat(), "").await;
    assert_eq!(code, Some(0));
    let mut sent: Vec<(String, Value)> = azure
        .journal()
        .iter()
        .filter(|exchange| is_write(exchange))
        .map(|x| (format!("{}{}?{}", x.origin, x.path, x.query), x.request_body.clone()))
        .collect();
    shown.sort_by(|a, b| a.0.cmp(&b.0));
    sent.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(shown, sent);
}

#[tokio::test]
async fn a_sweep_warns_once_of_exemptions_that_end_soon_and_of_protected_machines() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    let today = OffsetDateTime::now_utc().date();
    for (name, days) in [("soon", 29), ("later", 32), ("over", -1)] {
        let mut body = disk_body("westeurope");
        body["tags"] = json!({"exempt": format!("until={}; INC-1", today + time::Duration::days(days))});
        azure.insert(&disk(name), &body).unwrap();
    }
    let machine = disk("vm").replace("disks", "virtualMachines");
    let vault = disk("v").replace("Microsoft.Compute/disks", "Microsoft.RecoveryServices/vaults");
    azure.insert(&disk("held"), &disk_body("westeurope")).unwrap();
    azure.attach(&disk("held"), &machine);
    azure.protect(&machine, &vault, Protection::Backup);

    // A limit makes the sweep count the plan first, which must not log everything twice.
    let sweep = ["sweep", "--exempt-tag", "exempt", "--max-resources", "1"];
    let (code, _, err) = command(&serving, &sweep, "").await;
    assert_eq!(code, Some(1), "one of a protected machine is left: {err}");
    let told = |text: &str| err.lines().filter(|line| line.contains(text)).collect::<Vec<_>>();
    let soon = told("the exemption of ");
    assert!(matches!(&soon[..], [line] if line.contains("/disks/soon ends on ")), "{err}");
    assert_eq!((told("its exemption expired on ").len(), told(&vault).len()), (1, 1), "{err}");
}

#[tokio::test]
async fn a_plan_that_is_larger_than_a_limit_is_not_begun() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    estate(&azure, 50);
    for (limit, value, told) in [
        ("--max-resources", "19", "20 resources would be sealed, and max-resources allows 19"),
        ("--max-percent", "39", "20 of 50 resources would be sealed, and max-percent allows 39 %"),
    ] {
        for source in [&[][..], &["--exact"]] {
            let (code, out, err) =
                command(&serving, &[&["sweep", limit, value][..], source].concat(), "").await;
            assert_eq!((code, out.as_str()), (Some(1), ""));
            assert!(err.contains(told), "{err}");
        }
    }
    assert!(!azure.journal().iter().any(|exchange| is_write(exchange)));
    let limits = ["sweep", "--max-resources", "20", "--max-percent", "40"];
    assert_eq!(command(&serving, &limits, "").await.0, Some(0));
}

#[tokio::test]
async fn unsealed_resources_are_named_counted_and_set_the_exit_code() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    for name in ["a", "b", "locked", "exempt"] {
        azure.insert(&disk(name), &disk_body("westeurope")).unwrap();
    }
    azure.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).resource("locked").always());
    let (code, out, _) = command(&serving, &["sweep", "--exempt-names", "exempt"], "").await;
    assert_eq!(code, Some(1));
    for line in
        [line_of("not sealed", &disk("locked")), line_of("sealed", &disk("a")), line_of("sealed", &disk("b"))]
    {
        assert_eq!(out.matches(&line).count(), 1, "{out}");
    }
    assert!(out.ends_with("\n2 sealed, 1 not sealed, 1 exempt.\n"), "{out}");

    azure.inject(Fault::refuse(Refusal::server_error(500)).on(Kind::Token).always());
    let (code, _, err) = command(&serving, &["sweep"], "").await;
    assert_eq!(code, Some(3));
    assert!(err.contains("getting a token failed"), "{err}");
}

#[tokio::test]
async fn ctrl_c_stops_with_a_summary() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    for name in ["a", "stuck"] {
        azure.insert(&disk(name), &disk_body("westeurope")).unwrap();
    }
    let held = azure.inject(Fault::hold_before_applying().on(Kind::Patch).resource("stuck"));
    let mut child = program(&serving, &["sweep"]).stdout(Stdio::piped()).spawn().unwrap();
    held.held().await;
    azure.wait_for(|exchange| exchange.kind == Kind::TagsWrite).await;
    let pid = child.id().unwrap().to_string();
    let killed = tokio::process::Command::new("kill").args(["-INT", &pid]).status().await.unwrap();
    assert!(killed.success());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = vec![];
    while let Some(line) = lines.next_line().await.unwrap() {
        told.push(line);
    }
    assert_eq!(told, [line_of("sealed", &disk("a")), "1 sealed.".to_owned()]);
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
}
