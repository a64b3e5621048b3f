//! What the report counts and lists, and that no format runs what a tag holds.

mod delays;

use time::macros::datetime;

use super::*;
use crate::{
    policy::{Exemptions, Mode, Policy, Protection, TagRule},
    resource::{DataAccessAuthMode, Resource},
    scope::Scope,
    text::Screen,
};

const SUBSCRIPTION: &str = "11111111-2222-4333-8444-555555555555";

fn policy() -> Policy {
    Policy {
        mode: Mode::Audit,
        tags: vec![TagRule::new("sealed", "yes").unwrap()],
        exemptions: Exemptions {
            names: "tmp-*".parse().unwrap(),
            tag: Some("exempt".into()),
            ..Exemptions::default()
        },
        owner_tag: Some("owner".into()),
        ..Policy::default()
    }
}

fn resource(name: &str, is_sealed: bool, tags: &[(&str, &str)]) -> Resource {
    let id =
        format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/disks/{name}");
    let mode = if is_sealed { DataAccessAuthMode::AzureActiveDirectory } else { DataAccessAuthMode::None };
    let seal = is_sealed.then_some(("sealed", "yes"));
    Resource {
        id: id.parse().unwrap(),
        location: Some("West Europe".into()),
        data_access_auth_mode: mode,
        provisioning_state: None,
        disk_state: None,
        create_option: None,
        completion_percent: None,
        held_by: vec![],
        source: None,
        time_created: None,
        network_access_policy: None,
        public_network_access: None,
        has_disk_access: false,
        unreadable: vec![],
        tags: tags.iter().copied().chain(seal).collect(),
    }
}

fn named(remarks: impl Iterator<Item = io::Result<Remark>>) -> Vec<String> {
    remarks.map(Result::unwrap).map(|one| format!("{} {}", one.name(), one.reason)).collect()
}

