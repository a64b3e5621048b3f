//! What the kernel counts for the processes that nobody kills: the first tenth of the time against the last, and what is
//! left when nothing is to be done any more.

use std::{collections::BTreeMap, fs};

use parking_lot::Mutex;

use crate::invariants::{Broken, Invariant};

/// By how much the median of the last tenth may exceed that of the first: the memory of all events that can be on their way,
/// 60 KiB each, which glibc keeps after a burst that the first tenth did not have.
const KIB_MORE: u64 = 16 * 1_024;
/// By how much the least of the last tenth may exceed that of the first: connections of a burst are closed, and what leaks
/// stays.
const DESCRIPTORS_MORE: u64 = 48;
/// tokio ends a thread for blocking work after ten seconds without any.
const THREADS_MORE: u64 = 2;
/// Five minutes of readings. In less, the first tenth is the start.
const READINGS_MIN: usize = 600;

/// A reading of one process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// `VmRSS`, in KiB.
    pub(crate) resident: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
}

/// The readings by process, in order, and those at rest.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    readings: Mutex<BTreeMap<u32, Vec<Reading>>>,
    at_rest: Mutex<BTreeMap<u32, Reading>>,
}

impl Gauge {
    /// Reads the numbers of these processes.
    pub(crate) fn read(&self, pids: &[u32]) {
        for pid in pids {
            if let Some(reading) = reading(*pid) {
                self.readings.lock().entry(*pid).or_default().push(reading);
            }
        }
    }

    /// Reads them when there is nothing to do.
    pub(crate) fn read_at_rest(&self, pids: &[u32]) {
        let readings = pids.iter().filter_map(|pid| Some((*pid, reading(*pid)?)));
        self.at_rest.lock().extend(readings);
    }

    /// The readings at rest.
    pub(crate) fn at_rest(&self) -> BTreeMap<u32, Reading> {
        self.at_rest.lock().clone()
    }

    /// The processes with the first and the last tenth, and the maximum: medians, and the least number of descriptors.
    pub(crate) fn tenths(&self) -> Vec<(u32, [Reading; 3])> {
        let all = self.readings.lock();
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
        descriptors: readings.iter().map(|one| one.descriptors).min().unwrap_or_default(),
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
