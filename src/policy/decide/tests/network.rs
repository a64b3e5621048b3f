//! Tables and laws of the network settings.

use proptest::{option, prelude::*, sample::select};

use super::*;
use crate::{
    policy::{NETWORK_BEFORE, Network, network::restored},
    resource::properties::{NetworkAccessPolicy, PublicNetworkAccess},
};

const VAULT: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/v";

fn with(network: Network) -> Policy {
    Policy { network, ..policy() }
}

fn guarded_by(backup_guard: BackupGuard, network: Network) -> Policy {
    Policy { backup_guard, ..with(network) }
}

/// A sealed resource with these network settings.
fn sealed(policy: Option<&str>, public: Option<&str>) -> Resource {
    Resource {
        network_access_policy: policy.map(str::to_owned),
        public_network_access: public.map(str::to_owned),
        time_created: Some(datetime!(2026-11-01 08:00:00.123 UTC)),
        ..resource(DataAccessAuthMode::AzureActiveDirectory, &SEALED)
    }
}

fn change(decision: Decision) -> Change {
    match decision {
        Decision::Seal(change) => change,
        other => panic!("{other:?}"),
    }
}

/// The resource after all writes of a change.
fn applied(resource: &Resource, change: &Change) -> Resource {
    let mut after = resource.clone();
    if let Some(mode) = change.data_access_auth_mode.clone() {
        after.data_access_auth_mode = mode;
    }
    for (name, value) in change.network_access.pairs() {
        match name {
            "networkAccessPolicy" => after.network_access_policy = Some(value.to_owned()),
            _ => after.public_network_access = Some(value.to_owned()),
        }
    }
    after.tags = after.tags.merged(&change.before).merged(&change.tags);
    after
}

#[test]
fn each_choice_sets_what_differs_and_keeps_what_it_was() {
    use Network::{DenyAll, DenyPublic, Off};
    let created = "timeCreated=2026-11-01T08:00:00Z";
    for (network, policy, public, set, before) in [
        (Off, Some("AllowAll"), Some("Enabled"), None, ""),
        (DenyPublic, Some("AllowAll"), Some("Enabled"), Some((false, true)), "publicNetworkAccess=Enabled, "),
        // Absent members have Azure's defaults.
        (DenyPublic, None, None, Some((false, true)), "publicNetworkAccess=Enabled, "),
        (DenyPublic, Some("DenyAll"), Some("enabled"), Some((false, true)), "publicNetworkAccess=Enabled, "),
        (DenyPublic, Some("AllowAll"), Some("disabled"), None, ""),
        // Whatever the other one says, what is wanted is there.
        (DenyPublic, Some("AllowSome"), Some("Disabled"), None, ""),
        (
            DenyAll,
            Some("AllowAll"),
            Some("Enabled"),
            Some((true, true)),
            "networkAccessPolicy=AllowAll, publicNetworkAccess=Enabled, ",
        ),
        (DenyAll, Some("allowall"), Some("Disabled"), Some((true, false)), "networkAccessPolicy=AllowAll, "),
        (DenyAll, Some("DenyAll"), Some("Enabled"), Some((false, true)), "publicNetworkAccess=Enabled, "),
        (DenyAll, Some("denyall"), Some("Disabled"), None, ""),
        (DenyAll, Some("AllowPrivate"), Some("Enabled"), None, ""),
        (DenyPublic, Some("AllowPrivate"), Some("Enabled"), None, ""),
    ] {
        let resource = sealed(policy, public);
        let decision = decide(&with(network), &resource, &occasion());
        let Some((sets_policy, sets_public)) = set else {
            assert_eq!(decision, Decision::Compliant, "{network:?} {policy:?} {public:?}");
            continue;
        };
        let change = change(decision);
        let expected = NetworkAccess {
            network_access_policy: sets_policy.then_some(NetworkAccessPolicy::DenyAll),
            public_network_access: sets_public.then_some(PublicNetworkAccess::Disabled),
        };
        assert_eq!(change.network_access, expected, "{network:?} {policy:?} {public:?}");
        assert_eq!((change.data_access_auth_mode, change.tags.len()), (None, 0));
        assert_eq!(change.before.get(NETWORK_BEFORE), Some(format!("{before}{created}").as_str()));
        assert!(!change.is_removal);
    }
}

