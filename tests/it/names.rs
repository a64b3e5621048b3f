//! Names in every script, and two spellings of one name.

use diskseal::{
    enforce::Outcome,
    policy::Exemption,
    report::Source,
    sweep::{Advance, seal_all},
};
use diskseal_emulator::{
    Options, disk_body,
    estate::disk_id,
    fault::{Fault, Kind},
};

use crate::world::{SUBSCRIPTION, World};

/// Names that Azure's pattern for resource groups takes, whose `\w` is .NET's: letters, marks, digits and connectors
/// (Azure/azure-sdk-for-node #3359, Azure/azure-sdk-for-go #3114).
const GROUPS: [&str; 8] =
    ["กลุ่ม-ที่1", "हिन्दी", "cafe\u{301}", "a‿b", "Gruppe-Größe", "グループ", "rg(1)", "Ελληνικός"];

fn disk_in(world: &World, group: &str, name: &str) -> String {
    let id = disk_id(SUBSCRIPTION, group, name);
    world.azure.insert(&id, &disk_body("westeurope")).unwrap();
    id
}

#[tokio::test(start_paused = true)]
async fn a_disk_is_sealed_whatever_the_script_of_its_name_and_group() {
    for source in [None, Some(Source::Graph), Some(Source::Lists)] {
        let world = World::new();
        let mut ids: Vec<_> = GROUPS.iter().map(|group| disk_in(&world, group, "d")).collect();
        ids.extend(["Datenträger", "диск1", "-d"].map(|name| disk_in(&world, "rg", name)));
        match source {
            None => {
                for id in &ids {
                    assert_eq!(world.enforce(id).await.unwrap().label(), "sealed", "{id}");
                }
            }
            Some(source) => {
                let time = std::time::Duration::from_secs(25);
                seal_all(&world.ctx, source, 4, time, |_: Advance| ()).await.unwrap();
            }
        }
        for id in &ids {
            assert!(world.is_sealed(id), "{id} {source:?}");
        }
        for exchange in world.azure.journal() {
            assert!(exchange.path.is_ascii(), "{}", exchange.path);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_exemption_is_for_every_spelling_of_a_name() {
    let settings = [("DISKSEAL_EXEMPT_RESOURCE_GROUPS", "rg-übung-*"), ("DISKSEAL_EXEMPT_NAMES", "ΔΊΣΚΟΣ*")];
    let world = World::with(Options::immediate(), &settings);
    for (group, name) in
        [("rg-übung-1", "d"), ("RG-ÜBUNG-1", "d"), ("Rg-Übung-2", "d"), ("rg", "δίσκος1"), ("rg", "Δίσκοσ1")]
    {
        let id = disk_in(&world, group, name);
        let outcome = world.enforce(&id).await.unwrap();
        assert!(
            matches!(outcome, Outcome::Exempt(Exemption::ResourceGroup(_) | Exemption::Name(_))),
            "{id}: {outcome:?}"
        );
    }
    // One name in two normal forms is two groups.
    let id = disk_in(&world, "rg-u\u{308}bung-1", "d");
    assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
    assert_eq!(world.writes(), 2, "the mode and the tags of this one");
}

#[tokio::test(start_paused = true)]
async fn spellings_of_one_disk_share_a_look() {
    let world = World::new();
    let id = disk_in(&world, "rg-übung", "диск");
    let [second, third] =
        [("RG-ÜBUNG", "ДИСК"), ("Rg-Übung", "Диск")].map(|(group, name)| disk_id(SUBSCRIPTION, group, name));
    let slow = world.fault(Fault::hold_before_applying().on(Kind::Get).times(1));
    let release = async {
        slow.held().await;
        slow.release();
    };
    let looks = [&id, &second, &third].map(|id| world.enforce(id));
    let (outcomes, ()) = tokio::join!(futures::future::join_all(looks), release);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let gets = world.azure.journal().iter().filter(|exchange| exchange.kind == Kind::Get).count();
    assert_eq!(gets, 2, "the first look began too early for the others, who share the second");
}
