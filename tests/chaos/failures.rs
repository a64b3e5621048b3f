//! What fails: answers of Azure by chance, and by turns everything around the handler, and the handler itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use diskseal_emulator::{
    collector::Answers,
    fault::{Fault, Kind, Refusal},
    host::FunctionGroup,
    relay::Way,
};
use fastrand::Rng;
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::site::{Site, killable};

/// The failures, and how many there were.
pub(crate) struct Failures {
    site: Arc<Site>,
    rng: Mutex<Rng>,
    killed: Mutex<BTreeSet<u32>>,
    counts: Mutex<BTreeMap<&'static str, usize>>,
}

impl Failures {
    /// Azure answers wrongly from now on.
    pub(crate) fn begin(site: Arc<Site>, seed: u64) -> Self {
        for (number, (kinds, share, fault)) in (0..).zip(faults()) {
            let fault = kinds.into_iter().fold(fault, Fault::on);
            site.azure.emulator.inject(fault.always().sometimes(share, seed.wrapping_add(number)));
        }
        let rng = Mutex::new(Rng::with_seed(seed));
        Self { site, rng, killed: Mutex::default(), counts: Mutex::default() }
    }

    /// Kills handlers, and lets what is around them fail, until it is dropped.
    pub(crate) async fn run(self: Arc<Self>) {
        tokio::join!(self.kill_some(), self.fail_around());
    }

    /// Nothing fails any more.
    pub(crate) async fn end(&self) {
        let site = &self.site;
        site.azure.emulator.clear_faults();
        site.collector.answer(Answers::Normal);
        for relay in [&site.to_collector, &site.to_identity, &site.to_proxy] {
            relay.set(Way::Open);
        }
        let _ = site.confinement.fill_output(false);
        let _ = site.confinement.set_clock("+0s");
        // What has a clock of its own reads it once a second.
        sleep(Duration::from_secs(2)).await;
    }

    /// The processes that were killed.
    pub(crate) fn killed(&self) -> BTreeSet<u32> {
        self.killed.lock().clone()
    }

    /// How many failures there were around the handler, by their name.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.counts.lock().clone()
    }

    fn count(&self, name: &'static str) {
        *self.counts.lock().entry(name).or_default() += 1;
    }

    fn choose(&self, most: usize) -> usize {
        self.rng.lock().usize(0..most)
    }

    fn time(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.rng.lock().u64(least..most))
    }

    async fn kill_some(&self) {
        loop {
            sleep(self.time(1_000, 4_000)).await;
            let sweeps = FunctionGroup::Function("sweep".to_owned());
            let [events, queue] = killable();
            let group = [events, queue, sweeps][self.choose(5).min(2)].clone();
            let instances = self.site.azure.host.instances(&group);
            // The first of several is left alone, so that something has time to grow.
            let first = usize::from(instances.len() > 1);
            let index = first + self.choose(instances.len().saturating_sub(first).max(1));
            let Some(instance) = instances.get(index) else { continue };
            let Some(pid) = instance.pid() else { continue };
            self.killed.lock().insert(pid);
            if self.choose(3) == 0 {
                // The whole instance: its host is gone as well, and with it what it was about to write to the queue.
                if self.site.azure.host.replace(&group, index).is_ok() {
                    self.count("instances killed");
                }
            } else {
                instance.kill().await;
                self.count("handlers killed");
            }
        }
    }

    async fn fail_around(&self) {
        let site = &self.site;
        let way = || match self.choose(4) {
            0 => Way::Silent,
            1 => Way::Slow(Duration::from_millis(700)),
            _ => Way::Closed,
        };
        loop {
            sleep(self.time(500, 3_000)).await;
            match self.choose(9) {
                0 => {
                    self.count("times the collector was away or slow");
                    site.to_collector.set(way());
                    sleep(self.time(1_000, 8_000)).await;
                    site.to_collector.set(Way::Open);
                }
                1 | 2 => {
                    self.count("times the collector answered wrongly");
                    let answers = [
                        Answers::Slow(Duration::from_secs(5)),
                        Answers::Garbage,
                        Answers::Endless,
                        Answers::Partial(3),
                        Answers::Status(503),
                        Answers::HangUp,
                    ];
                    site.collector.answer(answers[self.choose(answers.len())]);
                    sleep(self.time(1_000, 6_000)).await;
                    site.collector.answer(Answers::Normal);
                }
                3 => {
                    self.count("times the identity endpoint was away or slow");
                    site.to_identity.set(way());
                    sleep(self.time(1_000, 5_000)).await;
                    site.to_identity.set(Way::Open);
                }
                4 => {
                    self.count("times the proxy was away or slow");
                    site.to_proxy.set(way());
                    sleep(self.time(500, 2_500)).await;
                    site.to_proxy.set(Way::Open);
                }
                5 => {
                    let is_filled = site.confinement.fill_output(true);
                    sleep(self.time(3_000, 8_000)).await;
                    if is_filled.and_then(|()| site.confinement.fill_output(false)).is_ok() {
                        self.count("times standard output was full");
                    }
                }
                6 | 7 => {
                    let steps = ["+0s", "-45s", "+90s", "-900s", "+1800s", "+7200s", "-7200s"];
                    if site.confinement.set_clock(steps[self.choose(steps.len())]).is_ok() {
                        self.count("steps of the clock");
                    }
                }
                _ => {
                    self.count("sweeps during the failures");
                    // How it ends is part of what fails.
                    let _ = site.azure.host.fire_timer("sweep").await;
                }
            }
        }
    }
}

