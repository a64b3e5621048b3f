//! Days from seeds, as many as there is time for: `cargo bench --bench simulation -- --seeds N --first SEED`.
//!
//! `DISKSEAL_SIMULATION_TRACE=1` prints each step, request and answer.
//! `--jobs N` sets the number of threads, by default one for each core; each runs one day at a time, on a paused clock.
//! `--calm` leaves out kills and faults: then the metrics must equal what was seen, and not only be within what was cut off.
//! `--expect INVARIANT` ends the run with success at the first day that violates it: `benches/simulation/mistakes/run`.
//! `--events N` ends the run after so many events. `--all` goes on after a day that fails; without it the first one is
//! made smaller, printed with the command that repeats it, and ends the run with exit code 1.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on has failed")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(clippy::disallowed_methods, reason = "seeds a second, by the wall clock")]

#[path = "simulation/counts.rs"]
mod counts;
#[path = "../tests/simulation/simulator.rs"]
mod simulator;

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use counts::{Exports, run_child};
use simulator::{Counts, Ended, Invariant, Script, Violation, run, script, shrink};

struct Arguments {
    seeds: u64,
    first: u64,
    jobs: usize,
    events: u64,
    goes_on: bool,
    is_calm: bool,
    expected: Option<String>,
}

impl Arguments {
    fn read() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut this = Self {
            seeds: 100,
            first: 0,
            jobs: cores,
            events: u64::MAX,
            goes_on: false,
            is_calm: false,
            expected: None,
        };
        let mut given = std::env::args().skip(1);
        while let Some(name) = given.next() {
            if name == "--expect" {
                this.expected = given.next();
                continue;
            }
            let mut number = || given.next().and_then(|text| text.parse::<u64>().ok()).unwrap();
            match name.as_str() {
                "--seeds" => this.seeds = number(),
                "--first" => this.first = number(),
                "--jobs" => this.jobs = usize::try_from(number()).unwrap().max(1),
                "--events" => this.events = number(),
                "--calm" => this.is_calm = true,
                "--all" => this.goes_on = true,
                // Cargo's own.
                _ => {}
            }
        }
        this
    }

    fn script(&self, seed: u64) -> Script {
        let script = script(seed);
        if self.is_calm { script.calm() } else { script }
    }
}

#[derive(Default)]
struct Totals {
    days: u64,
    counts: Counts,
    failed: Vec<(u64, Ended)>,
}

fn main() -> ExitCode {
    let Some(exports) = Exports::of_child() else {
        let (status, wrong) = run_child();
        for what in &wrong {
            println!("{}: {what}", Invariant::CountsEqualWhatHappened);
        }
        if let Some(expected) = Arguments::read().expected {
            let is_found = if expected == Invariant::CountsEqualWhatHappened.to_string() {
                !wrong.is_empty()
            } else {
                status.success()
            };
            return if is_found { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        return if status.success() && wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    };
    let arguments = Arguments::read();
    let (next, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let totals = Mutex::new(Totals::default());
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= arguments.seeds {
                        return;
                    }
                    let seed = arguments.first + number;
                    let ended = run(&arguments.script(seed));
                    let mut totals = totals.lock();
                    totals.add(seed, ended, start.elapsed());
                    let has_failed = match &arguments.expected {
                        Some(expected) => totals.found(expected).is_some(),
                        None => !totals.failed.is_empty() && !arguments.goes_on,
                    };
                    if has_failed || totals.counts.events >= arguments.events {
                        is_over.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let totals = totals.into_inner();
    println!("{}", totals.line(start.elapsed()));
    exports.end(&totals.counts);
    if let Some(expected) = &arguments.expected {
        let Some(violation) = totals.found(expected) else { return ExitCode::FAILURE };
        println!("found after {} events: {violation}", totals.counts.events);
        return ExitCode::SUCCESS;
    }
    if totals.failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    if !arguments.goes_on {
        totals.failed.first().into_iter().for_each(|(seed, ended)| explain(*seed, ended, &arguments));
    }
    ExitCode::FAILURE
}

impl Totals {
    fn add(&mut self, seed: u64, ended: Ended, took: Duration) {
        self.days += 1;
        let (all, day) = (&mut self.counts, &ended.counts);
        all.events += day.events;
        all.messages += day.messages;
        all.sweeps += day.sweeps;
        all.requests += day.requests;
        all.writes += day.writes;
        all.answered += day.answered;
        all.seals_begun += day.seals_begun;
        all.seals_ended += day.seals_ended;
        all.seals_said += day.seals_said;
        all.kills += day.kills;
        all.faults += day.faults;
        all.most_requests = all.most_requests.max(day.most_requests);
        if !ended.violations.is_empty() {
            println!("seed {seed}: {}", ended.violations[0]);
            self.failed.push((seed, ended));
        }
        if self.days.is_multiple_of(500) {
            println!("{}", self.line(took));
        }
    }

    /// The first violation of this invariant.
    fn found(&self, expected: &str) -> Option<&Violation> {
        let all = self.failed.iter().flat_map(|(_, ended)| &ended.violations);
        all.into_iter().find(|violation| violation.invariant.to_string() == expected)
    }

    fn line(&self, took: Duration) -> String {
        let Counts { events, messages, sweeps, requests, writes, kills, faults, most_requests, .. } =
            self.counts;
        let (seconds, failed) = (took.as_secs_f64(), self.failed.len());
        format!(
            "{} seeds, {events} events, {messages} queue messages, {kills} kills, {faults} faults, {sweeps} sweeps, \
             {requests} requests to ARM ({most_requests} at most about one resource in an invocation), {writes} writes, \
             {failed} seeds with violations; {seconds:.1} s, {:.1} seeds/s, {:.0} events/s",
            self.days,
            self.days as f64 / seconds,
            events as f64 / seconds,
        )
    }
}

/// Prints the day that failed, the command that repeats it, and the smallest script that fails like it.
fn explain(seed: u64, ended: &Ended, arguments: &Arguments) {
    for violation in &ended.violations {
        println!("  {violation}");
    }
    println!(
        "again: cargo bench --bench simulation -- --first {seed} --seeds 1{}",
        if arguments.is_calm { " --calm" } else { "" }
    );
    let invariant = ended.violations[0].invariant;
    let whole = arguments.script(seed);
    let (smallest, runs) = shrink(&whole, |smaller| {
        run(smaller).violations.iter().any(|violation| violation.invariant == invariant)
    });
    println!(
        "{} of {} steps violate {invariant} as well, found in {runs} runs:",
        smallest.steps.len(),
        whole.steps.len()
    );
    println!(
        "  {:?}\n  {:?}\n  instances {:?}\n  {:?}",
        smallest.azure, smallest.delivery, smallest.instances, smallest.settings
    );
    for timed in &smallest.steps {
        println!("  {:>10.3} s {:?}", timed.at.as_secs_f64(), timed.step);
    }
    for (number, slot) in smallest.slots.iter().enumerate() {
        println!("  slot {number}: {slot:?}");
    }
    for violation in run(&smallest).violations {
        println!("  {violation}");
    }
}
