//! Whether a function takes time in proportion to its input.
//!
//! A part of an input is repeated until the input has a size, and four times that size. In linear time the second takes
//! four times as long, in quadratic time sixteen times. The measure is the processor time of this thread, the least of
//! several runs: machines of a CI have no counter of instructions, and other programs share the processor. So this is a
//! search of the fuzzer, and no test.

use std::time::Duration;

use fastrand::Rng;
use rustix::time::{ClockId, clock_gettime};

/// The smaller size, in bytes.
const SIZE: usize = 64 * 1024;
/// By how much the larger input is larger.
const FACTOR: usize = 4;
/// Between 4 for linear time, a little more with a logarithm, and 16 for quadratic time.
const RATIO_MAX: f64 = 9.0;
/// What takes less is too short to be measured, and is no danger: an answer of Azure has at most 32 MiB.
const TIME_MIN: Duration = Duration::from_millis(2);
/// How often an input is measured before its ratio counts.
const RUNS: usize = 5;
/// How many inputs are tried for each function.
pub(crate) const TRIALS: usize = 60;

/// The larger of two inputs, and how many times as long it takes, if that is too much.
pub(crate) fn steep(function: fn(&[u8]), input: &[u8], random: &mut Rng) -> Option<(Vec<u8>, f64)> {
    let from = random.usize(..=input.len());
    let to = random.usize(from..=input.len());
    let repeated = |size: usize| {
        let part = if from == to { &b"a"[..] } else { &input[from..to] };
        let mut grown = input[..to].to_vec();
        grown.extend(part.iter().copied().cycle().take(size / part.len() * part.len()));
        grown.extend(&input[to..]);
        grown
    };
    let (small, large) = (repeated(SIZE), repeated(FACTOR * SIZE));
    if least(function, &large, 1) < TIME_MIN {
        return None;
    }
    let ratio = || {
        least(function, &large, RUNS).as_secs_f64() / least(function, &small, RUNS).as_secs_f64().max(1e-6)
    };
    // A processor that got slower in between is not measured slower three times.
    let ratio = (0..3).map(|_| ratio()).fold(f64::INFINITY, f64::min);
    (ratio > RATIO_MAX).then_some((large, ratio))
}

fn least(function: fn(&[u8]), input: &[u8], runs: usize) -> Duration {
    let run = || {
        let begun = processor_time();
        function(input);
        processor_time().saturating_sub(begun)
    };
    (0..runs).map(|_| run()).min().unwrap_or_default()
}

fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
