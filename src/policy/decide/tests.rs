//! Tables of `decide`.

mod laws;
mod network;
mod trigger;

use time::macros::datetime;

use super::*;
use crate::{
    policy::{BackupGuard, Exemptions, TagRule},
    resource_id::ResourceId,
    scope::Scope,
};

fn id() -> ResourceId {
    "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-app/providers/Microsoft.Compute/disks/disk-a"
        .parse()
        .unwrap()
}

fn policy() -> Policy {
    Policy {
        tags: vec![
            TagRule::new("diskseal-auth-mode", "AzureActiveDirectory").unwrap(),
            TagRule::new("diskseal-sealed-at", "{sealed_at}").unwrap(),
        ],
        exemptions: Exemptions { tag: Some("diskseal-exempt".into()), ..Exemptions::default() },
        ..Policy::default()
    }
}

fn occasion() -> Occasion {
    Occasion {
        now: datetime!(2027-01-31 12:00:00.5 UTC),
        event_time: None,
        trace_id: Some("abc".into()),
        named_by: NamedBy::Event,
    }
}

fn snapshot_id() -> ResourceId {
    id().to_string().replace("/disks/", "/snapshots/").parse().unwrap()
}

/// Decides about an unprotected resource.
fn decide(policy: &Policy, resource: &Resource, occasion: &Occasion) -> Decision {
    super::decide(policy, resource, &Protection::Unprotected, occasion)
}

fn resource(mode: DataAccessAuthMode, tags: &[(&str, &str)]) -> Resource {
    Resource {
        id: id(),
        location: Some("westeurope".into()),
        data_access_auth_mode: mode,
        provisioning_state: Some("Succeeded".into()),
        disk_state: Some("Unattached".into()),
        create_option: None,
        completion_percent: None,
        held_by: vec![],
        source: None,
        time_created: None,
        network_access_policy: None,
        public_network_access: None,
        has_disk_access: false,
        unreadable: vec![],
        tags: tags.iter().copied().collect(),
    }
}

const SEALED: [(&str, &str); 2] =
    [("diskseal-auth-mode", "AzureActiveDirectory"), ("diskseal-sealed-at", "2026-01-01T00:00:00Z")];

fn seal(mode: bool, tags: &[(&str, &str)]) -> Decision {
    Decision::Seal(Change {
        data_access_auth_mode: mode.then_some(DataAccessAuthMode::AzureActiveDirectory),
        tags: tags.iter().copied().collect(),
        // Derived from the tags alone: no test that uses this has a removed mode.
        ..Change::default()
    })
}

#[test]
fn only_what_is_missing_is_written() {
    use DataAccessAuthMode::{AzureActiveDirectory, None, Other};
    let now = ("diskseal-sealed-at", "2027-01-31T12:00:00Z");
    let before = ("diskseal-sealed-at", "before 2027-01-31T12:00:00Z");
    for (resource, expected) in [
        (resource(AzureActiveDirectory, &SEALED), Decision::Compliant),
        (resource(None, &[]), seal(true, &[SEALED[0], now])),
        (resource(Other("Passkey".into()), &[]), seal(true, &[SEALED[0], now])),
        // A crash between the two writes, or a tag that somebody removed.
        (resource(AzureActiveDirectory, &[]), seal(false, &[SEALED[0], before])),
        (resource(AzureActiveDirectory, &SEALED[1..]), seal(false, &SEALED[..1])),
        (
            resource(AzureActiveDirectory, &[("DISKSEAL-AUTH-MODE", "None"), SEALED[1]]),
            seal(false, &SEALED[..1]),
        ),
        (resource(AzureActiveDirectory, &[SEALED[0], ("diskseal-sealed-at", "")]), seal(false, &[before])),
        // A new seal replaces it with its own time.
        (
            resource(AzureActiveDirectory, &[("DiskSeal-Auth-Mode", "AzureActiveDirectory"), SEALED[1]]),
            Decision::Compliant,
        ),
    ] {
        let decision = decide(&policy(), &resource, &occasion());
        let (Decision::Seal(got), Decision::Seal(want)) = (&decision, &expected) else {
            assert_eq!(decision, expected, "{resource:?}");
            continue;
        };
        assert_eq!(got, want, "{resource:?}");
    }
}

