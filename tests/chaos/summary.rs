//! The table at the end: a row for each invariant, and the numbers.

use std::{process::ExitCode, time::Duration};

use anstream::println;

use crate::{
    Arguments,
    failures::Failures,
    gauge::{Gauge, Reading},
    invariants::{Broken, Invariant},
    observer::Observer,
    site::Site,
};

/// What has run.
pub(crate) struct Run<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) site: &'a Site,
    pub(crate) observer: &'a Observer,
    pub(crate) failures: &'a Failures,
    pub(crate) gauge: &'a Gauge,
    pub(crate) broken: &'a Broken,
    /// The sweeps until one found nothing.
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
}

/// Prints the table and the numbers. The exit code is 1 if an invariant is broken.
pub(crate) fn print(run: &Run<'_>) -> ExitCode {
    println!();
    numbers(run);
    println!();
    for invariant in Invariant::ALL {
        let (count, examples) = run.broken.of(invariant);
        match count {
            0 => println!("  ok    {}", invariant.sentence()),
            count => println!("  FAIL  {}: {count} times", invariant.sentence()),
        }
        for example in examples {
            println!("        {}", example.chars().take(600).collect::<String>());
        }
    }
    if run.broken.is_empty() {
        return ExitCode::SUCCESS;
    }
    let Arguments { events, seed, instances, .. } = run.arguments;
    println!("\n  Again: tests/chaos/run --events {events} --seed {seed} --instances {instances}");
    ExitCode::FAILURE
}

fn numbers(run: &Run<'_>) {
    let stats = run.site.azure.event_grid.stats();
    let (writes, existing) = run.observer.world.counts();
    let row = |name: &str, number: usize| println!("  {number:>9}  {name}");
    println!("  after {} s:", run.time.as_secs());
    row("events raised", stats.published);
    row("of them lost", stats.lost);
    row("events accepted, with duplicates", stats.delivered);
    row("events that were given up after every attempt", stats.dropped);
    row("writes of others", writes);
    row("resources at the end", existing);
    run.observer.seen(|seen| {
        row("requests", seen.requests);
        row("of them writes of the handler", seen.writes);
        for (fault, count) in &seen.faults {
            row(&format!("requests that failed on purpose: {fault}"), *count);
        }
        for (end, count) in &seen.invocations {
            row(&format!("invocations: {end}"), *count);
        }
        row("lines of the log", seen.lines);
        row("spans that a collector got", seen.spans);
        row("log records that a collector got", seen.logs);
    });
    for (name, count) in run.failures.counts() {
        row(name, count);
    }
    let (processes, with_clock, with_full_output) = run.site.confinement.starts();
    row("processes started", processes);
    row("of them with a clock that steps", with_clock);
    row("of them with full standard output", with_full_output);
    row("messages in the poison queue", run.site.azure.queues.poison("diskseal-pending").len());
    row("sweeps at the end until one found nothing", run.rounds);
    for (pid, Reading { resident, descriptors, threads }) in run.gauge.at_rest() {
        println!(
            "  process {pid} at rest: {resident} KiB resident, {descriptors} open files, {threads} threads"
        );
        if let Some(peak) = run.site.confinement.memory_peak(pid) {
            println!("  process {pid}: {} KiB at most in its control group", peak / 1_024);
        }
    }
    for (pid, [first, last, most]) in run.gauge.tenths() {
        let of = |of: fn(&Reading) -> u64| format!("{} → {} (most {})", of(&first), of(&last), of(&most));
        println!(
            "  process {pid}, the first and the last tenth of the time: {} KiB resident, {} open files at least, {} threads",
            of(|one| one.resident),
            of(|one| one.descriptors),
            of(|one| one.threads),
        );
    }
}