#[test]
fn private_endpoints_are_left_alone_in_every_form() {
    for network in [Network::DenyPublic, Network::DenyAll] {
        for policy in [None, Some("AllowAll"), Some("AllowPrivate"), Some("Other")] {
            let with_disk_access = Resource { has_disk_access: true, ..sealed(policy, Some("Enabled")) };
            assert_eq!(decide(&with(network), &with_disk_access, &occasion()), Decision::Compliant);
            let unsealed = Resource { data_access_auth_mode: DataAccessAuthMode::None, ..with_disk_access };
            let change = change(decide(&with(network), &unsealed, &occasion()));
            assert!(change.network_access.is_empty() && change.data_access_auth_mode.is_some());
        }
    }
}

#[test]
fn a_value_that_is_not_known_keeps_the_network_as_it_is_and_is_never_the_good_end() {
    let odd = |resource: Resource| Resource { unreadable: vec![Member::NetworkAccess], ..resource };
    for (network, resource) in [
        (Network::DenyAll, sealed(Some("AllowSome"), Some("Enabled"))),
        (Network::DenyAll, sealed(Some("AllowSome"), Some("Disabled"))),
        (Network::DenyPublic, sealed(Some("AllowSome"), Some("Enabled"))),
        (Network::DenyPublic, sealed(Some("AllowAll"), Some("SecuredByPerimeter"))),
        (Network::DenyPublic, odd(sealed(None, None))),
        (Network::DenyAll, odd(sealed(None, Some("Disabled")))),
    ] {
        let unknown = Decision::Pending(PendingReason::NetworkUnknown);
        assert_eq!(decide(&with(network), &resource, &occasion()), unknown, "{network:?} {resource:?}");
        // The auth mode does not wait for it.
        let open = Resource { data_access_auth_mode: DataAccessAuthMode::None, ..resource.clone() };
        let change = change(decide(&with(network), &open, &occasion()));
        assert!(change.data_access_auth_mode.is_some() && change.network_access.is_empty());
        assert_eq!(decide(&policy(), &resource, &occasion()), Decision::Compliant, "nobody asks for it");
    }
}

#[test]
fn what_somebody_has_undone_is_set_again_as_a_removal() {
    let fresh = sealed(None, None);
    let after = applied(&fresh, &change(decide(&with(Network::DenyAll), &fresh, &occasion())));
    assert_eq!(decide(&with(Network::DenyAll), &after, &occasion()), Decision::Compliant);
    let reopened = Resource { public_network_access: Some("Enabled".into()), ..after.clone() };
    let again = change(decide(&with(Network::DenyAll), &reopened, &occasion()));
    assert!(again.is_removal && again.before.is_empty(), "{again:?}");
    assert_eq!(again.network_access.network_access_policy, None);
    // More is asked for than before: nobody has undone anything.
    let half = applied(&fresh, &change(decide(&with(Network::DenyPublic), &fresh, &occasion())));
    let rest = change(decide(&with(Network::DenyAll), &half, &occasion()));
    assert!(!rest.is_removal);
    let kept = rest.before.get(NETWORK_BEFORE).unwrap();
    assert!(kept.contains("networkAccessPolicy=AllowAll, publicNetworkAccess=Enabled"), "{kept}");
    // A tag that was copied is about another resource.
    let copy = Resource { time_created: Some(datetime!(2026-12-01 08:00 UTC)), ..reopened };
    let copied = change(decide(&with(Network::DenyAll), &copy, &occasion()));
    assert!(!copied.is_removal);
    let kept = copied.before.get(NETWORK_BEFORE).unwrap();
    assert_eq!(kept, "publicNetworkAccess=Enabled, timeCreated=2026-12-01T08:00:00Z");
    assert!(restored(&copy).is_empty());
}

