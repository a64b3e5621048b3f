//! A script from a seed.

use std::time::Duration;

use diskseal_emulator::{
    Options,
    event_grid::{DeliverySchema, Duplicates, EventGridOptions, Spelling},
    options::{Asynchronous, ConcurrentWrites, Keep, OperationStyle, TagsStyle},
};
use fastrand::Rng;

use super::{
    faults::Plan,
    script::{Group, Hostile, Script, Step, Timed},
    settings::{Guard, Network, Settings, Tags},
    slot::Slot,
};

const SLOTS: usize = 24;
const STEPS: usize = 110;
const HOSTILE: [Hostile; 7] = [
    Hostile::Empty,
    Hostile::OutOfScope,
    Hostile::Traversal,
    Hostile::OfTheFuture,
    Hostile::OfThePast,
    Hostile::Echo,
    Hostile::Long,
];

/// The script of a seed.
pub(crate) fn script(seed: u64) -> Script {
    // Neighbours of a seed begin alike.
    let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let azure = azure(&mut rng);
    let delivery = delivery(&mut rng, &azure);
    let slots = (0..SLOTS).map(|number| Slot::any(&mut rng, number)).collect();
    let settings = settings(&mut rng);
    let instances = [rng.usize(1..4), rng.usize(1..4)];
    let mut at = Duration::ZERO;
    let steps = (0..STEPS).map(|number| {
        at += gap(&mut rng);
        Timed { at, step: step(&mut rng, number) }
    });
    let steps = steps.collect();
    Script { seed, azure, delivery, slots, settings, instances, steps }
}

fn pick<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(0..of.len())]
}

fn azure(rng: &mut Rng) -> Options {
    let base = if rng.bool() { Options::default() } else { Options::immediate() };
    let operations = match (&base.operations, rng.u32(0..3)) {
        (OperationStyle::Asynchronous(style), 0) => OperationStyle::Asynchronous(Asynchronous {
            duration: Duration::from_millis(rng.u64(50..20_000)),
            in_progress_polls: rng.u32(0..4),
            retry_after_accepted: pick(rng, &[None, Some(0), Some(2), Some(10)]),
            retry_after_polling: pick(rng, &[None, Some(0), Some(10), Some(60)]),
            signed_urls: style.signed_urls,
        }),
        (other, _) => other.clone(),
    };
    Options {
        operations,
        tags: pick(rng, &[TagsStyle::Merged, TagsStyle::BrokenPoll]),
        latency: Duration::from_millis(rng.u64(0..200)),
        concurrent_writes: pick(
            rng,
            &[ConcurrentWrites::Preempt, ConcurrentWrites::Conflict, ConcurrentWrites::Serialize],
        ),
        machine_disks_raise_events: rng.bool(),
        page_size: pick(rng, &[2, 100]),
        resource_graph_page_size: pick(rng, &[3, 1_000]),
        resource_graph_lag: Duration::from_secs(pick(rng, &[0, 0, 5, 60, 600])),
        token_lifetime: Duration::from_mins(pick(rng, &[10, 60, 1_440])),
        journal: Keep::Last(4),
        ..base
    }
}

fn delivery(rng: &mut Rng, azure: &Options) -> EventGridOptions {
    let is_filtered = rng.bool();
    EventGridOptions {
        schema: pick(rng, &[DeliverySchema::EventGridSchema, DeliverySchema::CloudEventSchemaV1_0]),
        spelling: pick(rng, &[Spelling::AsStored, Spelling::LowerCaseResourceGroups, Spelling::UpperCase]),
        claims: rng.bool(),
        excluded_app_ids: if is_filtered { vec![azure.identity.client_id.clone()] } else { vec![] },
        max_events_per_batch: pick(rng, &[1, 1, 10]),
        latency: Duration::from_millis(rng.u64(0..3_000)),
        disorder: match rng.u32(0..10) {
            0 => Duration::from_hours(24),
            1 => Duration::from_mins(30),
            _ => Duration::from_secs(rng.u64(0..20)),
        },
        duplicates: pick(rng, &[Duplicates::Never, Duplicates::Times(2), Duplicates::Sometimes(0.3)]),
        loss: pick(rng, &[0.0, 0.0, 0.1]),
        probation_after: pick(rng, &[0, 10]),
        jitter: rng.f64() * 0.3,
        seed: rng.u64(..),
        ..EventGridOptions::default()
    }
}

