//! Resource Graph leaves out what the identity may not read, so a missing right must not look like no vault.

use diskseal::estate::READS;
use diskseal_emulator::{fault::Refusal, role::Role};

use super::*;

const OTHER: &str = "33333333-2222-4333-8444-555555555555";
const PERMISSIONS: &str = "Microsoft.Authorization/permissions";

/// The actions of the deployed role, without one.
fn role_without(missing: &str) -> Vec<&'static str> {
    Role::deployed().all().filter(|action| *action != missing).collect()
}

fn reads_of_permissions(azure: &Emulator) -> usize {
    azure.journal().iter().filter(|exchange| exchange.path.contains(PERMISSIONS)).count()
}

#[tokio::test(start_paused = true)]
async fn without_a_right_to_see_vaults_nothing_that_may_be_protected_is_sealed() {
    let left = Ok(Outcome::Protected(Guarded::Unknown));
    for missing in READS {
        let world = World::new();
        world.azure.set_permissions(SUBSCRIPTION, &role_without(missing), &[]);
        let (doubtful, new) = unknown::resources(&world);
        for trigger in [Trigger::Event, Trigger::Queue, Trigger::Sweep, Trigger::Command] {
            for id in &doubtful {
                assert_eq!(world.enforce_for(id, trigger).await, left, "{missing} {trigger:?} {id}");
            }
        }
        assert_eq!(reads_of_permissions(&world.azure), 1, "{missing}");
        let found = collect(&world.ctx, crate::sweep::terms()).await.unwrap();
        assert_eq!((found.survey.doubtful, found.to_seal.len()), (3, 1), "{missing}: only the new one");
        assert_eq!(world.enforce(&new).await.unwrap().label(), "sealed", "{missing}");

        // The role of another subscription is another matter.
        let elsewhere = disk_id(OTHER, "rg-app", "old");
        world.azure.insert(&elsewhere, &disk_body("westeurope")).unwrap();
        world.age(&elsewhere);
        assert_eq!(world.enforce(&elsewhere).await.unwrap().label(), "sealed", "{missing}");

        world.azure.set_permissions(SUBSCRIPTION, &role_without(""), &[]);
        assert_eq!(
            world.enforce(&doubtful[0]).await,
            left,
            "{missing}: what was read holds for five minutes"
        );
        tokio::time::advance(Duration::from_mins(6)).await;
        for id in &doubtful {
            assert_eq!(world.enforce(id).await.unwrap().label(), "sealed", "{missing} {id}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rights_that_cannot_be_read_leave_a_doubt_that_lasts_or_passes() {
    for (fault, expected) in [
        (Fault::refuse(Refusal::authorization_failed()), Ok("protected")),
        (Fault::text(200, "application/json", r#"{"value": [7]}"#), Ok("protected")),
        (Fault::text(200, "text/html", "<html>"), Ok("protected")),
        (Fault::refuse(Refusal::server_error(503)), Err("guard_unknown")),
        (Fault::delay(Duration::from_mins(1)), Err("guard_unknown")),
        (Fault::reset(), Err("guard_unknown")),
    ] {
        let world = World::new();
        let (doubtful, new) = unknown::resources(&world);
        let injected = world.fault(fault.clone().on(Kind::Other).always());
        for id in &doubtful {
            let result = world.enforce(id).await;
            let result = result.as_ref().map(Outcome::label).map_err(diskseal::enforce::Error::reason);
            assert_eq!(result, expected, "{fault:?} {id}");
        }
        assert_eq!(world.enforce(&new).await.unwrap().label(), "sealed", "{fault:?}");
        injected.remove();
        tokio::time::advance(Duration::from_mins(6)).await;
        for id in &doubtful {
            assert_eq!(world.enforce(id).await.unwrap().label(), "sealed", "{fault:?} {id}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn many_looks_read_the_rights_once_and_a_guard_that_leaves_nothing_never() {
    let world = World::new();
    let held: Vec<_> = (0..20)
        .map(|n| {
            let id = world.disk(&format!("held-{n}"));
            world.azure.attach(&id, &vm("vm-1"));
            id
        })
        .collect();
    let all = futures::future::join_all(held.iter().map(|id| world.enforce(id))).await;
    assert!(all.iter().all(|result| result.as_ref().is_ok_and(|outcome| outcome.label() == "sealed")));
    assert_eq!(reads_of_permissions(&world.azure), 1);

    for guard in ["warn", "off"] {
        let world = World::with(Options::immediate(), &[("DISKSEAL_BACKUP_GUARD", guard)]);
        let held = world.disk("held");
        world.azure.attach(&held, &vm("vm-1"));
        assert_eq!(world.enforce(&held).await.unwrap().label(), "sealed");
        assert_eq!(reads_of_permissions(&world.azure), 0, "{guard}");
    }
}
