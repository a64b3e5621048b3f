//! Looks at everything that leaves the handler, while it runs: requests, answers, lines and exports.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::Arc,
};

use diskseal_emulator::host::{Failure, Verdict};
use parking_lot::Mutex;

use crate::{
    invariants::{Broken, Invariant},
    site::Site,
    wire::Wire,
    world::{CLAIMS, World},
};

/// The observer, and what it has counted.
pub(crate) struct Observer {
    site: Arc<Site>,
    pub(crate) world: Arc<World>,
    broken: Arc<Broken>,
    secrets: Vec<String>,
    state: Mutex<Seen>,
}

/// Numbers of what was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    wire: Wire,
    pub(crate) requests: usize,
    pub(crate) writes: usize,
    /// Requests that a fault has affected, by its name.
    pub(crate) faults: BTreeMap<&'static str, usize>,
    /// Invocations by their end.
    pub(crate) invocations: BTreeMap<String, usize>,
    pub(crate) lines: usize,
    pub(crate) spans: usize,
    pub(crate) logs: usize,
}

impl Observer {
    pub(crate) fn new(site: Arc<Site>, world: Arc<World>, broken: Arc<Broken>) -> Self {
        let mut secrets: Vec<_> = CLAIMS.iter().map(|claim| (*claim).to_owned()).collect();
        // The start of every token, and the parameters of a signed URL of an operation.
        secrets.extend(["eyJ", "Bearer ", "&s=", "&c="].map(str::to_owned));
        secrets.push(site.azure.serving.identity_header.clone());
        Self { site, world, broken, secrets, state: Mutex::default() }
    }

    /// Looks at what has come since the last look.
    pub(crate) fn look(&self) {
        let mut guard = self.state.lock();
        let seen = &mut *guard;
        for exchange in self.site.azure.emulator.take_journal() {
            seen.requests += 1;
            if let Some(fault) = exchange.fault {
                *seen.faults.entry(fault).or_default() += 1;
            }
            seen.writes += usize::from(matches!(exchange.method.as_str(), "PATCH" | "PUT" | "DELETE"));
            seen.wire.look(&exchange, &self.world, &self.broken);
        }
        for line in self.site.azure.host.take_console() {
            seen.lines += 1;
            self.look_for_secrets(&line.text);
            if line.text.contains("panicked") {
                self.broken.add(Invariant::Ends, line.text);
            }
        }
        for span in self.site.collector.take_spans() {
            seen.spans += 1;
            self.look_for_secrets(&span);
        }
        for record in self.site.collector.take_logs() {
            seen.logs += 1;
            self.look_for_secrets(&record);
        }
        for invocation in self.site.azure.host.take_invocations() {
            self.look_for_secrets(&(&invocation.logs, &invocation.outputs, &invocation.return_value));
            let end = end_of(&invocation.verdict);
            if end.starts_with("unusable") {
                self.broken.add(Invariant::Answers, format!("{end}: {invocation:?}"));
            }
            *seen.invocations.entry(end).or_default() += 1;
        }
    }

    /// Whether every process that has ended was killed by us.
    pub(crate) fn look_at_ends(&self, killed: &BTreeSet<u32>) {
        for exit in self.site.azure.host.exits() {
            if !killed.contains(&exit.pid) {
                self.broken.add(Invariant::Ends, format!("{exit:?}"));
            }
        }
    }

    /// The numbers so far.
    pub(crate) fn seen<R>(&self, look: impl FnOnce(&Seen) -> R) -> R {
        look(&self.state.lock())
    }

    fn look_for_secrets(&self, what: &(impl Debug + ?Sized)) {
        let text = format!("{what:?}");
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                let shown: String = text.chars().take(500).collect();
                self.broken.add(Invariant::Secrets, format!("{secret}: {shown}"));
            }
        }
    }
}

/// The end of an invocation in a word or two.
fn end_of(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Succeeded => "succeeded".to_owned(),
        Verdict::Failed(Failure::Status(status)) => format!("failed with {status}"),
        Verdict::Failed(Failure::Connection(_) | Failure::HostDown(_)) => "cut off".to_owned(),
        Verdict::Failed(Failure::Trigger(_)) => "refused by the host".to_owned(),
        Verdict::Failed(Failure::MediaType(_) | Failure::InvalidJson(_) | Failure::Output(..))
        | Verdict::Hung
        | Verdict::TimedOut => format!("unusable ({verdict:?})"),
    }
}