#[test]
fn a_resource_in_the_wrong_state_waits_only_if_something_is_missing() {
    for (state, disk_state, pending) in [
        ("Updating", "Unattached", Some(PendingReason::Provisioning)),
        ("Succeeded", "Attached", None),
        ("Failed", "Unattached", None),
    ] {
        let mut open = resource(DataAccessAuthMode::None, &[]);
        open.provisioning_state = Some(state.into());
        open.disk_state = Some(disk_state.into());
        let mut sealed = resource(DataAccessAuthMode::AzureActiveDirectory, &SEALED);
        sealed.provisioning_state.clone_from(&open.provisioning_state);
        sealed.disk_state.clone_from(&open.disk_state);
        match (decide(&policy(), &open, &occasion()), pending) {
            (Decision::Pending(got), Some(want)) => assert_eq!(got, want),
            (Decision::Seal(_), None) => {}
            (got, want) => panic!("{state}, {disk_state}: {got:?}, not {want:?}"),
        }
        assert_eq!(decide(&policy(), &sealed, &occasion()), Decision::Compliant);
    }
}

/// A resource with these values of `diskState`, `createOption`, `provisioningState` and `completionPercent`.
fn in_transfer(kind: &str, state: &str, option: &str, provisioning: &str, percent: Option<u8>) -> Resource {
    let given = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    Resource {
        id: id().to_string().replace("/disks/", &format!("/{kind}/")).parse().unwrap(),
        disk_state: given(state),
        create_option: given(option),
        provisioning_state: given(provisioning),
        completion_percent: percent,
        ..resource(DataAccessAuthMode::None, &[])
    }
}

#[test]
fn no_seal_breaks_an_upload_or_an_import() {
    use PendingReason::{ActiveUpload, EmptySnapshot, Import, Provisioning, ReadyToUpload};
    for (state, option, provisioning, percent, pending) in [
        ("ReadyToUpload", "", "Succeeded", None, Some(ReadyToUpload)),
        ("readytoupload", "Upload", "Updating", None, Some(ReadyToUpload)),
        ("ActiveUpload", "Upload", "Succeeded", None, Some(ActiveUpload)),
        ("activeupload", "Empty", "", None, Some(ActiveUpload)),
        ("", "Upload", "Succeeded", None, Some(ReadyToUpload)),
        ("", "uploadpreparedsecure", "", None, Some(ReadyToUpload)),
        ("Unattached", "Upload", "Succeeded", None, None),
        ("Attached", "UploadPreparedSecure", "Succeeded", None, None),
        ("Unattached", "Import", "Updating", None, Some(Import)),
        ("Unattached", "Import", "Succeeded", Some(99), Some(Import)),
        ("Unattached", "import", "", Some(0), Some(Import)),
        ("Unattached", "ImportSecure", "Succeeded", Some(50), Some(Import)),
        ("Unattached", "Restore", "Creating", None, Some(Import)),
        ("Unattached", "Import", "Succeeded", Some(100), None),
        ("Unattached", "Import", "Succeeded", None, None),
        ("Unattached", "Import", "Failed", Some(40), None),
        ("Unattached", "Copy", "Succeeded", Some(40), None),
        ("Unattached", "Copy", "Updating", Some(40), Some(Provisioning)),
    ] {
        for kind in ["disks", "snapshots"] {
            let resource = in_transfer(kind, state, option, provisioning, percent);
            let decision = decide(&policy(), &resource, &occasion());
            let got = if let Decision::Pending(reason) = decision { Some(reason) } else { None };
            assert_eq!(got, pending, "{resource:?}");
            // Tags alone break nothing, and an existing seal stays.
            let mode = DataAccessAuthMode::AzureActiveDirectory;
            let resource = Resource { data_access_auth_mode: mode, ..resource };
            let is_pending = matches!(decide(&policy(), &resource, &occasion()), Decision::Pending(_));
            assert_eq!(is_pending, resource.is_provisioning(), "{resource:?}");
        }
    }
    let empty = |kind| decide(&policy(), &in_transfer(kind, "Unattached", "Empty", "", None), &occasion());
    assert_eq!(empty("snapshots"), Decision::Pending(EmptySnapshot));
    assert!(matches!(empty("disks"), Decision::Seal(_)), "every new data disk is empty");
}