fn json(report: &Report) -> serde_json::Value {
    let mut text = vec![];
    super::json(report, &mut text).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn csv(report: &Report) -> String {
    let mut text = vec![];
    super::csv(report, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn table(report: &Report, screen: Screen, detail: Detail) -> String {
    let mut text = vec![];
    super::table(report, screen, detail, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn html(report: &Report) -> String {
    super::html(report).unwrap()
}

fn empty() -> Report {
    Report::new(Run {
        taken_at: datetime!(2027-01-01 12:00 UTC),
        identity: Some("77776666-5555-4444-8333-222211110000".into()),
        scope: Scope::Visible,
        source: Source::Graph,
        expiring_within: 30,
        since: datetime!(2026-12-02 12:00 UTC),
        is_of_all: false,
        portal: "https://portal.azure.com",
    })
}

fn report(resources: &[Resource]) -> Report {
    let mut report = empty();
    report.add_exemptions(&policy().exemptions);
    for resource in resources {
        report.add(&Entry::new(&policy(), resource, &Protection::Unprotected, report.taken_at()));
    }
    report
}

pub(super) fn mixed() -> Report {
    let mut uploading = resource("uploading", false, &[]);
    uploading.disk_state = Some("ActiveUpload".into());
    let mut untagged = resource("untagged", true, &[]);
    untagged.tags = [("Owner", "=HYPERLINK(\"https://x\")")].into_iter().collect();
    untagged.location = None;
    report(&[
        resource("fine", true, &[]),
        resource("tmp-1", false, &[("OWNER", "team <b>data</b>")]),
        resource("soon", false, &[("exempt", "until=2027-01-31; <script>alert(1)</script>")]),
        resource("later", false, &[("exempt", "until=2027-02-01; INC-2")]),
        resource("over", false, &[("exempt", "until=2026-12-31; INC-3")]),
        resource("odd", true, &[("exempt", "because \u{1b}[31m\u{202e}")]),
        uploading,
        untagged,
    ])
}

#[test]
fn every_resource_is_counted_and_sealed_ones_are_not_kept() {
    let report = mixed();
    let counts = Counts { sealed: 2, exempt: 3, pending: 1, unsealed: 2 };
    assert_eq!(report.totals(), counts);
    assert_eq!(report.by_subscription, [(SUBSCRIPTION.to_owned(), counts)].into());
    assert_eq!(report.by_kind, [("disk".to_owned(), counts)].into());
    let places: Vec<_> =
        report.by_location.iter().map(|(name, counts)| (name.as_str(), counts.total())).collect();
    assert_eq!(places, [("unknown", 1), ("westeurope", 7)]);
    let reasons: Vec<_> = report.by_reason.iter().map(|((_, reason), count)| (*reason, *count)).collect();
    assert_eq!(
        reasons,
        [("auth_mode", 1), ("tags", 1), ("active_upload", 1), ("name", 1), ("tag", 2), ("sealed", 2)]
    );
    let names: Vec<_> = report.exceptions().map(|row| row.unwrap().name).collect();
    assert_eq!(names, ["over", "untagged", "uploading", "later", "soon", "tmp-1", "odd"]);
}

#[test]
fn exemptions_that_end_soon_or_do_not_count_are_warnings() {
    let report = mixed();
    assert_eq!(
        named(report.warnings()),
        ["over exemption_expired", "soon exemption_expiring", "odd exemption_unreadable"]
    );
    for (within, days, count) in [(0, 0, 1), (0, 1, 0), (1, 1, 1), (30, 30, 1), (30, 31, 0)] {
        let until = datetime!(2027-01-01 23:00 UTC).date() + time::Duration::days(days);
        let exempt = resource("d", false, &[("exempt", &format!("until={until}; x"))]);
        let mut report = empty();
        report.run.expiring_within = within;
        report.add(&Entry::new(&policy(), &exempt, &Protection::Unprotected, report.taken_at()));
        assert_eq!(report.warnings().count(), count, "{days} days left, warned within {within}");
    }
}

#[test]
fn the_verdict_names_what_is_unsealed_or_unread() {
    let sealed = || resource("a", true, &[]);
    for (resources, gap, verdict, is_clean) in [
        (vec![], false, "Nothing was found in scope.", true),
        (vec![], true, "Nothing was found in scope, but part of the scope could not be read.", false),
        (vec![sealed()], false, "The only disk or snapshot is sealed or exempt.", true),
        (
            vec![sealed(), resource("tmp-b", false, &[])],
            false,
            "All 2 disks and snapshots are sealed or exempt.",
            true,
        ),
        (
            vec![sealed(), resource("b", false, &[])],
            true,
            "1 of 2 disks and snapshots is neither sealed nor exempt, and part of the scope could not be read.",
            false,
        ),
    ] {
        let mut report = report(&resources);
        if gap {
            report.add_gap("subscription x", "403");
        }
        assert_eq!((report.verdict().as_str(), report.is_clean()), (verdict, is_clean));
    }
}

#[test]
fn subscriptions_of_one_name_differ_by_the_start_of_their_ids() {
    let mut report = empty();
    let (one, other, unnamed) =
        (SUBSCRIPTION, "22222222-2222-4333-8444-555555555555", "33333333-2222-4333-8444-555555555555");
    report.name_subscription(&one.to_uppercase(), "Production");
    assert_eq!(report.subscription_title(one), "Production");
    report.name_subscription(other, "Production");
    assert_eq!(report.subscription_title(one), "Production (11111111)");
    assert_eq!(report.subscription_title(other), "Production (22222222)");
    assert_eq!(report.subscription_title(unnamed), unnamed);
}

#[test]
fn percentages_are_rounded_down() {
    for (sealed, unsealed, percent) in
        [(99_999, 1, "99.9 %"), (100_000, 0, "100.0 %"), (0, 1, "0.0 %"), (2, 1, "66.6 %"), (0, 0, "–")]
    {
        assert_eq!(Counts { sealed, unsealed, ..Counts::default() }.sealed_percent(), percent);
    }
    assert_eq!([1, 999, 1_000, 1_234_567].map(grouped), ["1", "999", "1,000", "1,234,567"]);
}

#[test]
fn the_json_has_its_documented_shape() {
    let mut report = mixed();
    report.add_gap("subscription x", "403");
    let json = json(&report);
    let documented = include_str!("json.rs").lines().map_while(|line| line.strip_prefix("//!"));
    let documented: Vec<_> = documented.filter(|line| !line.starts_with("   ")).collect();
    for member in json.as_object().unwrap().keys() {
        assert!(documented.iter().any(|line| line.contains(member.as_str())), "{member} is not documented");
    }
    assert_eq!(json["format"], FORMAT);
    assert_eq!(json["takenAt"], "2027-01-01T12:00:00Z");
    assert_eq!(json["scope"], serde_json::Value::Null);
    assert_eq!(json["clean"], false);
    assert_eq!(json["totals"]["sealedPercent"], 25.0);
    assert_eq!(json["totals"]["sealedOrExemptPercent"], 62.5);
    assert_eq!(json["bySubscription"][SUBSCRIPTION]["pending"], 1);
    assert_eq!(json["gaps"][0]["what"], "subscription x");
    let soon = &json["exceptions"][4];
    assert_eq!((&soon["name"], &soon["until"]), (&"soon".into(), &"2027-01-31".into()));
    assert_eq!(soon["daysLeft"], 30);
    let untagged = &json["exceptions"][1];
    let missing = serde_json::json!({"dataAccessAuthMode": false, "networkAccess": {}, "tags": ["sealed"]});
    assert_eq!(untagged["missing"], missing);
    assert_eq!(untagged["detail"], "lacks the tag sealed");
    assert_eq!(json["exceptions"][0]["detail"], "lacks the mode and the tag sealed");
    assert_eq!(json["exceptions"][5]["owner"], "team <b>data</b>");
}

#[test]
fn csv_has_no_formulas() {
    let text = csv(&mixed());
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 7);
    assert_eq!(&records[1][5], "'=HYPERLINK(\"https://x\")");
    assert_eq!(&records[4][2], "<script>alert(1)</script>");
    assert_eq!((&records[4][3], &records[4][4]), ("2027-01-31", "30"));
}

#[test]
fn the_table_is_complete_and_has_no_control_characters() {
    let mut report = mixed();
    report.add_gap("subscription x\u{1b}[2J", "403");
    let text = table(&report, Screen::default(), Detail::Brief);
    assert!(
        text.starts_with("3 of 8 disks and snapshots are neither sealed nor exempt, and part of the scope"),
        "{text}"
    );
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    assert!(!text.contains('\u{202e}'));
    for words in [
        "Not checked: subscription x",
        "SUBSCRIPTION",
        "westeurope",
        "auth_mode",
        "=HYPERLINK",
        "exemption_expiring",
        "ends in 30 days",
        "77776666",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert!(text.lines().all(|line| line == line.trim_end()));
    let coloured = Screen { is_coloured: true, ..Screen::default() };
    assert!(table(&report, coloured, Detail::Brief).contains("\u{1b}[31munsealed\u{1b}[0m"));
}

#[test]
fn the_page_shows_tags_as_text() {
    let page = html(&mixed());
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("team &lt;b&gt;data&lt;/b&gt;"));
    assert_eq!(page.matches("<script").count(), 1, "the page's own");
    assert!(!page.contains("<b>data"));
    for outside in ["src=", "@import", "url(h", "style=\"", "onclick"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let links: Vec<_> = page.split("href=\"").skip(1).collect();
    assert!(links.len() > 6, "{links:?}");
    assert!(links.iter().all(|link| link.starts_with("#unsealed-title\"")
        || link.starts_with("https://portal.azure.com/#resource/")));
    assert!(!html(&report(&[])).contains("<search"));
}

#[test]
fn the_page_has_a_maximum_of_rows() {
    let resources: Vec<_> = (0..5_001).map(|index| resource(&format!("d{index}"), false, &[])).collect();
    let page = html(&report(&resources));
    assert_eq!(page.matches("data-status=").count(), 5_000);
    assert_eq!(page.matches("Lacks the mode and the tag sealed.").count(), 1, "once for all rows");
    assert!(page.contains("These are the first 5,000 of 5,001."));
}

#[test]
fn every_format_lists_pending_resources_with_their_state() {
    let machine = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm";
    let in_state = |name: &str, is_sealed: bool, state: &str, managed_by: Option<&str>| {
        let mut resource = resource(name, is_sealed, &[]);
        resource.disk_state = Some(state.to_owned());
        resource.held_by = managed_by.into_iter().map(str::to_owned).collect();
        resource
    };
    let mut tags_alone = in_state("tags-alone", true, "Attached", Some(machine));
    tags_alone.tags = crate::resource::tags::Tags::default();
    let mut snapshot = resource("empty", false, &[]);
    snapshot.id = snapshot.id.to_string().replace("/disks/", "/snapshots/").parse().unwrap();
    snapshot.create_option = Some("Empty".to_owned());
    let mut import = resource("import", false, &[]);
    (import.create_option, import.completion_percent) = (Some("Import".to_owned()), Some(7));
    let mut busy = resource("busy", false, &[]);
    busy.provisioning_state = Some("Updating".to_owned());
    let report = report(&[
        in_state("free", false, "Unattached", None),
        in_state("held", false, "Attached", Some(machine)),
        in_state("stopped", false, "Reserved", None),
        in_state("shared", false, "ActiveSAS", Some(machine)),
        in_state("loading", false, "activeupload", None),
        in_state("new", false, "ReadyToUpload", None),
        snapshot,
        import,
        in_state("fine", true, "Attached", Some(machine)),
        in_state("tmp-1", false, "Attached", Some(machine)),
        tags_alone,
        busy,
    ]);
    let expected = [
        "held attached",
        "shared active_sas",
        "stopped attached",
        "busy provisioning",
        "import import",
        "loading active_upload",
        "new ready_to_upload",
        "empty empty_snapshot",
    ];
    assert_eq!(named(report.pending()), expected);

    let json = json(&report);
    assert_eq!(json["pending"].as_array().unwrap().len(), 8);
    assert_eq!(json["pending"][0]["reason"], "attached");
    let text = format!("attached to {machine}; Azure may refuse the change until it is detached");
    assert_eq!(json["pending"][0]["text"], text);
    let table = table(&report, Screen::default(), Detail::Brief);
    assert!(table.contains("  PENDING ") && table.contains(&text), "{table}");
    let page = html(&report);
    for (text, count) in [("Azure may refuse the change until it is detached.", 1), (">Attached to vm<", 3)] {
        assert_eq!(page.matches(text).count(), count, "{text}");
    }
    assert_eq!(csv(&report).lines().filter(|line| line.contains(&text)).count(), 1);
}
