//! What is fed to a fuzzer: one function for each reader or writer of bytes from outside.
//!
//! Each function asserts more than that nothing panics: what is read comes out the same when it is written and read
//! again, what reaches a URL or a line cannot leave its place, and no claim of an event's caller comes out. `fuzz/`
//! feeds them, and a test of this room replays the corpora of `fuzz/corpus`. They are not part of the handler.

use time::OffsetDateTime;
use url::Url;

use crate::{
    arm, azure, config, event, function,
    policy::{
        self, NamedBy, Network, Policy, Protection,
        decide::{Decision, Occasion, decide},
    },
    report,
    resource::{Resource, properties::NetworkAccess},
    resource_id::{MachineId, ResourceId, is_scope},
    scope::is_management_group_id,
    telemetry::TraceContext,
    text,
};

/// A function to feed, by its name in `fuzz/corpus` and `fuzz/dictionary`.
pub type Target = (&'static str, fn(&[u8]));

/// Every function.
pub const TARGETS: [Target; 23] = [
    ("arm_error", arm::fuzz::error),
    ("arm_list", arm::fuzz::list),
    ("arm_operation", arm::fuzz::operation),
    ("arm_permissions", arm::fuzz::permissions),
    ("arm_resource", resource),
    ("arm_retry_after", arm::fuzz::retry_after),
    ("arm_rows", arm::fuzz::rows),
    ("envelope", function::fuzz::envelope),
    ("event", event_),
    ("exemption_tag", policy::fuzz::exemption_tag),
    ("exemptions", policy::fuzz::exemptions),
    ("globs", policy::fuzz::globs),
    ("identity_answer", azure::fuzz::answer),
    ("machine_id", machine_id),
    ("message", function::fuzz::message),
    ("report_csv", report::fuzz::csv),
    ("report_html", report::fuzz::html),
    ("resource_id", resource_id),
    ("scope", scope),
    ("settings", settings),
    ("tag_rule", policy::fuzz::tag_rule),
    ("text", text_),
    ("trace_context", trace_context),
];

const ID: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";

/// A mark that an output must not contain.
const SECRET: &str = "s3cr3t-0f-s0meb0dy";

/// Whether a URL of ARM with this path is asked for exactly this path.
fn is_a_whole_path(path: &str) {
    let Ok(mut url) = Url::parse("https://management.azure.com/") else { return };
    url.set_path(path);
    assert!(url.query().is_none() && url.fragment().is_none(), "{url}");
    let decoded: Vec<u8> = percent_encoding::percent_decode_str(url.path()).collect();
    assert_eq!(String::from_utf8_lossy(&decoded), path, "{url}");
}

fn resource_id(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(id) = text.parse::<ResourceId>() else { return };
    let written = id.to_string();
    let again = written.parse::<ResourceId>();
    assert_eq!(again.as_ref(), Ok(&id), "{written}");
    assert_eq!(again.map(|id| id.to_string()), Ok(written.clone()));
    assert_eq!(text::escaped(&written), written, "a name steers a terminal");
    is_a_whole_path(&written);
}

fn machine_id(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(id) = text.parse::<MachineId>() else { return };
    let written = id.to_string();
    let again = written.parse::<MachineId>();
    assert_eq!(again.as_ref(), Ok(&id), "{written}");
    assert_eq!(again.map(|id| id.to_string()), Ok(written.clone()));
    is_a_whole_path(&written);
}

fn scope(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if is_scope(text) {
        is_a_whole_path(text);
    }
    if is_management_group_id(text) {
        is_a_whole_path(&format!("/providers/Microsoft.Management/managementGroups/{text}/descendants"));
    }
}

/// An event, with claims of its caller added.
fn event_(data: &[u8]) {
    let Ok(mut event) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    if event.to_string().contains(SECRET) {
        // A fuzzer that sees comparisons learns the mark, and puts it where it may come out.
        return;
    }
    if let Some(data) = event.get_mut("data").and_then(serde_json::Value::as_object_mut) {
        let claims = ["name", "upn", "http://schemas.microsoft.com/identity/claims/objectidentifier"]
            .map(|name| (name.to_owned(), SECRET.into()));
        data.insert("claims".to_owned(), serde_json::Value::Object(claims.into_iter().collect()));
    }
    let Ok(event) = event::MEMBERS.of(event.to_string().as_bytes()) else { return };
    let said = match event::parse(event) {
        Ok(written) => format!("{written:?}"),
        Err(ignored) => format!("{ignored} {ignored:?}"),
    };
    assert!(!said.contains(SECRET), "{said}");
}

/// The body of a disk. After its own change, a resource needs no other.
fn resource(data: &[u8]) {
    let Ok(id) = ID.parse::<ResourceId>() else { return };
    let Ok(mut resource) = Resource::from_json(&id, data) else { return };
    let occasion = Occasion {
        now: OffsetDateTime::UNIX_EPOCH,
        event_time: None,
        trace_id: None,
        named_by: NamedBy::Event,
    };
    let policy = Policy { network: Network::DenyAll, ..Policy::default() };
    let Decision::Seal(change) = decide(&policy, &resource, &Protection::Unprotected, &occasion) else {
        return;
    };
    if let Some(mode) = change.data_access_auth_mode {
        resource.data_access_auth_mode = mode;
    }
    let NetworkAccess { network_access_policy, public_network_access } = change.network_access;
    if let Some(value) = network_access_policy {
        resource.network_access_policy = Some(value.as_str().to_owned());
    }
    if let Some(value) = public_network_access {
        resource.public_network_access = Some(value.as_str().to_owned());
    }
    for (name, value) in change.before.iter().chain(change.tags.iter()) {
        resource.tags.insert(name, value);
    }
    let decision = decide(&policy, &resource, &Protection::Unprotected, &occasion);
    assert!(!matches!(decision, Decision::Seal(_)), "{decision:?}");
}

/// Settings, one `NAME=VALUE` a line; a value may hold the mark as the password of a URL.
fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let text = text.replace("PASSWORD", SECRET);
    let given = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    };
    let is_a_password = text.contains(&format!(":{SECRET}@"));
    for said in [config::Config::for_serve(&given).map(drop), config::Config::for_command(&given).map(drop)] {
        let Err(faults) = said else { continue };
        let names = config::settings().map(|setting| setting.name).collect::<Vec<_>>();
        for fault in &faults.0 {
            assert!(names.contains(&fault.name), "{}", fault.name);
        }
        // A URL is the only setting that can hold a password; the value of any other is shown as it is.
        let of_urls = faults.0.iter().filter(|fault| fault.name.ends_with("ENDPOINT"));
        for fault in of_urls.filter(|_| is_a_password) {
            assert!(!fault.message.contains(&format!(":{SECRET}@")), "{}: {}", fault.name, fault.message);
        }
    }
}

