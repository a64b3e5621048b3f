//! A plan is applied to its resources alone, refuses what has drifted, and goes back.

use std::{collections::BTreeMap, time::Duration};

use diskseal::{
    enforce::{self, Reverted},
    policy::Before,
    report::Source,
    sweep::{self, Advance, Planned, apply, plan, revert_all},
};
use diskseal_emulator::{
    Options, disk_body,
    estate::disk_id,
    fault::{Fault, Kind, Refusal},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{SUBSCRIPTION, World, jane};

const TIME: Duration = Duration::from_mins(1);
const AAD: &str = "AzureActiveDirectory";

async fn planned(world: &World) -> Vec<Planned> {
    let mut all = vec![];
    let on_change = |resource: &diskseal::resource::Resource, change: diskseal::policy::decide::Change| {
        let before = Before::of(&world.ctx.policy, resource);
        all.push(Planned { id: resource.id.clone(), before, change: (&change).into() });
    };
    plan(&world.ctx, Source::Graph, on_change).await.unwrap();
    all
}

/// The labels of the outcomes, sorted.
async fn applied(world: &World, plan: &[Planned]) -> Result<Vec<String>, sweep::Error> {
    let mut labels = vec![];
    let on_advance = |advance| {
        if let Advance::Ended(_, result) = advance {
            labels.push(label(result.map(|outcome| (outcome.label(), outcome.reason()))));
        }
    };
    apply(&world.ctx, plan.to_vec(), 4, TIME, on_advance).await?;
    labels.sort_unstable();
    Ok(labels)
}

async fn reverted(world: &World, plan: &[Planned]) -> Vec<String> {
    let mut labels = vec![];
    let on_end = |(_, result): (_, Result<Reverted, enforce::Error>)| {
        labels.push(label(result.map(|outcome| (outcome.label(), None))));
    };
    revert_all(&world.ctx, plan.to_vec(), &world.ctx.policy.tags, 4, TIME, on_end).await;
    labels.sort_unstable();
    labels
}

fn label(result: Result<(&'static str, Option<&'static str>), enforce::Error>) -> String {
    match result {
        Ok((label, None)) => label.to_owned(),
        Ok((label, Some(reason))) => format!("{label} {reason}"),
        Err(error) => format!("error {}", error.reason()),
    }
}

/// The mode and the tags of a resource, as Azure has them.
fn state(world: &World, id: &str) -> (String, BTreeMap<String, Value>) {
    let resource = world.azure.get(id).unwrap();
    let mode = resource["properties"]["dataAccessAuthMode"].as_str().unwrap_or("None").to_owned();
    let tags = resource["tags"].as_object().into_iter().flatten();
    (mode, tags.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// What a resource may be before a sweep: its mode, and its tags.
fn resource() -> impl Strategy<Value = (bool, BTreeMap<String, String>)> {
    let names = ["diskseal-auth-mode", "diskseal-sealed-at", "diskseal-sealed-by", "team", "ring"];
    let values = [AAD, "2026-01-01T00:00:00Z", "before 2026-01-01T00:00:00Z", "event", "somebody", ""];
    let tag = (prop::sample::select(names.to_vec()), prop::sample::select(values.to_vec()));
    let tags = prop::collection::btree_map(
        tag.clone().prop_map(|(name, _)| name.to_owned()),
        tag.prop_map(|(_, value)| value.to_owned()),
        0..4,
    );
    (any::<bool>(), tags)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_plan_touches_its_resources_alone_and_goes_back(resources in prop::collection::vec(resource(), 1..8), chosen in any::<u8>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let ids: Vec<_> = resources.iter().enumerate().map(|(n, (is_sealed, tags))| {
                let id = world.tagged_disk(&format!("d{n}"), &json!(tags));
                if *is_sealed {
                    world.azure.set_property(&id, "dataAccessAuthMode", json!(AAD));
                }
                id
            }).collect();
            let states = || ids.iter().map(|id| state(&world, id)).collect::<Vec<_>>();
            let before = states();
            let mut plan = planned(&world).await;
            plan.retain(|one| {
                let n: u32 = one.id.name()[1..].parse().unwrap();
                chosen & (1 << n) != 0
            });
            let is_in = |id: &str| plan.iter().any(|one| one.id.to_string().eq_ignore_ascii_case(id));
            world.azure.clear_journal();

            applied(&world, &plan).await.unwrap();
            for exchange in world.azure.journal().iter().filter(|one| one.method == "PATCH") {
                let of_plan = plan.iter().any(|one| {
                    exchange.path.to_ascii_lowercase().starts_with(&one.id.to_string().to_ascii_lowercase())
                });
                assert!(of_plan, "{}", exchange.path);
            }
            for ((id, before), after) in ids.iter().zip(&before).zip(states()) {
                if is_in(id) {
                    assert_eq!((after.0.as_str(), &after.1["diskseal-auth-mode"]), (AAD, &json!(AAD)), "{id}");
                } else {
                    assert_eq!(before, &after, "{id}");
                }
            }
            // Again, nothing is written.
            world.azure.clear_journal();
            assert!(applied(&world, &plan).await.unwrap().iter().all(|label| label == "already_sealed"));
            assert_eq!(world.writes(), 0);

            let labels = reverted(&world, &plan).await;
            assert!(labels.iter().all(|label| label == "reverted"), "{labels:?}");
            assert_eq!(states(), before);
            assert!(reverted(&world, &plan).await.iter().all(|label| label == "already_reverted"));
            assert_eq!(states(), before);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_drifted_is_named_and_not_written() {
    let world =
        World::with(Options::immediate(), &[("DISKSEAL_ENFORCE", "tag:ring=1,resource-group:rg-app")]);
    let ids: Vec<_> = (0..6).map(|n| world.disk(&format!("d{n}"))).collect();
    let moved = disk_id(SUBSCRIPTION, "rg-other", "moved");
    world.azure.insert(&moved, &disk_body("westeurope")).unwrap();
    let plan = planned(&world).await;
    assert_eq!(plan.len(), 7);

    // Another mode, a tag of the seal by somebody, another resource with the ID, deleted, and into the ring.
    world.azure.set_odd_property(&ids[0], "dataAccessAuthMode", json!("Another"));
    let tag = |id: &str, name: &str| {
        let tags = json!({"tags": {name: "mine"}});
        world.azure.patch(id, &jane(), &tags).unwrap();
    };
    tag(&ids[1], "diskseal-auth-mode");
    tag(&ids[2], "team");
    world.azure.set_property(&ids[3], "timeCreated", json!("2026-11-26T00:00:00.1234567+00:00"));
    assert!(world.azure.delete(&ids[4], &jane()));
    world.azure.patch(&moved, &jane(), &json!({"tags": {"ring": "1"}})).unwrap();
    world.azure.clear_journal();
    let expected = [
        "drifted drift_mode",
        "drifted drift_replaced",
        "drifted drift_ring",
        "drifted drift_tag",
        "gone",
        "sealed",
        "sealed",
    ];
    assert_eq!(applied(&world, &plan).await.unwrap(), expected);
    let is_written = |id: &str| world.exchanges(id).iter().any(|exchange| exchange.method == "PATCH");
    for id in [&ids[0], &ids[1], &ids[3], &moved] {
        assert!(!is_written(id), "{id}");
    }
    assert!(world.is_sealed(&ids[2]) && world.is_sealed(&ids[5]));
    assert_eq!(state(&world, &ids[2]).1["team"], "mine");

    // On the way back, too.
    tag(&ids[5], "diskseal-sealed-at");
    world.azure.clear_journal();
    let labels = reverted(&world, &plan).await;
    assert_eq!(labels.iter().filter(|label| *label == "drifted").count(), 4, "{labels:?}");
    assert!(!is_written(&ids[5]) && !is_written(&ids[0]) && !is_written(&ids[3]));
    assert_eq!(state(&world, &ids[2]), ("None".to_owned(), [("team".to_owned(), json!("mine"))].into()));
}

#[tokio::test(start_paused = true)]
async fn a_stop_at_any_request_is_made_good_by_the_same_command() {
    let holds: [fn() -> Fault; 2] = [Fault::hold_before_applying, Fault::hold_after_applying];
    for point in [Kind::Get, Kind::Patch, Kind::TagsWrite] {
        for hold in holds {
            for is_revert in [false, true] {
                let world = World::new();
                // One tag of the seal has another value, which goes back, too.
                let ids = [
                    world.disk("a"),
                    world.tagged_disk("b", &json!({"diskseal-auth-mode": "x", "team": "y"})),
                ];
                let before = ids.each_ref().map(|id| state(&world, id));
                let plan = planned(&world).await;
                if is_revert {
                    applied(&world, &plan).await.unwrap();
                }
                let held = world.fault(hold().on(point));
                let work = async {
                    if is_revert {
                        reverted(&world, &plan).await
                    } else {
                        applied(&world, &plan).await.unwrap()
                    }
                };
                tokio::select! {
                    labels = work => panic!("{labels:?}"),
                    () = held.held() => {}
                }
                held.cut_off();
                held.remove();

                let next = world.restarted();
                if is_revert {
                    reverted(&next, &plan).await;
                    assert_eq!(ids.each_ref().map(|id| state(&next, id)), before, "{point:?}");
                } else {
                    applied(&next, &plan).await.unwrap();
                    assert!(ids.iter().all(|id| next.is_sealed(id)), "{point:?}");
                    reverted(&next, &plan).await;
                    assert_eq!(ids.each_ref().map(|id| state(&next, id)), before, "{point:?}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn audit_the_switch_and_the_limits_hold_for_a_plan() {
    const SWITCH: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-diskseal";
    let world = World::new();
    let ids: Vec<_> = (0..3).map(|n| world.disk(&format!("d{n}"))).collect();
    let plan = planned(&world).await;

    let audit = World::at(world.azure.clone(), &[("DISKSEAL_MODE", "audit")]);
    let audited = planned(&audit).await;
    assert_eq!(applied(&audit, &audited).await.unwrap(), ["would_seal"; 3]);

    let limited = World::at(world.azure.clone(), &[("DISKSEAL_MAX_RESOURCES", "2")]);
    assert!(matches!(applied(&limited, &plan).await, Err(sweep::Error::Exceeded(_))));
    let limited = World::at(world.azure.clone(), &[("DISKSEAL_MAX_PERCENT", "99")]);
    assert!(matches!(applied(&limited, &plan).await, Err(sweep::Error::Exceeded(_))));
    let refused = world.fault(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
    assert!(matches!(applied(&limited, &plan).await, Err(sweep::Error::Exceeded(_))));
    refused.remove();

    world.azure.set_scope_tag(SWITCH, "diskseal", "off");
    let switched = World::at(world.azure.clone(), &[("DISKSEAL_SWITCH", SWITCH)]);
    assert!(matches!(applied(&switched, &plan).await, Err(sweep::Error::SwitchedOff)));
    assert_eq!(world.writes(), 0);

    applied(&world, &plan).await.unwrap();
    world.azure.clear_journal();
    assert_eq!(reverted(&audit, &plan).await, ["would_revert"; 3]);
    assert_eq!(reverted(&switched, &plan).await, ["switched_off"; 3]);
    assert_eq!(world.writes(), 0);
    assert!(ids.iter().all(|id| world.is_sealed(id)));
}

#[tokio::test(start_paused = true)]
async fn network_settings_go_back_with_the_plan_that_set_them() {
    const BEFORE: &str = "diskseal-network-before";
    let network = |world: &World, id: &str| {
        let properties = &world.azure.get(id).unwrap()["properties"];
        ["networkAccessPolicy", "publicNetworkAccess"].map(|name| properties[name].clone())
    };
    let holds: [fn() -> Fault; 2] = [Fault::hold_before_applying, Fault::hold_after_applying];
    for point in [None, Some(Kind::Patch), Some(Kind::TagsWrite)] {
        for hold in holds {
            let world = World::with(Options::immediate(), &[("DISKSEAL_NETWORK", "deny-all")]);
            // One is sealed but for its network settings.
            let ids = [world.disk("a"), world.sealed_disk("b")];
            let before = ids.each_ref().map(|id| (state(&world, id), network(&world, id)));
            let plan = planned(&world).await;
            assert_eq!(plan.len(), 2);
            applied(&world, &plan).await.unwrap();
            for id in &ids {
                assert_eq!(network(&world, id), ["DenyAll", "Disabled"].map(Value::from));
                assert!(state(&world, id).1.contains_key(BEFORE), "{id}");
            }
            if let Some(point) = point {
                let held = world.fault(hold().on(point));
                tokio::select! {
                    labels = reverted(&world, &plan) => panic!("{labels:?}"),
                    () = held.held() => {}
                }
                held.cut_off();
                held.remove();
            }
            let next = world.restarted();
            reverted(&next, &plan).await;
            assert_eq!(ids.each_ref().map(|id| (state(&next, id), network(&next, id))), before, "{point:?}");
            assert!(reverted(&next, &plan).await.iter().all(|label| label == "already_reverted"));
        }
    }
}