#[test]
fn the_tag_has_room_or_is_left_out_and_without_tags_nothing_is_kept() {
    let names: Vec<_> = (0..TAGS_MAX).map(|n| format!("t{n}")).collect();
    let full = |count: usize| Resource {
        tags: names.iter().take(count).map(|name| (name.as_str(), "x")).collect(),
        ..sealed(None, None)
    };
    for (count, is_kept, tags) in [(47, true, 2), (48, true, 0), (49, true, 0), (50, false, 0)] {
        let change = change(decide(&with(Network::DenyAll), &full(count), &occasion()));
        assert_eq!((!change.before.is_empty(), change.tags.len()), (is_kept, tags), "{count}");
        assert!(!change.network_access.is_empty());
        let is_short = notices(&with(Network::DenyAll), &full(count), occasion().now);
        assert_eq!(!is_short.is_empty(), count > 47, "{count}: {is_short:?}");
    }
    let untagged = Policy { tags: vec![], ..with(Network::DenyPublic) };
    let change = change(decide(&untagged, &sealed(None, None), &occasion()));
    assert!(change.before.is_empty() && change.tags.is_empty() && !change.network_access.is_empty());
    // Tags that cannot be read may hold what an earlier change has overwritten.
    let unreadable = Resource { unreadable: vec![Member::Tags], ..sealed(None, None) };
    let policy = Policy { exemptions: Exemptions::default(), ..with(Network::DenyAll) };
    assert_eq!(decide(&policy, &unreadable, &occasion()), Decision::Pending(PendingReason::Malformed));
}

#[test]
fn the_backup_guard_leaves_the_network_alone_or_sets_nothing_else() {
    let by = Protection::By(VAULT.to_owned());
    let vault = || Guarded::Vault(VAULT.to_owned());
    let network_only = || Guarded::NetworkOnly(VAULT.to_owned());
    let open = || Resource { data_access_auth_mode: DataAccessAuthMode::None, ..sealed(None, None) };
    let untagged = |resource: Resource| Resource { tags: Tags::default(), ..resource };
    let decide = |policy: &Policy, resource: &Resource, protection: &Protection| {
        super::super::decide(policy, resource, protection, &occasion())
    };
    let skip = guarded_by(BackupGuard::Skip, Network::DenyAll);
    assert_eq!(decide(&skip, &open(), &by), Decision::Protected(vault()));
    assert_eq!(decide(&skip, &sealed(None, None), &by), Decision::Protected(vault()));
    // Tags break no backup.
    let tags = change(decide(&skip, &untagged(sealed(None, None)), &by));
    assert!(!tags.sets_properties() && tags.before.is_empty() && tags.tags.len() == 2, "{tags:?}");
    for chosen in [Network::Off, Network::DenyPublic, Network::DenyAll] {
        let policy = guarded_by(BackupGuard::Network, chosen);
        let alone = change(decide(&policy, &untagged(open()), &by));
        assert_eq!(alone.held_back, Some(network_only()));
        assert!(alone.data_access_auth_mode.is_none() && alone.tags.is_empty(), "they claim the mode");
        assert_eq!(alone.network_access.public_network_access, Some(PublicNetworkAccess::Disabled));
        assert_eq!(alone.network_access.network_access_policy.is_some(), chosen == Network::DenyAll);
        assert_eq!(decide(&policy, &applied(&open(), &alone), &by), Decision::Protected(network_only()));
        let private = Resource { network_access_policy: Some("AllowPrivate".into()), ..open() };
        assert_eq!(decide(&policy, &private, &by), Decision::Protected(network_only()));
        let odd = Resource { network_access_policy: Some("Other".into()), ..open() };
        assert_eq!(decide(&policy, &odd, &by), Decision::Protected(vault()));
        // It is not known whether it is protected.
        let old = |resource| Resource { time_created: Some(datetime!(2020-01-01 0:00 UTC)), ..resource };
        let lasting = change(decide(&policy, &old(open()), &Protection::Unknown(Doubt::Lasting)));
        assert_eq!(lasting.held_back, Some(Guarded::Unknown));
        assert!(lasting.data_access_auth_mode.is_none() && !lasting.network_access.is_empty());
        assert_eq!(
            decide(&policy, &old(open()), &Protection::Unknown(Doubt::Passing)),
            Decision::Pending(PendingReason::GuardUnknown)
        );
        // Without a backup it is sealed as always.
        let change = change(decide(&policy, &open(), &Protection::Unprotected));
        assert!(change.data_access_auth_mode.is_some() && change.held_back.is_none());
        // An upload would break.
        let upload = Resource { disk_state: Some("ActiveUpload".into()), ..open() };
        assert_eq!(decide(&policy, &upload, &by), Decision::Pending(PendingReason::ActiveUpload));
    }
    for backup_guard in [BackupGuard::Warn, BackupGuard::Off] {
        let change = change(decide(&guarded_by(backup_guard, Network::DenyAll), &open(), &by));
        assert!(change.data_access_auth_mode.is_some() && !change.network_access.is_empty());
    }
}