#[test]
fn a_removed_seal_is_known_by_its_own_tags() {
    use DataAccessAuthMode::{None as Unset, Other};
    let sealed_at = datetime!(2026-01-01 0:00 UTC);
    let is_removal = |policy: &Policy, resource: &Resource| match decide(policy, resource, &occasion()) {
        Decision::Seal(change) => change.is_removal,
        other => panic!("{other:?}"),
    };
    let created = |created| Resource { time_created: created, ..resource(Unset, &SEALED) };
    let tagged_before = |created| Resource {
        time_created: Some(created),
        ..resource(Unset, &[SEALED[0], ("diskseal-sealed-at", "before 2026-01-01T00:00:00Z")])
    };
    for (resource, expected) in [
        (created(Some(sealed_at - time::Duration::DAY)), true),
        // The tag has whole seconds.
        (created(Some(sealed_at + time::Duration::milliseconds(900))), true),
        (created(None), true),
        (Resource { data_access_auth_mode: Other("Passkey".into()), ..created(None) }, true),
        // It had the mode at the first look.
        (tagged_before(sealed_at), true),
        (tagged_before(sealed_at + time::Duration::SECOND), false),
        // Copied from another resource.
        (created(Some(sealed_at + time::Duration::SECOND)), false),
        (resource(Unset, &[]), false),
        (resource(Unset, &SEALED[..1]), false),
        (resource(Unset, &SEALED[1..]), false),
        (resource(Unset, &[("diskseal-auth-mode", "None"), SEALED[1]]), false),
        (resource(Unset, &[SEALED[0], ("diskseal-sealed-at", "yesterday")]), false),
        (resource(DataAccessAuthMode::AzureActiveDirectory, &SEALED[1..]), false),
    ] {
        assert_eq!(is_removal(&policy(), &resource), expected, "{resource:?}");
    }
    // A new seal with a time of its own.
    let Decision::Seal(change) = decide(&policy(), &created(None), &occasion()) else { panic!() };
    let tags: Vec<_> = change.tags.iter().collect();
    assert_eq!(tags, [("diskseal-sealed-at", "2027-01-31T12:00:00Z")]);

    let with = |tags: &[(&str, &str)]| Policy {
        tags: tags.iter().map(|(name, template)| TagRule::new(name, template).unwrap()).collect(),
        ..policy()
    };
    let at = |value: &str| resource(Unset, &[("at", value)]);
    assert!(is_removal(&with(&[("at", "on {sealed_at}.")]), &at("on 2026-01-01T00:00:00Z.")));
    for rules in [&[][..], &[("at", "yes")], &[("at", "{sealed_at} {trace_id}")], &[("at", "{trace_id}")]] {
        assert!(
            !is_removal(&with(rules), &at("yes")),
            "{rules:?}: without a time, the owner of the tags is unknown"
        );
    }
}

#[test]
fn exemptions_are_found_in_order_and_an_expired_one_is_none() {
    let with = |change: fn(&mut Policy)| {
        let mut policy = policy();
        change(&mut policy);
        policy
    };
    let open = |tags: &[(&str, &str)]| resource(DataAccessAuthMode::None, tags);
    let reason = |policy: &Policy, resource: &Resource| match decide(policy, resource, &occasion()) {
        Decision::Exempt(exemption) => exemption.reason(),
        other => panic!("{other:?}"),
    };
    let tagged = open(&[("Diskseal-Exempt", "until=2027-01-31; INC-1234")]);
    assert_eq!(
        reason(
            &with(|p| p.scope = Scope::Subscriptions(vec!["99999999-2222-4333-8444-555555555555".into()])),
            &open(&[])
        ),
        "out_of_scope"
    );
    assert_eq!(
        reason(&with(|p| p.exemptions.subscriptions = "1111*".parse().unwrap()), &open(&[])),
        "subscription"
    );
    assert_eq!(
        reason(&with(|p| p.exemptions.resource_groups = "RG-*".parse().unwrap()), &open(&[])),
        "resource_group"
    );
    assert_eq!(reason(&with(|p| p.exemptions.names = "x,*-A".parse().unwrap()), &open(&[])), "name");
    assert_eq!(reason(&policy(), &tagged), "tag");

    // Off unless a setting turns it on.
    assert!(matches!(decide(&with(|p| p.exemptions.tag = None), &tagged, &occasion()), Decision::Seal(_)));
    // In scope by its own subscription, in any case.
    let in_scope = with(|p| {
        p.scope = Scope::Subscriptions(vec!["11111111-2222-4333-8444-555555555555".to_uppercase()]);
    });
    assert!(matches!(decide(&in_scope, &open(&[]), &occasion()), Decision::Seal(_)));

    for (value, notice) in [
        ("until=2027-01-30; over", Notice::ExemptionExpired(time::macros::date!(2027 - 01 - 30))),
        ("please", Notice::ExemptionUnreadable),
    ] {
        let resource = open(&[("diskseal-exempt", value)]);
        assert!(matches!(decide(&policy(), &resource, &occasion()), Decision::Seal(_)), "{value}");
        assert_eq!(notices(&policy(), &resource, occasion().now), [notice]);
    }
    assert!(notices(&policy(), &tagged, occasion().now).is_empty());
}