fn text_(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let line = text::line(text);
    assert!(!line.chars().any(char::is_control), "{line:?}");
    assert!(!line.contains(['\u{202e}', '\u{2066}', '\u{2028}', '\u{61c}']), "{line:?}");
    assert_eq!(text::escaped(&text::escaped(text)), text::escaped(text), "escaping twice is escaping once");
    // An escape is ten bytes at most, of a character of one at least.
    assert!(line.len() <= 10 * 4_096 + 3, "{}", line.len());
}

/// `traceparent` on the first line, and `tracestate` on the others.
fn trace_context(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (parent, state) = text.split_once('\n').unwrap_or((text, ""));
    let context = TraceContext::received(Some(parent), Some(state));
    let is_w3c = parent.len() == 55 && parent.is_ascii();
    assert!(is_w3c || !context.is_valid() || !parent.starts_with("00-"), "{parent:?}");
    assert!(context.tracestate.is_none_or(|state| state.len() <= 8_192));
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn the_corpora_are_replayed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        for (name, target) in TARGETS {
            let inputs = fs::read_dir(folder.join(name)).unwrap().map(|entry| entry.unwrap().path());
            let inputs: Vec<_> = inputs.collect();
            assert!(!inputs.is_empty(), "fuzz/corpus/{name} is empty");
            for input in inputs {
                target(&fs::read(&input).unwrap());
            }
        }
        let folders = fs::read_dir(folder).unwrap().count();
        assert_eq!(folders, TARGETS.len(), "a folder of fuzz/corpus belongs to no target");
    }
}
