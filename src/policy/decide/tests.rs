//! Tables and laws of `decide`.

use proptest::{option, prelude::*};
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
    Occasion { now: datetime!(2027-01-31 12:00:00.5 UTC), event_time: None, trace_id: Some("abc".into()) }
}

fn snapshot_id() -> ResourceId {
    id().to_string().replace("/disks/", "/snapshots/").parse().unwrap()
}

/// Decides about what nothing protects.
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
        held_by: vec![],
        source: None,
        time_created: None,
        tags: tags.iter().copied().collect(),
    }
}

const SEALED: [(&str, &str); 2] =
    [("diskseal-auth-mode", "AzureActiveDirectory"), ("diskseal-sealed-at", "2026-01-01T00:00:00Z")];

fn seal(mode: bool, tags: &[(&str, &str)]) -> Decision {
    Decision::Seal(Change {
        data_access_auth_mode: mode.then_some(DataAccessAuthMode::AzureActiveDirectory),
        tags: tags.iter().copied().collect(),
    })
}

#[test]
fn only_what_is_missing_is_written() {
    use DataAccessAuthMode::{AzureActiveDirectory, None, Other};
    let now = ("diskseal-sealed-at", "2027-01-31T12:00:00Z");
    let unknown = ("diskseal-sealed-at", "unknown");
    for (resource, expected) in [
        (resource(AzureActiveDirectory, &SEALED), Decision::Compliant),
        (resource(None, &[]), seal(true, &[SEALED[0], now])),
        (resource(Other("Passkey".into()), &[]), seal(true, &[SEALED[0], now])),
        // Drift: the mode was reset, so this is a new seal with a time of its own.
        (resource(None, &SEALED), seal(true, &[now])),
        // A crash between the two writes, or a tag that somebody removed.
        (resource(AzureActiveDirectory, &[]), seal(false, &[SEALED[0], unknown])),
        (resource(AzureActiveDirectory, &SEALED[1..]), seal(false, &SEALED[..1])),
        (
            resource(AzureActiveDirectory, &[("DISKSEAL-AUTH-MODE", "None"), SEALED[1]]),
            seal(false, &SEALED[..1]),
        ),
        (resource(AzureActiveDirectory, &[SEALED[0], ("diskseal-sealed-at", "")]), seal(false, &[unknown])),
        // A new seal replaces it by the time that is known then.
        (resource(None, &[SEALED[0], unknown]), seal(true, &[now])),
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
        ("Succeeded", "ActiveUpload", Some(PendingReason::ActiveUpload)),
        ("Succeeded", "Attached", None),
        ("Succeeded", "ReadyToUpload", None),
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

fn any_tags() -> impl Strategy<Value = Tags> {
    let name = prop_oneof![
        3 => "[a-z]{1,6}",
        1 => Just("diskseal-auth-mode".to_owned()),
        1 => Just("Diskseal-Sealed-At".to_owned()),
    ];
    let value = prop_oneof![Just("AzureActiveDirectory".to_owned()), "[a-z]{0,4}"];
    prop::collection::vec((name, value), 0..55).prop_map(|tags| tags.into_iter().take(50).collect())
}

prop_compose! {
    fn any_resource()(
        mode in prop_oneof![Just("None"), Just("AzureActiveDirectory"), Just("Other")],
        state in option::of(prop_oneof![Just("Succeeded"), Just("Failed")]),
        tags in any_tags(),
    ) -> Resource {
        Resource {
            id: id(),
            location: None,
            data_access_auth_mode: mode.to_owned().into(),
            provisioning_state: state.map(str::to_owned),
            disk_state: None,
            held_by: vec![],
            source: None,
            time_created: None,
            tags,
        }
    }
}

fn applied(resource: &Resource, change: &Change) -> Resource {
    Resource {
        data_access_auth_mode: change
            .data_access_auth_mode
            .clone()
            .unwrap_or_else(|| resource.data_access_auth_mode.clone()),
        tags: resource.tags.merged(&change.tags),
        ..resource.clone()
    }
}

proptest! {
    #[test]
    fn a_resource_is_compliant_after_its_own_change(resource in any_resource(), minutes in 0..1_000_000_i64) {
        if let Decision::Seal(change) = decide(&policy(), &resource, &occasion()) {
            let later = Occasion { now: occasion().now + time::Duration::minutes(minutes), ..occasion() };
            prop_assert_eq!(decide(&policy(), &applied(&resource, &change), &later), Decision::Compliant);
        }
    }

    #[test]
    fn a_crash_between_the_two_writes_is_mended_by_the_next_look(resource in any_resource()) {
        if let Decision::Seal(change) = decide(&policy(), &resource, &occasion()) {
            let half = applied(&resource, &Change { tags: Tags::default(), ..change.clone() });
            let whole = match decide(&policy(), &half, &occasion()) {
                Decision::Seal(rest) => {
                    prop_assert_eq!(&rest.data_access_auth_mode, &None);
                    applied(&half, &rest)
                }
                Decision::Compliant => half,
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            };
            prop_assert_eq!(decide(&policy(), &whole, &occasion()), Decision::Compliant);
        }
    }

    #[test]
    fn a_change_never_names_what_is_right_and_foreign_tags_survive(resource in any_resource()) {
        if let Decision::Seal(change) = decide(&policy(), &resource, &occasion()) {
            prop_assert!(change.data_access_auth_mode.is_some() || !change.tags.is_empty());
            prop_assert!(change.data_access_auth_mode.as_ref() != Some(&resource.data_access_auth_mode));
            for (name, value) in change.tags.iter() {
                prop_assert_ne!(resource.tags.get(name), Some(value));
            }
            let after = applied(&resource, &change);
            prop_assert!(after.tags.len() <= TAGS_MAX.max(resource.tags.len()));
            for (name, value) in resource.tags.iter().filter(|(name, _)| !name.to_lowercase().starts_with("diskseal-")) {
                prop_assert_eq!(after.tags.get(name), Some(value));
            }
        }
    }
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
        ("held by whom nobody says", &attached, &lasting, &left),
        ("a snapshot is no disk without a backup because it is new", &snapshot, &lasting, &left),
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
