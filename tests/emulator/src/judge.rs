//! The judge of one journal, by Azure's definitions and by the handler's role, and how its verdict fails the
//! run.

use std::{
    collections::HashSet,
    io::Write,
    sync::{Arc, Weak},
    thread::{self, ThreadId},
    time::Duration,
};

use parking_lot::Mutex;

use crate::{definitions::Definitions, fault::Kind, journal::Exchange, role::Role};

/// Checks every exchange of one emulator.
#[derive(Debug)]
pub(crate) struct Judge {
    /// Azure's definitions, if the environment names them.
    definitions: Option<&'static Definitions>,
    /// The thread that created the emulator; in a test, a panic there fails the test.
    home: ThreadId,
    issued: Mutex<HashSet<String>>,
    found: Arc<Mutex<Vec<String>>>,
}

/// How long a test may wait for something that a fault prevents.
const PATIENCE: Duration = Duration::from_secs(20);

impl Judge {
    /// A judge by the handler's role, and by the definitions if the environment names them.
    pub(crate) fn of_environment() -> Self {
        let definitions = Definitions::of_environment();
        let home = thread::current().id();
        Self { definitions, home, issued: Mutex::default(), found: Arc::default() }
    }

    pub(crate) fn look(&self, exchange: &Exchange) {
        let mut faults = Role::deployed().judge(exchange);
        // The definitions are those of Resource Manager, and a blob holds whatever was put there.
        let is_of_blobs = matches!(exchange.kind, Kind::BlobRead | Kind::BlobBlock | Kind::BlobCommit);
        if let Some(definitions) = self.definitions.filter(|_| !is_of_blobs) {
            let mut issued = self.issued.lock();
            faults.extend(definitions.judge(exchange, &issued));
            issued.extend(given_out(exchange));
        }
        if faults.is_empty() {
            return;
        }
        let (method, path) = (&exchange.method, &exchange.path);
        let faults: Vec<_> = faults.into_iter().map(|fault| format!("{method} {path}: {fault}")).collect();
        say(&faults);
        let mut found = self.found.lock();
        if found.is_empty() {
            end_later(Arc::downgrade(&self.found));
        }
        found.extend(faults);
    }

    /// Fails the test of this emulator, if it runs in this thread. A panic inside a task would be lost.
    pub(crate) fn speak(&self) {
        let is_home = thread::current().id() == self.home && tokio::task::try_id().is_none();
        if !is_home || thread::panicking() {
            return;
        }
        let found = std::mem::take(&mut *self.found.lock());
        assert!(found.is_empty(), "{}", verdict(&found));
    }
}

impl Drop for Judge {
    /// The last check: a fault that has failed no test ends the run here.
    fn drop(&mut self) {
        let found = std::mem::take(&mut *self.found.lock());
        if found.is_empty() {
            return;
        }
        say(&found);
        if !thread::panicking() {
            end();
        }
    }
}

/// Ends the run if no test has failed by then: a test that waits for something that the fault prevents would
/// hang.
fn end_later(found: Weak<Mutex<Vec<String>>>) {
    thread::spawn(move || {
        thread::sleep(PATIENCE);
        if found.upgrade().is_some_and(|found| !found.lock().is_empty()) {
            end();
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "a panic in a task or a thread of its own would be lost")]
fn end() {
    std::process::exit(101);
}

/// Not a macro, whose output the test harness would capture.
fn say(found: &[String]) {
    let _ = writeln!(std::io::stderr(), "{}", verdict(found));
}

fn verdict(found: &[String]) -> String {
    format!("neither Azure's definitions nor the handler's role may be broken:\n  {}", found.join("\n  "))
}

/// The URLs in a response that clients use later.
fn given_out(exchange: &Exchange) -> impl Iterator<Item = String> {
    let header = |name: &str| exchange.response_header(name).map(str::to_owned);
    let next = exchange.response_body["nextLink"].as_str().map(str::to_owned);
    [header("azure-asyncoperation"), header("location"), next].into_iter().flatten()
}