#[test]
fn a_resource_with_no_room_for_tags_gets_the_mode_alone_and_then_rest() {
    let names: Vec<String> = (0..49).map(|i| format!("t{i}")).collect();
    let full: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
    let open = resource(DataAccessAuthMode::None, &full);
    assert_eq!(decide(&policy(), &open, &occasion()), seal(true, &[]));
    assert_eq!(notices(&policy(), &open, occasion().now), [Notice::NoRoomForTags]);
    let sealed = resource(DataAccessAuthMode::AzureActiveDirectory, &full);
    assert_eq!(decide(&policy(), &sealed, &occasion()), Decision::Compliant);
    // With one tag less, both fit.
    let sealed = resource(DataAccessAuthMode::AzureActiveDirectory, &full[1..]);
    assert!(
        matches!(decide(&policy(), &sealed, &occasion()), Decision::Seal(change) if change.tags.len() == 2)
    );
}

#[test]
fn templates_see_the_event_and_the_trace() {
    let mut policy = policy();
    policy.tags = vec![TagRule::new("t", "{event_time} {trace_id}").unwrap()];
    let occasion = Occasion { event_time: Some(datetime!(2027-01-31 13:00:00 +1)), ..occasion() };
    let Decision::Seal(change) = decide(&policy, &resource(DataAccessAuthMode::None, &[]), &occasion) else {
        panic!("not a seal");
    };
    assert_eq!(change.tags.get("t"), Some("2027-01-31T12:00:00Z abc"));
}

#[test]
fn a_backup_or_the_doubt_of_one_keeps_the_mode_from_being_set() {
    let vault = Protection::By("/vault".to_owned());
    let (passing, lasting) = (Protection::Unknown(Doubt::Passing), Protection::Unknown(Doubt::Lasting));
    let by_vault = Decision::Protected(Guarded::Vault("/vault".to_owned()));
    let later = Decision::Pending(PendingReason::GuardUnknown);
    let left = Decision::Protected(Guarded::Unknown);
    let sealed = seal(
        true,
        &[("diskseal-auth-mode", "AzureActiveDirectory"), ("diskseal-sealed-at", "2027-01-31T12:00:00Z")],
    );
    let new = Resource {
        time_created: Some(datetime!(2027-01-31 11:00:01 UTC)),
        ..resource(DataAccessAuthMode::None, &[])
    };
    let old = Resource { time_created: Some(datetime!(2027-01-31 11:00 UTC)), ..new.clone() };
    let unknown = Resource { time_created: None, ..new.clone() };
    let held = Resource { held_by: vec!["/vm".to_owned()], ..new.clone() };
    let attached = Resource { disk_state: Some("attached".to_owned()), ..new.clone() };
    let snapshot = Resource { id: snapshot_id(), ..new.clone() };
    for (what, resource, protection, decision) in [
        ("unprotected", &held, &Protection::Unprotected, &sealed),
        ("protected", &new, &vault, &by_vault),
        ("new and free", &new, &passing, &sealed),
        ("new and free", &new, &lasting, &sealed),
        ("old and free", &old, &passing, &later),
        ("old and free", &old, &lasting, &left),
        ("of no known age", &unknown, &lasting, &left),
        ("held", &held, &passing, &later),
        ("held", &held, &lasting, &left),
        ("held by an unknown machine", &attached, &lasting, &left),
        ("a new snapshot, which a backup may have made", &snapshot, &lasting, &left),
    ] {
        let decide = |policy: &Policy| super::decide(policy, resource, protection, &occasion());
        assert_eq!(decide(&policy()), *decision, "{what}: {protection:?}");
        for backup_guard in [BackupGuard::Warn, BackupGuard::Off] {
            assert_eq!(decide(&Policy { backup_guard, ..policy() }), sealed, "{what}: {backup_guard:?}");
        }
    }
    // Tags break no backup.
    let untagged = resource(DataAccessAuthMode::AzureActiveDirectory, &[]);
    assert!(matches!(super::decide(&policy(), &untagged, &vault, &occasion()), Decision::Seal(_)));
}

#[test]
fn a_time_at_the_end_of_the_calendar_is_no_panic() {
    let mut policy = policy();
    policy.tags = vec![TagRule::new("t", "{event_time}").unwrap()];
    let resource = resource(DataAccessAuthMode::None, &[]);
    for event_time in [
        datetime!(9999-12-31 23:59:59 -01:00),
        datetime!(9999-12-31 23:59:59.9999999 UTC),
        datetime!(0000-01-01 0:00 +23:59),
    ] {
        let occasion = Occasion { event_time: Some(event_time), ..occasion() };
        assert!(matches!(decide(&policy, &resource, &occasion), Decision::Seal(_)), "{event_time}");
    }
}
