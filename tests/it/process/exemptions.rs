//! Exemptions with an end and a reason, with the real binary: what they hold off and until when, and how the report
//! lists those that nobody governs.

use diskseal::{azure::Terms, sweep::collect};
use diskseal_emulator::{
    Emulator, Options, disk_body, estate::disk_id, fault::Kind, host::Trigger, local_azure::LocalAzure,
    serve::Serving,
};
use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime};

use super::{
    commands::command, disk, end_all, event, is_sealed, proof::assert_conforms, setup, snapshot, start,
};
use crate::world::{SUBSCRIPTION, World};

fn today() -> Date {
    OffsetDateTime::now_utc().date()
}

fn in_days(days: i64) -> String {
    (today() + Duration::days(days)).to_string()
}

fn insert(azure: &Emulator, id: &str, tags: &Value) {
    let mut body = disk_body("westeurope");
    body["tags"] = tags.clone();
    azure.insert(id, &body).unwrap();
}

/// The setting, with an entry that has ended, one that ends soon and one that ends late.
fn listed() -> String {
    json!([
        {"names": ["old-*"], "until": in_days(-2), "reason": "INC-1 migration", "owner": "ada"},
        {"resourceGroups": ["RG-RESTORE"], "names": ["asr-*"], "until": in_days(3), "reason": "INC-2 =restores", "owner": "bob"},
        {"subscriptions": [SUBSCRIPTION], "names": ["late*"], "until": in_days(500), "reason": "because"},
    ])
    .to_string()
}

#[tokio::test]
async fn a_listed_exemption_holds_the_seal_off_until_its_day_and_no_longer() {
    let azure: LocalAzure = start(setup(), &[("DISKSEAL_EXEMPTIONS", &listed())]).await;
    let asr = disk_id(SUBSCRIPTION, "rg-restore", "asr-1");
    let mut lines = vec![];
    for (id, is_exempt) in [
        (disk("late-1"), true),
        (asr.clone(), true),
        // All lists of an entry have to match.
        (disk("asr-1"), false),
        (disk("old-1"), false),
        (disk("other"), false),
    ] {
        insert(&azure.emulator, &id, &json!({}));
        azure.emulator.clear_journal();
        let invocation = azure.host.invoke("seal_on_write", Trigger::Event(event(&id))).await.unwrap();
        lines.extend(invocation.logs);
        assert_eq!(is_sealed(&azure, &id), !is_exempt, "{id}");
        let asked = azure.emulator.journal().iter().any(|exchange| exchange.kind == Kind::Get);
        assert_eq!(asked, !is_exempt, "an exemption by name asks nothing: {id}");
    }
    lines.extend(azure.host.console().into_iter().map(|line| line.text));
    let has = |text: &str| lines.iter().any(|line| line.contains(text));
    assert!(has(&format!(
        "exempt {asr}: entry 2 of DISKSEAL_EXEMPTIONS exempts it until {}: INC-2",
        in_days(3)
    )));
    assert!(has(&format!("entry 1 of DISKSEAL_EXEMPTIONS, which exempted it, ended on {}", in_days(-2))));
    end_all(&azure).await;
}

#[tokio::test]
async fn a_sweep_warns_once_of_a_listed_exemption_that_ends_soon() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    for name in ["asr-1", "asr-2"] {
        insert(&azure, &disk_id(SUBSCRIPTION, "rg-restore", name), &json!({}));
    }
    insert(&azure, &disk("old-1"), &json!({}));
    let (code, out, err) = command(&serving, &["sweep", "--exempt-list", &listed()], "").await;
    assert_eq!(code, Some(0), "{out}{err}");
    let warned = format!("the exemption of DISKSEAL_EXEMPTIONS[2] ends on {}", in_days(3));
    assert_eq!(err.matches("the exemption of ").count(), 1, "{err}");
    assert!(err.contains(&warned), "{err}");
    assert!(out.ends_with("\n1 sealed, 2 exempt.\n"), "{out}");
}

