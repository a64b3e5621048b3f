//! A new resource that only a sweep has found.

use diskseal::{
    enforce::{Look, Outcome, TagsKept, Trigger, enforce},
    policy::NamedBy,
};
use serde_json::json;

use crate::world::{World, now};

const TIME: std::time::Duration = std::time::Duration::from_secs(25);

#[tokio::test(start_paused = true)]
async fn a_new_resource_that_a_sweep_seals_is_one_whose_event_was_missed() {
    let world = World::new();
    let sealed = Outcome::Sealed(TagsKept::AsWritten);
    let missed = Outcome::Missed(TagsKept::AsWritten);
    for (name, trigger, named_by, hours, expected) in [
        ("new", Trigger::Sweep, NamedBy::Sweep, 2, &missed),
        ("waited", Trigger::Queue, NamedBy::Sweep, 23, &missed),
        ("old", Trigger::Sweep, NamedBy::Sweep, 25, &sealed),
        ("event", Trigger::Event, NamedBy::Event, 2, &sealed),
        ("queue", Trigger::Queue, NamedBy::Event, 2, &sealed),
        ("person", Trigger::Sweep, NamedBy::Command, 2, &sealed),
    ] {
        let id = world.disk(name);
        let created = now() - time::Duration::hours(hours);
        let text = created.format(&time::format_description::well_known::Rfc3339).unwrap();
        world.azure.set_property(&id, "timeCreated", json!(text));
        let look = Look::new(id.parse().unwrap(), trigger, TIME).first_named_by(named_by);
        assert_eq!(enforce(&world.ctx, &look).await.as_ref(), Ok(expected), "{name}");
        assert_eq!(world.azure.get(&id).unwrap()["tags"]["diskseal-sealed-by"], named_by.label(), "{name}");
    }
    let id = world.disk("timeless");
    world.azure.set_property(&id, "timeCreated", json!(null));
    let look = Look::new(id.parse().unwrap(), Trigger::Sweep, TIME);
    assert_eq!(enforce(&world.ctx, &look).await, Ok(sealed), "its age is not known");
}
