//! Names and tags of resources in the forms of the report, for a fuzzer.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "a panic is what a fuzzer looks for")]

use time::OffsetDateTime;

use super::{Entry, Report, Run, Source};
use crate::{
    policy::{Exemptions, Policy, Protection},
    resource::Resource,
    resource_id::ResourceId,
    scope::Scope,
};

const ID: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";

/// A report of one disk with texts of somebody: its owner, its exemption and its region, one a line.
fn report(text: &str) -> Option<Report> {
    let id: ResourceId = ID.parse().ok()?;
    let mut texts = text.splitn(3, '\n');
    let mut next = || texts.next().unwrap_or_default();
    let (owner, reason, location) = (next(), next(), next());
    let exempt = format!("until=2027-01-31; {reason}");
    let body = serde_json::json!({
        "id": ID, "location": location, "properties": {},
        "tags": {"owner": owner, "exempt": exempt},
    });
    let resource = Resource::from_json(&id, body.to_string().as_bytes()).ok()?;
    let run = Run {
        taken_at: OffsetDateTime::UNIX_EPOCH,
        identity: None,
        scope: Scope::Visible,
        source: Source::Graph,
        expiring_within: 30,
        since: OffsetDateTime::UNIX_EPOCH,
        is_of_all: true,
        portal: "https://portal.azure.com",
    };
    let exemptions = Exemptions { tag: Some("exempt".to_owned()), ..Exemptions::default() };
    let policy = Policy { exemptions, ..Policy::default() };
    let mut report = Report::new(run);
    report.add(&Entry::new(&policy, &resource, &Protection::Unprotected, report.taken_at()));
    report.add_gap(owner, reason);
    Some(report)
}

/// A spreadsheet finds the same cells, and no formula, whatever separates its cells.
pub fn csv(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(report) = report(text) else { return };
    let mut written = vec![];
    super::csv(&report, &mut written).expect("memory takes everything");
    let written = String::from_utf8(written).expect("a report is text");
    let mut lines = ::csv::ReaderBuilder::new().has_headers(false).from_reader(written.as_bytes());
    let rows: Vec<_> = lines.records().filter_map(Result::ok).collect();
    assert_eq!(rows.len(), 2, "{written}");
    assert_eq!(rows.iter().map(::csv::StringRecord::len).max(), rows.first().map(::csv::StringRecord::len));
    for cell in rows.iter().flatten().flat_map(|cell| cell.split([';', '\t', '\r', '\n'])) {
        let start = cell.trim_start_matches(|c: char| c.is_whitespace() || c == '"').chars().next();
        assert!(!matches!(start, Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')), "{cell:?}");
    }
}

/// The elements of the page are those of a page with harmless texts.
pub fn html(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.splitn(3, '\n').map(|line| if line.trim().is_empty() { "" } else { "x" });
    let harmless = lines.collect::<Vec<_>>().join("\n");
    let (Some(page), Some(other)) = (report(text), report(&harmless)) else { return };
    let elements = |page: &Report| {
        let page = super::html(page).expect("memory has everything");
        let names = |part: &str| part.split([' ', '>']).next().unwrap_or_default().to_owned();
        // The first part is before the first element.
        page.split('<').skip(1).map(names).collect::<Vec<_>>()
    };
    assert_eq!(elements(&page), elements(&other), "{text:?}");
}
