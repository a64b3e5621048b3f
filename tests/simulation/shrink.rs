//! Makes the script of a failing day smaller: delta debugging over its steps ("Simplifying and isolating
//! failure-inducing input", Zeller and Hildebrandt), disturbances first, within a bounded number of runs.

use super::script::Script;

/// The most runs of one search. A few tens of steps are found in far fewer.
const RUNS_MAX: usize = 400;

/// A smaller script that fails as well, as far as one was found, and the number of runs.
pub(crate) fn shrink(script: &Script, fails: impl Fn(&Script) -> bool) -> (Script, usize) {
    let (mut best, mut runs) = (script.clone(), 0);
    let mut is_smaller = |best: &mut Script, smaller: Script| {
        if runs >= RUNS_MAX {
            return false;
        }
        runs += 1;
        let fails = fails(&smaller);
        if fails {
            *best = smaller;
        }
        fails
    };
    // Most disturbances have nothing to do with it.
    let mut calm = best.clone();
    calm.steps.retain(|timed| !timed.step.is_disturbance());
    is_smaller(&mut best, calm);
    let mut size = best.steps.len().div_ceil(2);
    while size > 0 {
        let (mut from, mut has_shrunk) = (0, false);
        while from < best.steps.len() {
            let mut smaller = best.clone();
            smaller.steps.drain(from..(from + size).min(best.steps.len()));
            if is_smaller(&mut best, smaller) {
                has_shrunk = true;
            } else {
                from += size;
            }
        }
        if size == 1 && !has_shrunk {
            break;
        }
        size = if size == 1 { 1 } else { size / 2 };
    }
    (best, runs)
}
