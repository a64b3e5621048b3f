//! The tag of the trigger: written with a new seal only, and given up first.

use super::*;

fn with_trigger() -> Policy {
    let mut policy = policy();
    policy.tags.push(TagRule::new("by", "{trigger}").unwrap());
    policy
}

const SEALED: [(&str, &str); 2] =
    [("diskseal-auth-mode", "AzureActiveDirectory"), ("diskseal-sealed-at", "2026-01-01T00:00:00Z")];

#[test]
fn a_new_seal_has_what_named_the_resource_first() {
    for (named_by, word) in
        [(NamedBy::Event, "event"), (NamedBy::Sweep, "sweep"), (NamedBy::Command, "command")]
    {
        // The value of an earlier seal is replaced.
        let unsealed = resource(DataAccessAuthMode::None, &[("by", "another"), SEALED[0], SEALED[1]]);
        let occasion = Occasion { named_by, ..occasion() };
        let Decision::Seal(change) = decide(&with_trigger(), &unsealed, &occasion) else { panic!() };
        assert_eq!(change.tags.get("by"), Some(word));
        assert!(change.is_removal, "the tag of the trigger does not matter for it");
    }
}

#[test]
fn what_has_the_mode_is_never_written_because_of_it() {
    let sealed = resource(DataAccessAuthMode::AzureActiveDirectory, &SEALED);
    assert_eq!(decide(&with_trigger(), &sealed, &occasion()), Decision::Compliant);
    let untagged = resource(DataAccessAuthMode::AzureActiveDirectory, &[]);
    let Decision::Seal(change) = decide(&with_trigger(), &untagged, &occasion()) else { panic!() };
    assert_eq!(change.tags.len(), 2, "nobody knows what named it: {change:?}");
    let removed = resource(DataAccessAuthMode::None, &SEALED);
    let Decision::Seal(change) = decide(&with_trigger(), &removed, &occasion()) else { panic!() };
    assert!(change.is_removal, "sealed by a version without the tag");
}

#[test]
fn where_there_is_room_for_two_tags_it_is_left_out() {
    let names: Vec<_> = (0..48).map(|n| format!("t{n}")).collect();
    let tags: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let full = resource(DataAccessAuthMode::None, &tags);
    let Decision::Seal(change) = decide(&with_trigger(), &full, &occasion()) else { panic!() };
    assert_eq!((change.tags.len(), change.tags.get("by")), (2, None));
    assert_eq!(notices(&with_trigger(), &full, occasion().now), []);
}
