//! Rings, with the real handler and the commands.

use diskseal_emulator::{Emulator, Options, disk_body, estate::disk_id};
use serde_json::{Value, json};

use super::{commands::command, disk, end_all, line_of, setup, start};
use crate::world::{SUBSCRIPTION, jane};

const RINGS: &str = "resource-group:rg-dev*";

fn dev(name: &str) -> String {
    disk_id(SUBSCRIPTION, "rg-dev-1", name)
}

#[tokio::test]
async fn an_event_seals_in_the_ring_and_reports_outside_of_it() {
    let azure = start(setup(), &[("DISKSEAL_ENFORCE", RINGS)]).await;
    let (inside, outside) = (dev("inside"), disk("outside"));
    for id in [&inside, &outside] {
        azure.emulator.put(id, &jane(), &disk_body("westeurope")).unwrap();
    }
    azure.event_grid.idle().await;
    let mode = |id: &str| azure.emulator.get(id).unwrap()["properties"]["dataAccessAuthMode"].clone();
    assert_eq!(mode(&inside), "AzureActiveDirectory");
    assert_ne!(mode(&outside), "AzureActiveDirectory");
    assert!(azure.emulator.requests_for(&outside).iter().all(|exchange| exchange.method == "GET"));
    assert!(azure.queues.queue("diskseal-pending").is_empty());

    // The data of the audit are there: the ring and the reason of each.
    end_all(&azure).await;
    let spans = azure.collector.spans();
    for (id, ring, outcome, reason) in
        [(&inside, "enforce", "sealed", None), (&outside, "audit", "would_seal", Some(json!("audit_ring")))]
    {
        let is_it = |name: &str, value: &Value| {
            spans.iter().any(|span| {
                span.name == "enforce"
                    && span.attributes.get(name) == Some(value)
                    && span.attributes.get("diskseal.ring") == Some(&json!(ring))
                    && span.attributes.get("diskseal.outcome") == Some(&json!(outcome))
                    && span.attributes.get("diskseal.reason") == reason.as_ref()
            })
        };
        let own = spans.iter().find_map(|span| {
            let found = span.attributes.get("diskseal.resource_id")?;
            found.as_str()?.eq_ignore_ascii_case(id).then(|| found.clone())
        });
        assert!(is_it("diskseal.resource_id", &own.unwrap()), "{id}: {spans:#?}");
    }
}

#[tokio::test]
async fn the_commands_give_the_ring_of_each_resource() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    let (inside, outside) = (dev("inside"), disk("outside"));
    for id in [&inside, &outside] {
        azure.insert(id, &disk_body("westeurope")).unwrap();
    }
    let ringed = ["--enforce", RINGS];
    let run = async |arguments: &[&str]| command(&serving, &[arguments, &ringed[..]].concat(), "").await;

    let (_, out, _) = run(&["report", "--output", "json"]).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["byRing"]["enforce"]["unsealed"], 1);
    assert_eq!(report["byRing"]["audit"]["unsealed"], 1);
    for row in report["exceptions"].as_array().unwrap() {
        let ring = if row["name"] == "inside" { "enforce" } else { "audit" };
        assert_eq!(row["ring"], ring, "{row}");
    }
    let (_, out, _) = run(&["report", "--output", "csv"]).await;
    assert!(out.lines().any(|line| line.contains("/inside") && line.ends_with(",enforce,,,")), "{out}");
    assert!(out.lines().any(|line| line.contains("/outside") && line.ends_with(",audit,,,")), "{out}");
    let (_, out, _) = run(&["report"]).await;
    assert!(out.lines().any(|line| line.starts_with("audit ") && line.trim_end().ends_with('1')), "{out}");

    let (_, out, _) = run(&["policy", "check", &inside, &outside]).await;
    let of = |name: &str| out.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(of("inside ").contains("would seal  auth_mode"), "{out}");
    assert!(of("outside ").ends_with("no ring of DISKSEAL_ENFORCE contains it"), "{out}");

    let (_, out, _) = run(&["doctor"]).await;
    assert!(out.contains(&format!("in the ring enforce: {RINGS}; everything else")), "{out}");

    let (code, out, _) = run(&["sweep"]).await;
    assert!(code == Some(1) && out.ends_with("\n1 sealed, 1 in the ring audit.\n"), "{out}");
    let expected =
        format!("{}: it is in audit: no ring of DISKSEAL_ENFORCE", line_of("would seal", &outside));
    assert!(out.contains(&expected), "{out}");
    assert_ne!(azure.get(&outside).unwrap()["properties"]["dataAccessAuthMode"], "AzureActiveDirectory");
}

#[tokio::test]
async fn a_ring_that_cannot_be_read_is_a_fault_at_the_start() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    for ring in ["rg-dev", "resource-group:", "resource-group:[z", "subscription:prod", "tag:ring=1,", ","] {
        let (code, _, err) = command(&serving, &["sweep", "--enforce", ring], "").await;
        assert!(code == Some(2) && err.contains("--enforce: "), "{ring}: {err}");
    }
    assert!(azure.journal().is_empty());
}
