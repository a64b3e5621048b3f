//! Rings: a part of the scope is sealed, and the rest stays in audit on every path.

use std::time::Duration;

use diskseal::{
    azure::Terms,
    enforce::{AUDIT_RING, Error, ExemptionTag, Outcome, Trigger, Unsealed, reseal, unseal},
    policy::TagExemption,
    report::Source,
    sweep::{self, Advance, collect, seal_all},
};
use diskseal_emulator::{Options, disk_body, estate::disk_id};
use serde_json::json;

use crate::world::{SUBSCRIPTION, World};

const RINGS: (&str, &str) = ("DISKSEAL_ENFORCE", "resource-group:rg-dev*,tag:ring=canary-?");

/// A disk in each ring: by its group, by its tag, and in none.
fn three(world: &World) -> [String; 3] {
    let by_group = disk_id(SUBSCRIPTION, "RG-DEV-1", "by-group");
    world.azure.insert(&by_group, &disk_body("westeurope")).unwrap();
    [by_group, world.tagged_disk("by-tag", &json!({"Ring": "Canary-1"})), world.disk("in-none")]
}

fn terms() -> Terms {
    Terms::behind_events(Duration::from_mins(5))
}

#[tokio::test(start_paused = true)]
async fn each_look_writes_in_its_ring_alone_whatever_led_to_it() {
    for trigger in [Trigger::Event, Trigger::Queue, Trigger::Sweep, Trigger::Command] {
        let world = World::with(Options::immediate(), &[RINGS]);
        let [by_group, by_tag, in_none] = three(&world);
        for id in [&by_group, &by_tag] {
            let outcome = world.enforce_for(id, trigger).await.unwrap();
            assert_eq!(outcome.label(), "sealed", "{trigger:?} {id}");
            assert!(world.is_sealed(id));
        }
        let before = world.writes();
        let outcome = world.enforce_for(&in_none, trigger).await.unwrap();
        assert_eq!((outcome.label(), outcome.reason()), ("would_seal", Some(AUDIT_RING)), "{trigger:?}");
        assert_eq!((world.writes(), world.is_sealed(&in_none)), (before, false));
    }
}

#[tokio::test(start_paused = true)]
async fn in_audit_mode_no_ring_is_written() {
    let world = World::with(Options::immediate(), &[RINGS, ("DISKSEAL_MODE", "audit")]);
    for id in three(&world) {
        let outcome = world.enforce(&id).await.unwrap();
        assert!(matches!(outcome, Outcome::WouldSeal(_)), "{outcome:?}");
    }
    assert!(collect(&world.ctx, terms()).await.unwrap().to_seal.is_empty());
    assert_eq!(world.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_tag_of_the_seal_alone_is_not_written_either() {
    let world = World::with(Options::immediate(), &[RINGS]);
    let id = world.disk("d");
    world.azure.set_property(&id, "dataAccessAuthMode", json!("AzureActiveDirectory"));
    assert_eq!(world.enforce(&id).await.unwrap().label(), "would_seal");
    assert_eq!(world.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn tags_that_cannot_be_read_leave_the_ring_unknown_and_nothing_is_written() {
    let world = World::with(Options::immediate(), &[RINGS]);
    let [by_group, by_tag, _] = three(&world);
    for id in [&by_group, &by_tag] {
        world.azure.set_member(id, "tags", json!([1]));
    }
    // Its group is known, and its tags are left alone.
    assert_eq!(world.enforce(&by_group).await.unwrap().label(), "sealed");
    let before = world.writes();
    let error = world.enforce(&by_tag).await.unwrap_err();
    assert!(matches!(error, Error::Pending(_)) && error.reason() == "malformed", "{error:?}");
    assert_eq!(world.writes(), before);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_counts_what_is_in_audit_and_hands_over_the_rest() {
    let world = World::with(Options::immediate(), &[RINGS, ("DISKSEAL_MAX_RESOURCES", "2")]);
    let [by_group, by_tag, _] = three(&world);
    for n in 0..5 {
        world.disk(&format!("other{n}"));
    }
    let found = collect(&world.ctx, terms()).await.unwrap();
    let mut handed: Vec<_> = found.to_seal.iter().map(ToString::to_string).collect();
    handed.sort_by_key(|id| id.to_ascii_lowercase());
    let mut expected = vec![by_group, by_tag];
    expected.sort_by_key(|id| id.to_ascii_lowercase());
    assert!(handed.iter().zip(&expected).all(|(one, other)| one.eq_ignore_ascii_case(other)), "{handed:?}");
    assert_eq!((found.survey.counts.unsealed, found.survey.in_audit, found.left), (8, 6, 0));
    assert!(found.to_string().contains(", 6 of the unsealed in audit, "), "{found}");

    // The limit is about what would be written.
    let mut outcomes = vec![];
    let on_advance = |advance| {
        if let Advance::Ended(_, result) = advance {
            outcomes.push(result.unwrap().label());
        }
    };
    seal_all(&world.ctx, Source::Graph, 4, Duration::from_mins(1), on_advance).await.unwrap();
    outcomes.sort_unstable();
    assert_eq!(outcomes, [&["sealed"; 2][..], &["would_seal"; 6]].concat());

    world.azure.insert(&disk_id(SUBSCRIPTION, "rg-dev-2", "d1"), &disk_body("westeurope")).unwrap();
    world.azure.insert(&disk_id(SUBSCRIPTION, "rg-dev-2", "d2"), &disk_body("westeurope")).unwrap();
    world.azure.insert(&disk_id(SUBSCRIPTION, "rg-dev-2", "d3"), &disk_body("westeurope")).unwrap();
    let refused = collect(&world.ctx, terms()).await.unwrap_err();
    assert!(matches!(refused, sweep::Error::Exceeded(_)), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn unseal_and_reseal_write_nothing_outside_of_the_ring() {
    let world = World::with(Options::immediate(), &[RINGS, ("DISKSEAL_EXEMPT_TAG", "exempt")]);
    let id = world.sealed_disk("d");
    let until = TagExemption::day("2999-12-31").unwrap();
    let exemption = ExemptionTag::new(&world.ctx.policy, until, "INC-1", world.ctx.now()).unwrap();
    let id = id.parse().unwrap();
    let outcome = unseal(&world.ctx, &id, &exemption, Duration::from_mins(1)).await.unwrap();
    assert_eq!((outcome, world.writes()), (Unsealed::WouldUnseal, 0));

    let id = world.tagged_disk("e", &json!({"exempt": "until=2999-12-31; INC-1"})).parse().unwrap();
    let outcome = reseal(&world.ctx, &id, Duration::from_mins(1)).await.unwrap();
    assert_eq!((outcome.reason(), world.writes()), (Some(AUDIT_RING), 0));
}
