//! What the kernel counts for the processes that nobody kills: the first tenth of the time against the last.

use std::{collections::BTreeMap, fs};

use parking_lot::Mutex;

use crate::invariants::{Broken, Invariant};

/// By how much the median of the last tenth may exceed that of the first. glibc keeps the memory of a burst, and each of
/// its arenas has its own: a burst that the first tenth did not have stays visible.
const KIB_MORE: u64 = 12 * 1_024;
/// Connections that the last burst has opened and the idle limit has not closed yet.
const DESCRIPTORS_MORE: u64 = 48;
/// tokio ends a thread for blocking work after ten seconds without any.
const THREADS_MORE: u64 = 2;
/// Fewer readings say nothing.
const READINGS_MIN: usize = 30;

/// A reading of one process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// `VmRSS`, in KiB.
    pub(crate) resident: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
}

/// The readings by process, in order.
#[derive(Debug, Default)]
pub(crate) struct Gauge(Mutex<BTreeMap<u32, Vec<Reading>>>);

impl Gauge {
    /// Reads the numbers of these processes.
    pub(crate) fn read(&self, pids: &[u32]) {
        for pid in pids {
            if let Some(reading) = reading(*pid) {
                self.0.lock().entry(*pid).or_default().push(reading);
            }
        }
    }

    /// The processes with the medians of the first and of the last tenth, and the maximum.
    pub(crate) fn tenths(&self) -> Vec<(u32, [Reading; 3])> {
        let all = self.0.lock();
        let enough = all.iter().filter(|(_, readings)| readings.len() >= READINGS_MIN);
        let tenths = enough.map(|(pid, readings)| {
            let tenth = readings.len() / 10;
            let first = middle(&readings[..tenth]);
            let last = middle(&readings[readings.len() - tenth..]);
            (*pid, [first, last, most(readings)])
        });
        tenths.collect()
    }

    /// Whether the last tenth is as the first.
    pub(crate) fn judge(&self, broken: &Broken) {
        for (pid, [first, last, _]) in self.tenths() {
            for (invariant, first, last, more) in [
                (Invariant::Memory, first.resident, last.resident, KIB_MORE),
                (Invariant::Descriptors, first.descriptors, last.descriptors, DESCRIPTORS_MORE),
                (Invariant::Threads, first.threads, last.threads, THREADS_MORE),
            ] {
                if last > first + more {
                    broken.add(invariant, format!("process {pid}: {first}, then {last}"));
                }
            }
        }
    }
}

fn reading(pid: u32) -> Option<Reading> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    Some(Reading {
        resident: value("VmRSS:")?,
        descriptors: u64::try_from(descriptors).ok()?,
        threads: value("Threads:")?,
    })
}

fn middle(readings: &[Reading]) -> Reading {
    let median = |of: fn(&Reading) -> u64| {
        let mut all: Vec<_> = readings.iter().map(of).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    Reading {
        resident: median(|one| one.resident),
        descriptors: median(|one| one.descriptors),
        threads: median(|one| one.threads),
    }
}

fn most(readings: &[Reading]) -> Reading {
    let most = |of: fn(&Reading) -> u64| readings.iter().map(of).max().unwrap_or_default();
    Reading {
        resident: most(|one| one.resident),
        descriptors: most(|one| one.descriptors),
        threads: most(|one| one.threads),
    }
}
