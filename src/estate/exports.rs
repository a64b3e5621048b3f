//! Who has taken a SAS URL of disks, snapshots and restore points, by the activity log.
//!
//! Sources: "Azure Activity Log event schema" (administrative events), "Access token claims reference" (`appid`, `idtyp`,
//! `appidacr`, `scp`), "Azure resource provider operations", Microsoft.Compute. Of a caller's claims only the
//! application is kept; of a person nothing.

use serde::Deserialize;
use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{
    arm::{ActivityPage, Client, Error},
    azure::Terms,
    report::{By, Caller, Export, Exports, Gap, Grant},
    scope::Scope,
};

/// The claims that only the token of a person has, besides `idtyp`.
const OF_PEOPLE: [&str; 4] = [
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
    "http://schemas.microsoft.com/identity/claims/scope",
    "scp",
    "upn",
];
/// The longest name that the report shows, in characters.
const NAME_CHARS_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(default)]
    claims: Value,
    #[serde(default, rename = "eventTimestamp")]
    at: Value,
    #[serde(default)]
    operation_name: Value,
    #[serde(default)]
    resource_id: Value,
    #[serde(default)]
    status: Value,
}

/// What an event of the log is.
enum Read {
    /// The end of a grant.
    Export(Export),
    /// Something else, or a grant that has not come to its end or has failed.
    Other,
    /// Perhaps a grant.
    Unreadable,
}

/// Reads the activity log of every subscription in scope, each page within `time`. What cannot be read is a gap.
pub async fn exports(
    arm: &Client,
    scope: &Scope,
    (since, until): (OffsetDateTime, OffsetDateTime),
    time: std::time::Duration,
) -> (Exports, Vec<Gap>) {
    let mut exports = Exports::new(since, until);
    let mut gaps = vec![];
    let mut gap = |what: String, why: String| gaps.push(Gap { what, why });
    let subscriptions = match arm.subscriptions(scope, Terms::behind_events(time)).await {
        Ok(all) => {
            all.unread.into_iter().for_each(|one| gap(one.what, one.why));
            all.ids
        }
        Err(error) => {
            gap("the activity log".to_owned(), error.to_string());
            vec![]
        }
    };
    for id in subscriptions {
        let mut unreadable = 0;
        if let Err(error) = read(arm, &id, &mut exports, &mut unreadable, time).await {
            gap(format!("the activity log of subscription {id}"), error.to_string());
        }
        if unreadable > 0 {
            let what = format!("{unreadable} events in the activity log of subscription {id}");
            gap(what, "they have a form that cannot be read, and may be exports".to_owned());
        }
    }
    if let more @ 1.. = exports.left_out() {
        gap(format!("{more} exports"), "too many to keep: they are counted by caller alone".to_owned());
    }
    (exports, gaps)
}

async fn read(
    arm: &Client,
    id: &str,
    exports: &mut Exports,
    unreadable: &mut usize,
    time: std::time::Duration,
) -> Result<(), Error> {
    let (since, until) = exports.between();
    let mut page = arm.activity(id, since, until, Terms::behind_events(time)).await?;
    loop {
        let ActivityPage { events, .. } = &page;
        for event in events {
            match parse(event.get()) {
                Read::Export(export) => exports.add(export),
                Read::Other => {}
                Read::Unreadable => *unreadable += 1,
            }
        }
        let Some(next) = arm.next_activity(id, &page, Terms::behind_events(time)).await? else {
            return Ok(());
        };
        page = next;
    }
}

fn parse(json: &str) -> Read {
    let Ok(event) = serde_json::from_str::<Event>(json) else { return Read::Unreadable };
    let Some(operation) = event.operation_name["value"].as_str() else { return Read::Unreadable };
    let Some(grant) = Grant::of_operation(operation) else { return Read::Other };
    match event.status["value"].as_str() {
        Some("Succeeded") => {}
        // Every grant begins with these, and one that has failed gave nothing away.
        Some("Started" | "Accepted" | "In Progress" | "Failed") => return Read::Other,
        _ => return Read::Unreadable,
    }
    let at = event.at.as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    let (Some(at), Some(resource)) = (at, event.resource_id.as_str()) else { return Read::Unreadable };
    let by = event.claims.as_object().map_or_else(By::unknown, by);
    Read::Export(Export { by, grant, resource: resource.to_owned(), at })
}