fn settings(chance: &mut Rng) -> Settings {
    let mut rarely = |most: u32| chance.u32(0..most) == 0;
    let (audit, ring, exempts_names) = (rarely(10), rarely(8), !rarely(4));
    let (exempts_groups, exempts_by_tag, leaves_attached) = (!rarely(3), !rarely(2), rarely(6));
    Settings {
        audit,
        subscriptions: pick(chance, &[0, 0, 1, 2, 2]),
        exempts_names,
        exempts_groups,
        exempts_by_tag,
        ring,
        tags: pick(chance, &[Tags::Default, Tags::Default, Tags::Default, Tags::Team, Tags::None]),
        guard: pick(chance, &[Guard::Skip, Guard::Skip, Guard::Skip, Guard::Warn, Guard::Off]),
        network: pick(
            chance,
            &[Network::Off, Network::Off, Network::Off, Network::DenyPublic, Network::DenyAll],
        ),
        leaves_attached,
    }
}

/// The time until the next step: mostly seconds, so that things meet; sometimes long enough for what is remembered.
fn gap(rng: &mut Rng) -> Duration {
    match rng.u32(0..40) {
        0 => Duration::from_mins(rng.u64(2..20)),
        1..=3 => Duration::from_secs(rng.u64(20..120)),
        4..=14 => Duration::from_millis(rng.u64(0..300)),
        _ => Duration::from_millis(rng.u64(0..8_000)),
    }
}

fn group(rng: &mut Rng) -> (Group, usize) {
    let group = pick(rng, &[Group::Http, Group::Http, Group::Http, Group::Queue, Group::Queue, Group::Timer]);
    (group, rng.usize(0..3))
}

fn step(rng: &mut Rng, number: usize) -> Step {
    let slot = rng.usize(0..SLOTS);
    // The first steps make something to work on.
    let is_early = number < SLOTS / 2;
    match if is_early { rng.u32(0..14) } else { rng.u32(0..104) } {
        0..=13 => Step::Create(slot, rng.u32(0..4) != 0),
        14..=19 => Step::Overwrite(slot),
        20..=21 => Step::Plan(slot),
        22..=23 => Step::Apply(slot),
        24..=28 => Step::Tag(slot, rng.u32(0..100)),
        29 => Step::Modify(slot),
        30..=34 => Step::Undo(slot),
        35..=36 => Step::Untag(slot),
        37 => Step::Attack(slot, rng.u32(2..12), Duration::from_secs(rng.u64(1..40))),
        38..=39 => Step::Exempt(slot, rng.u8(0..3)),
        40 => Step::Unexempt(slot),
        41..=42 => Step::Attach(slot, rng.usize(0..SLOTS)),
        43 => Step::Detach(slot),
        44..=45 => Step::Grant(slot),
        46 => Step::Revoke(slot),
        47..=48 => Step::Delete(slot),
        49..=72 => Step::Fault(Plan::any(rng)),
        73..=74 => Step::ClearFaults,
        75 => Step::NoTokens(Duration::from_secs(rng.u64(1..400))),
        76..=80 => {
            let (group, index) = group(rng);
            Step::Kill(group, index)
        }
        81..=87 => {
            let (group, index) = group(rng);
            Step::Trap(group, index, rng.u32(1..8), rng.bool())
        }
        88..=89 => {
            let (group, index) = group(rng);
            Step::Replace(group, index)
        }
        90 => Step::Scale(pick(rng, &[Group::Http, Group::Queue]), rng.usize(1..4)),
        91 => Step::Configure(settings(rng)),
        92 => Step::Switch(false),
        93 => Step::Switch(true),
        94..=95 => Step::Sweep,
        96..=99 => Step::Hostile(pick(rng, &HOSTILE), slot),
        100..=101 => Step::Message(slot),
        102 => Step::Garbage(rng.bool()),
        _ => {
            let late = rng.bool().then(|| Duration::from_secs(rng.u64(60..86_400)));
            Step::Disturb(slot, late)
        }
    }
}
