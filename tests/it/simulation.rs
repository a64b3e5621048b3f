//! Days from seeds, as `tests/simulation` describes them. `cargo bench --bench simulation` runs more of them.
//!
//! `DISKSEAL_SEED=N cargo test --test it simulation` repeats a day.

use crate::simulator::{run, script, shrink};

const SEEDS: u64 = 20;
/// Days that have found a fault.
const FOUND: [u64; 7] = [100_361, 1_000_364, 1_000_686, 1_001_706, 1_001_988, 1_003_263, 1_006_529];

#[test]
fn every_day_ends_well() {
    let seeds: Vec<u64> = match std::env::var("DISKSEAL_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..SEEDS).chain(FOUND).collect(),
    };
    for seed in seeds {
        let ended = run(&script(seed));
        let violations: Vec<_> = ended.violations.iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "DISKSEAL_SEED={seed}: {violations:#?}");
        assert!(ended.counts.events > 0, "DISKSEAL_SEED={seed}: nothing has happened");
    }
}

#[test]
fn a_script_is_the_same_for_the_same_seed_and_shrinks_to_what_fails() {
    let whole = script(7);
    assert_eq!(format!("{whole:?}"), format!("{:?}", script(7)));
    assert_ne!(format!("{:?}", whole.steps), format!("{:?}", script(8).steps));
    let (first, last) = (whole.steps[11].at, whole.steps[90].at);
    let (smallest, runs) = shrink(&whole, |smaller| {
        [first, last].iter().all(|at| smaller.steps.iter().any(|timed| timed.at == *at))
    });
    assert_eq!(smallest.steps.iter().map(|timed| timed.at).collect::<Vec<_>>(), [first, last]);
    assert!(runs < 100, "{runs} runs");
}