#[test]
fn uploads_wait_for_the_network_too_unless_the_mode_has_ended_them() {
    let policy = with(Network::DenyPublic);
    for (state, reason) in
        [("ActiveUpload", PendingReason::ActiveUpload), ("ReadyToUpload", PendingReason::ReadyToUpload)]
    {
        let upload = Resource { disk_state: Some(state.into()), ..sealed(None, None) };
        assert_eq!(decide(&policy, &upload, &occasion()), Decision::Pending(reason));
    }
    let empty = Resource { id: snapshot_id(), create_option: Some("Empty".into()), ..sealed(None, None) };
    assert!(decide(&policy, &empty, &occasion()).sets_properties());
    let open = Resource { data_access_auth_mode: DataAccessAuthMode::None, ..empty };
    assert_eq!(decide(&policy, &open, &occasion()), Decision::Pending(PendingReason::EmptySnapshot));
}

#[test]
fn only_what_the_seal_has_set_is_restored() {
    let fresh = sealed(None, None);
    let after = applied(&fresh, &change(decide(&with(Network::DenyAll), &fresh, &occasion())));
    let all = NetworkAccess {
        network_access_policy: Some(NetworkAccessPolicy::AllowAll),
        public_network_access: Some(PublicNetworkAccess::Enabled),
    };
    assert_eq!(restored(&after), all);
    let chosen = |policy: &str| Resource { network_access_policy: Some(policy.into()), ..after.clone() };
    assert!(restored(&chosen("AllowPrivate")).is_empty(), "somebody's choice since");
    assert_eq!(restored(&chosen("Other")).network_access_policy, None);
    assert!(restored(&Resource { has_disk_access: true, ..after.clone() }).is_empty());
    let public = applied(&fresh, &change(decide(&with(Network::DenyPublic), &fresh, &occasion())));
    let denied_since = Resource { network_access_policy: Some("DenyAll".into()), ..public };
    assert_eq!(
        restored(&denied_since),
        NetworkAccess { network_access_policy: None, ..all },
        "the seal had not set it"
    );
    assert!(restored(&sealed(Some("DenyAll"), Some("Disabled"))).is_empty(), "there is no tag");
    let forged = Resource {
        tags: [(
            NETWORK_BEFORE,
            "networkAccessPolicy=AllowPrivate, publicNetworkAccess=Other, timeCreated=2026-11-01T08:00:00Z",
        )]
        .into_iter()
        .collect(),
        ..sealed(Some("DenyAll"), Some("Disabled"))
    };
    assert!(restored(&forged).is_empty());
}