/// Each wrong answer with the requests that it is for, and their share.
fn faults() -> Vec<(Vec<Kind>, f64, Fault)> {
    use Kind::{Get, Patch, Poll, Query, TagsWrite, Token};
    let all = || vec![Get, Patch, TagsWrite, Poll, Query, Kind::List];
    let writes = || vec![Patch, TagsWrite];
    let wait = Duration::from_millis;
    vec![
        (all(), 0.01, Fault::refuse(Refusal::server_error(503))),
        (all(), 0.005, Fault::refuse(Refusal::server_error(500))),
        (all(), 0.005, Fault::refuse(Refusal::throttled_arm(2))),
        (vec![Get, Patch], 0.005, Fault::refuse(Refusal::throttled_compute(3))),
        (all(), 0.002, Fault::refuse(Refusal::expired_token())),
        (all(), 0.001, Fault::refuse(Refusal::claims_challenge())),
        (all(), 0.003, Fault::html(200)),
        (all(), 0.003, Fault::html(502)),
        (all(), 0.002, Fault::text(200, "application/json", "")),
        (all(), 0.002, Fault::text(200, "application/json", "{\"properties\":{\"dataAccessAuthMode\":")),
        (all(), 0.002, Fault::text(200, "application/json", "\u{0}\u{1}\u{feff}garbage")),
        (all(), 0.002, redirect()),
        (all(), 0.01, Fault::reset()),
        (all(), 0.004, Fault::half_an_answer()),
        (all(), 0.000_5, Fault::endless_answer()),
        (all(), 0.02, Fault::delay(wait(900))),
        (all(), 0.002, Fault::delay(wait(12_000))),
        (writes(), 0.003, Fault::late(wait(4_000))),
        (vec![Get], 0.01, Fault::stale_read()),
        (vec![Get], 0.003, Fault::refuse(Refusal::resource_not_found())),
        (writes(), 0.02, Fault::refuse(Refusal::conflict())),
        (vec![Patch], 0.01, Fault::refuse(Refusal::operation_not_allowed())),
        (writes(), 0.005, Fault::refuse(Refusal::scope_locked())),
        (writes(), 0.003, Fault::refuse(Refusal::disallowed_by_policy())),
        (writes(), 0.002, Fault::refuse(Refusal::authorization_failed())),
        (writes(), 0.01, Fault::refuse_after_applying(Refusal::server_error(500))),
        (writes(), 0.01, Fault::reset_after_applying()),
        (vec![Patch], 0.01, Fault::operation_preempted()),
        (vec![Patch], 0.005, Fault::operation_canceled()),
        (vec![Patch], 0.01, Fault::operation_fails("InternalExecutionError", "An internal error occurred.")),
        (vec![Token], 0.08, Fault::refuse(Refusal::server_error(500))),
        (vec![Token], 0.04, Fault::reset()),
        (vec![Token], 0.03, Fault::text(200, "application/json", "{\"access_token\":7}")),
        (vec![Token], 0.03, Fault::delay(wait(3_000))),
    ]
}

/// To another server, as the sign-in page of a network does it.
fn redirect() -> Fault {
    let refusal = Refusal::from_body(302, serde_json::json!({}));
    Fault::refuse(refusal.with_header("location", "https://login.example.test/portal"))
}