#[tokio::test]
async fn the_metric_counts_a_listed_exemption_that_ends_soon_once_with_those_by_tag() {
    let settings = [("DISKSEAL_EXEMPTIONS", listed()), ("DISKSEAL_EXEMPT_TAG", "keep".to_owned())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let world = World::with(Options::immediate(), &settings);
    for name in ["asr-1", "asr-2"] {
        insert(&world.azure, &disk_id(SUBSCRIPTION, "rg-restore", name), &json!({}));
    }
    insert(&world.azure, &disk("tagged"), &json!({"keep": format!("until={}; r", in_days(7))}));
    let found = collect(&world.ctx, Terms::behind_events(std::time::Duration::from_mins(1))).await.unwrap();
    assert_eq!((found.survey.expiring, found.survey.counts.exempt), (2, 3));
}

/// Everything that may be exempt, and how.
async fn estate() -> (Emulator, Serving) {
    let azure =
        Emulator::new(Options { subscriptions: vec![SUBSCRIPTION.to_owned()], ..Options::immediate() });
    let serving = azure.serve().await.unwrap();
    let tag = |until: &str, reason: &str| json!({"keep": format!("until={until}; {reason}"), "Kostenstelle": "team-7", "owner": "nobody"});
    insert(&azure, &disk("tmp-1"), &json!({}));
    insert(&azure, &disk("tmp-2"), &json!({}));
    insert(&azure, &disk("late-1"), &json!({}));
    insert(&azure, &disk("old-1"), &json!({}));
    insert(&azure, &disk_id(SUBSCRIPTION, "rg-restore", "asr-1"), &json!({}));
    insert(&azure, &disk("forever"), &tag("9999-12-31", "INC-3"));
    insert(&azure, &disk("no-ticket"), &tag(&in_days(100), "please"));
    insert(&azure, &disk("fine"), &tag(&in_days(100), "INC-4"));
    insert(&azure, &snapshot("over"), &tag(&in_days(-1), "INC-5"));
    insert(&azure, &disk("odd"), &json!({"keep": "for ever"}));
    (azure, serving)
}

async fn report(serving: &Serving, more: &[&str]) -> (Option<i32>, String) {
    let listed = listed();
    let settings = [
        "report",
        "--exempt-names",
        "tmp-*",
        "--exempt-list",
        &listed,
        "--exempt-tag",
        "keep",
        "--exempt-ticket",
        "^INC-[0-9]+",
        "--owner-tag",
        "kostenstelle",
    ];
    let (code, out, err) = command(serving, &[&settings, more].concat(), "").await;
    assert!(matches!(code, Some(0 | 1)), "{err}");
    (code, out)
}

#[tokio::test]
async fn the_report_lists_every_exemption_with_what_is_wrong_with_it() {
    let (azure, serving) = estate().await;
    let (_, out) = report(&serving, &["--exemptions", "-o", "json"]).await;
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_conforms(&json);
    let all = json["exemptions"].as_array().unwrap();
    let line = |one: &Value| {
        let findings: Vec<_> =
            one["findings"].as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap()).collect();
        let covers = one["covers"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let text = |member: &str| one[member].as_str().unwrap_or("-").to_owned();
        (
            covers,
            text("kind"),
            text("state"),
            one["resources"].as_u64().unwrap(),
            text("owner"),
            findings.join(" "),
        )
    };
    let expected = [
        ("tmp-*", "name", "in_force", 2, "-", "exempt_without_end exempt_without_ticket"),
        ("names: old-*", "listed", "ended", 0, "ada", "exemption_expired"),
        ("resourceGroups: RG-RESTORE; names: asr-*", "listed", "in_force", 1, "bob", "exemption_expiring"),
        (
            &format!("subscriptions: {SUBSCRIPTION}; names: late*"),
            "listed",
            "in_force",
            1,
            "-",
            "exempt_too_long exempt_without_ticket",
        ),
        ("odd", "tag", "unreadable", 0, "-", "exemption_unreadable"),
        ("over", "tag", "ended", 0, "team-7", "exemption_expired"),
        ("fine", "tag", "in_force", 1, "team-7", ""),
        ("forever", "tag", "in_force", 1, "team-7", "exempt_too_long"),
        ("no-ticket", "tag", "in_force", 1, "team-7", "exempt_without_ticket"),
    ]
    .map(|(covers, kind, state, resources, owner, findings)| {
        (
            covers.to_owned(),
            kind.to_owned(),
            state.to_owned(),
            resources,
            owner.to_owned(),
            findings.to_owned(),
        )
    });
    assert_eq!(all.iter().map(line).collect::<Vec<_>>(), expected);
    assert_eq!((&all[2]["until"], &all[2]["daysLeft"]), (&json!(in_days(3)), &json!(3)));
    assert_eq!((&all[2]["reason"], &all[2]["number"]), (&json!("INC-2 =restores"), &json!(2)));
    assert_eq!((&all[0]["until"], &all[5]["until"]), (&Value::Null, &json!(in_days(-1))));
    let owner = |name: &str| {
        let rows = json["exceptions"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).map(|row| row["owner"].clone()).unwrap()
    };
    assert_eq!([owner("asr-1"), owner("fine"), owner("tmp-1")], [json!("bob"), json!("team-7"), Value::Null]);
    // What ends later than allowed is exempt all the same.
    assert_eq!(json["totals"]["exempt"], 7);
    assert!(
        !azure
            .journal()
            .iter()
            .any(|exchange| ["PATCH", "PUT", "DELETE"].contains(&exchange.method.as_str()))
    );

    let (_, table) = report(&serving, &["--exemptions"]).await;
    let row = |name: &str| table.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
    assert!(row("names: asr-*").starts_with("listed 2 "), "{table}");
    let of_name = table.lines().find(|line| line.starts_with("name ") && line.contains(" tmp-* "));
    assert!(of_name.is_some_and(|line| line.contains("no end")), "{table}");
    let (_, csv) = report(&serving, &["--exemptions", "-o", "csv"]).await;
    assert_eq!(csv.lines().count(), 10, "{csv}");
    assert!(
        csv.starts_with("exemption,number,covers,state,until,days_left,reason,owner,resources,findings\n"),
        "{csv}"
    );
    let (_, html) = report(&serving, &["--exemptions", "-o", "html"]).await;
    assert!(html.contains(r#"<h2 id="exemptions">"#) && html.contains("Listed exemption 2"), "{html}");

    let (_, without) = report(&serving, &["-o", "json"]).await;
    let without: Value = serde_json::from_str(&without).unwrap();
    assert_eq!(without["exemptions"], Value::Null);
}

#[tokio::test]
async fn each_finding_about_exemptions_fails_the_report_that_asks_for_it() {
    const FINDINGS: [&str; 3] = ["exempt-too-long", "exempt-without-end", "exempt-without-ticket"];
    let azure =
        Emulator::new(Options { subscriptions: vec![SUBSCRIPTION.to_owned()], ..Options::immediate() });
    let serving = azure.serve().await.unwrap();
    insert(&azure, &disk("tagged"), &json!({"keep": format!("until={}; INC-1", in_days(20))}));
    let listed = |days: i64, reason: &str| {
        json!([{"names": ["x"], "until": in_days(days), "reason": reason}]).to_string()
    };
    for (settings, found) in [
        (["--exempt-list", &listed(366, "INC-1")], [false, false, false]),
        (["--exempt-list", &listed(367, "INC-1")], [true, false, false]),
        (["--exempt-list", &listed(5, "none")], [false, false, true]),
        (["--exempt-max-days", "19"], [true, false, false]),
        (["--exempt-max-days", "20"], [false, false, false]),
        (["--exempt-subscriptions", "9*"], [false, true, true]),
    ] {
        for (finding, is_found) in FINDINGS.into_iter().zip(found) {
            let arguments =
                ["report", "--exempt-tag", "keep", "--exempt-ticket", "INC-[0-9]", "--fail-on", finding];
            let (code, _, err) = command(&serving, &[&arguments[..], &settings[..]].concat(), "").await;
            assert_eq!((code, err.as_str()), (Some(i32::from(is_found)), ""), "{settings:?} {finding}");
        }
    }
    let expiring = [
        "report",
        "--exempt-list",
        &listed(5, "INC-1"),
        "--exempt-tag",
        "keep",
        "--fail-on",
        "expiring",
        "--expiring-within",
    ];
    for (days, code) in [("4", 0), ("5", 1)] {
        let ended = command(&serving, &[&expiring[..], &[days]].concat(), "").await;
        assert_eq!(ended.0, Some(code), "{days}: {}", ended.1);
    }
}

#[tokio::test]
async fn unseal_refuses_a_reason_without_the_ticket_and_warns_of_a_late_end() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    insert(&azure, &disk("a"), &json!({}));
    let (a, late, next) = (disk("a"), in_days(367), in_days(366));
    let unseal = |until, reason| {
        [
            "unseal",
            "--yes",
            "--exempt-tag",
            "keep",
            "--exempt-ticket",
            "^INC-[0-9]{4}",
            "--until",
            until,
            "--reason",
            reason,
            &a,
        ]
    };
    let (code, out, err) = command(&serving, &unseal(&next, "INC-123 restore"), "").await;
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("nothing was unsealed: the reason does not match \"^INC-[0-9]{4}\""), "{err}");
    assert!(azure.journal().iter().all(|exchange| matches!(exchange.kind, Kind::Query | Kind::Token)));

    let (code, _, err) = command(&serving, &unseal(&next, "INC-1234 restore"), "").await;
    assert_eq!((code, err.contains("more than 366 days")), (Some(0), false), "{err}");
    let (code, _, err) = command(&serving, &unseal(&late, "INC-1234 restore"), "").await;
    assert_eq!(
        (code, err.contains("warning: the exemption ends on") && err.contains("more than 366 days")),
        (Some(0), true),
        "{err}"
    );
    assert_eq!(azure.get(&a).unwrap()["tags"]["keep"], format!("until={late}; INC-1234 restore"));

    let check = ["policy", "check", "--exempt-tag", "keep", "--exempt-ticket", "CHG", &a];
    let (code, out, _) = command(&serving, &check, "").await;
    assert_eq!(code, Some(0));
    for note in
        ["; note: the exemption ends on", "; note: the reason of the exemption does not match \"CHG\""]
    {
        assert!(out.contains(note), "{out}");
    }
}

#[tokio::test]
async fn a_fault_in_the_list_names_the_entry_and_stops_the_start() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    let wrong = r#"[{"names":["a"],"until":"2027-01-31","reason":"r"},{"names":["b"],"untill":"2027-01-31","reason":"r"}]"#;
    let (code, out, err) = command(&serving, &["report", "--exempt-list", wrong], "").await;
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("--exempt-list: entry 2: unknown field `untill`"), "{err}");
    assert!(azure.journal().is_empty());
}