fn any_network() -> impl Strategy<Value = Network> {
    select(vec![Network::Off, Network::DenyPublic, Network::DenyAll])
}

prop_compose! {
    fn any_resource()(
        mode in select(vec!["None", "AzureActiveDirectory", "Other"]),
        policy in option::of(select(vec!["AllowAll", "allowall", "AllowPrivate", "DenyAll", "Other", ""])),
        public in option::of(select(vec!["Enabled", "enabled", "Disabled", "Other"])),
        has_disk_access: bool,
        has_time: bool,
        state in select(vec!["Unattached", "ActiveSAS", "Attached"]),
        before in option::of(select(vec![
            "", "nonsense", "networkAccessPolicy=AllowAll, timeCreated=2026-11-01T08:00:00Z",
            "publicNetworkAccess=Disabled, timeCreated=2026-11-01T08:00:00Z", "publicNetworkAccess=Enabled, timeCreated=unknown",
        ])),
        others in 0..=TAGS_MAX,
    ) -> Resource {
        let names: Vec<_> = (0..others).map(|n| format!("t{n}")).collect();
        let before = before.map(|value| (NETWORK_BEFORE, value));
        Resource {
            has_disk_access,
            disk_state: Some(state.into()),
            data_access_auth_mode: mode.to_owned().into(),
            time_created: has_time.then_some(datetime!(2026-11-01 08:00 UTC)),
            tags: before.into_iter().chain(names.iter().map(|name| (name.as_str(), "x"))).take(TAGS_MAX).collect(),
            ..sealed(policy.filter(|policy| !policy.is_empty()), public)
        }
    }
}

proptest! {
    #[test]
    fn after_its_own_change_a_resource_needs_no_other(
        resource in any_resource(),
        network in any_network(),
        has_tags: bool,
    ) {
        let tags = if has_tags { policy().tags } else { vec![] };
        let policy = Policy { tags, ..with(network) };
        let decision = decide(&policy, &resource, &occasion());
        let after = match &decision {
            Decision::Seal(change) => applied(&resource, change),
            _ => resource.clone(),
        };
        let end = decide(&policy, &after, &occasion());
        let is_unknown = end == Decision::Pending(PendingReason::NetworkUnknown);
        prop_assert!(end == Decision::Compliant || is_unknown, "{:?}", end);
        prop_assert!(!is_unknown || network != Network::Off);
        prop_assert!(after.tags.len() <= TAGS_MAX);
        // What is private stays as it is, and so does everything where the setting is off.
        if resource.has_disk_access || network == Network::Off || resource.network_access_policy.as_deref() == Some("AllowPrivate") {
            prop_assert_eq!(&after.network_access_policy, &resource.network_access_policy);
            prop_assert_eq!(&after.public_network_access, &resource.public_network_access);
        }
    }

    #[test]
    fn wherever_a_process_ends_what_was_before_can_be_restored(resource in any_resource(), network in any_network()) {
        let Decision::Seal(change) = decide(&with(network), &resource, &occasion()) else { return Ok(()) };
        let steps = [
            Change { before: change.before.clone(), ..Change::default() },
            Change { before: change.before.clone(), tags: Tags::default(), ..change.clone() },
            change.clone(),
        ];
        let now = NetworkAccess::of(&resource);
        for step in steps {
            let half = applied(&resource, &step);
            let whole = match decide(&with(network), &half, &occasion()) {
                Decision::Seal(rest) => applied(&half, &rest),
                _ => half,
            };
            let back = restored(&whole);
            if change.before.is_empty() && whole.tags.get(NETWORK_BEFORE).is_none() {
                continue; // There was no room.
            }
            if change.network_access.network_access_policy.is_some() && !change.before.is_empty() {
                prop_assert_eq!(back.network_access_policy, now.network_access_policy);
            }
            if change.network_access.public_network_access.is_some() && !change.before.is_empty() {
                prop_assert_eq!(back.public_network_access, now.public_network_access);
            }
        }
    }
}