/// The caller, without anything of a person.
fn by(claims: &Map<String, Value>) -> By {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    // Whatever is no GUID may be a name.
    let application_id = text("appid").and_then(|id| Uuid::try_parse(id).ok()).map(|id| id.to_string());
    let is_person = match text("idtyp") {
        Some("app") => false,
        Some(_) => true,
        // An older token has no type. An application proves itself by a secret (1) or a certificate (2).
        None => {
            OF_PEOPLE.iter().any(|name| text(name).is_some()) || !matches!(text("appidacr"), Some("1" | "2"))
        }
    };
    let known = application_id.as_deref().and_then(By::known_name).map(str::to_owned);
    match (is_person, &application_id) {
        (true, _) => By { caller: Caller::Person, name: known, application_id },
        (false, None) => By::unknown(),
        (false, Some(_)) => {
            let identity = text("xms_mirid").and_then(|id| id.rsplit('/').next());
            let own = text("app_displayname").or(identity);
            let name = known.or_else(|| own.map(|name| name.chars().take(NAME_CHARS_MAX).collect()));
            By { caller: Caller::Application, application_id, name }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const APP: &str = "11112222-3333-4444-8555-666677778888";
    const CLI: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";

    #[test]
    fn of_a_person_nothing_is_kept_but_the_application() {
        let upn = OF_PEOPLE[0];
        for (claims, caller, application_id, name) in [
            (json!({"appid": APP, "idtyp": "app"}), Caller::Application, Some(APP), None),
            (json!({"appid": APP, "appidacr": "2"}), Caller::Application, Some(APP), None),
            (
                json!({"appid": APP, "idtyp": "app", "xms_mirid": "/subscriptions/x/id-backup"}),
                Caller::Application,
                Some(APP),
                Some("id-backup"),
            ),
            (
                json!({"appid": APP, "idtyp": "app", "app_displayname": "Veeam"}),
                Caller::Application,
                Some(APP),
                Some("Veeam"),
            ),
            (
                json!({"appid": CLI, "idtyp": "user", "name": "Jane Doe"}),
                Caller::Person,
                Some(CLI),
                Some("Azure CLI"),
            ),
            (
                json!({"appid": APP, "appidacr": "1", upn: "jane@example.com", "app_displayname": "Jane's"}),
                Caller::Person,
                Some(APP),
                None,
            ),
            (json!({"appid": "jane@example.com", "idtyp": "user"}), Caller::Person, None, None),
            (json!({"appid": "jane@example.com", "idtyp": "app"}), Caller::Unknown, None, None),
            // Neither a type nor a proof: it may be a person.
            (json!({"appid": APP, "name": "Jane Doe"}), Caller::Person, Some(APP), None),
            (json!({}), Caller::Person, None, None),
        ] {
            let found = by(claims.as_object().unwrap());
            assert_eq!(found.caller, caller, "{claims}");
            assert_eq!(
                (found.application_id.as_deref(), found.name.as_deref()),
                (application_id, name),
                "{claims}"
            );
        }
    }

    #[test]
    fn only_a_grant_that_succeeded_counts_and_what_may_be_one_is_not_passed_over() {
        let event = |operation: Value, status: Value| {
            json!({
                "claims": {"appid": APP, "idtyp": "app"}, "eventTimestamp": "2026-11-27T01:02:03.1234567Z",
                "operationName": {"value": operation}, "resourceId": "/subscriptions/x/disks/d",
                "status": {"value": status},
            })
        };
        let disk = || json!("MICROSOFT.COMPUTE/DISKS/BEGINGETACCESS/ACTION");
        let is = |event: &Value| match parse(&event.to_string()) {
            Read::Export(_) => "export",
            Read::Other => "other",
            Read::Unreadable => "unreadable",
        };
        assert_eq!(is(&event(disk(), json!("Succeeded"))), "export");
        for status in ["Started", "Accepted", "In Progress", "Failed"] {
            assert_eq!(is(&event(disk(), json!(status))), "other", "{status}");
        }
        for status in [json!("Done"), json!(null), json!(7)] {
            assert_eq!(is(&event(disk(), status.clone())), "unreadable", "{status}");
        }
        assert_eq!(is(&event(json!("Microsoft.Compute/disks/write"), json!("Done"))), "other");
        assert_eq!(is(&event(json!(null), json!("Succeeded"))), "unreadable");
        for member in ["eventTimestamp", "resourceId"] {
            let mut odd = event(disk(), json!("Succeeded"));
            odd[member] = json!([]);
            assert_eq!(is(&odd), "unreadable", "{member}");
        }
        let mut odd = event(disk(), json!("Succeeded"));
        odd["claims"] = json!("jane");
        assert!(matches!(parse(&odd.to_string()), Read::Export(Export { by, .. }) if by == By::unknown()));
    }
}
