//! A stand-in for the Azure CLI: a program `az` in a folder for `PATH`, which records its runs.
//!
//! The real one is a script that starts Python, so this one waits in a process of its own as well. It takes 10 to 15 s
//! on slow machines (Azure/azure-cli #29329, #29871), and several at once break its cache (Azure/azure-cli #9427,
//! #20273).

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What a run of `az` does.
#[derive(Clone, Debug)]
pub enum Run {
    /// It prints this token after a wait ("az account get-access-token").
    Prints {
        /// How long it takes.
        after: Duration,
        /// The token.
        token: String,
        /// Seconds since 1970.
        expires_on: i64,
    },
    /// It prints this text.
    PrintsText(String),
    /// It ends with 1 and this on standard error, as if nobody had signed in.
    Fails(String),
    /// It does not end.
    Hangs,
}

/// The folder with `az`.
#[derive(Debug)]
pub struct AzureCli {
    folder: TempDir,
}

impl AzureCli {
    /// A folder with an `az` that knows no command yet.
    pub fn new() -> io::Result<Self> {
        let this = Self { folder: tempfile::tempdir()? };
        // The second word of a command, such as `show` of `az account show`, names the program for it.
        this.write("az", &format!("exec '{}'/\"$2\" \"$@\"", this.folder.path().display()))?;
        Ok(this)
    }

    /// A value of `PATH` with this folder first.
    pub fn path(&self) -> String {
        format!("{}:/usr/bin:/bin", self.folder.path().display())
    }

    /// What `az account get-access-token` does from now on.
    pub fn does(&self, run: &Run) -> io::Result<()> {
        self.puts("get-access-token", run)
    }

    /// What `az account show` does from now on.
    pub fn shows(&self, run: &Run) -> io::Result<()> {
        self.puts("show", run)
    }

    fn puts(&self, name: &str, run: &Run) -> io::Result<()> {
        let body = match run {
            Run::Prints { after, token, expires_on } => {
                let answer = json!({
                    "accessToken": token,
                    "expiresOn": "2030-01-01 12:00:00.000000",
                    "expires_on": expires_on,
                    "subscription": "11111111-2222-4333-8444-555555555555",
                    "tenant": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
                    "tokenType": "Bearer",
                });
                format!("sleep {}\n{}", after.as_secs_f64(), print(&answer.to_string()))
            }
            Run::PrintsText(text) => print(text),
            Run::Fails(text) => format!("{} >&2\nend\nexit 1", print(text).trim_end()),
            // The number of the process behind the script, which is the one that must not stay behind.
            Run::Hangs => format!("sleep 3600 & echo \"$!\" >> '{}'\nwait", self.file("hanging").display()),
        };
        let log = self.file("log");
        let script = format!(
            "end() {{ echo end >> '{log}'; }}\necho \"begin $*\" >> '{log}'\n{body}\nend",
            log = log.display()
        );
        self.write(name, &script)
    }

    fn write(&self, name: &str, script: &str) -> io::Result<()> {
        // Renamed into place: a program that is being written cannot be started.
        let unready = self.file("unready");
        fs::write(&unready, format!("#!/bin/sh\n{script}\n"))?;
        fs::set_permissions(&unready, fs::Permissions::from_mode(0o755))?;
        fs::rename(unready, self.file(name))
    }

    /// The arguments of each run so far.
    pub fn runs(&self) -> Vec<String> {
        let log = fs::read_to_string(self.file("log")).unwrap_or_default();
        log.lines().filter_map(|line| Some(line.strip_prefix("begin ")?.to_owned())).collect()
    }

    /// The largest number of runs at the same time.
    pub fn most_at_once(&self) -> usize {
        let log = fs::read_to_string(self.file("log")).unwrap_or_default();
        let mut now = 0_usize;
        let counts = log.lines().map(|line| {
            now = if line == "end" { now.saturating_sub(1) } else { now + 1 };
            now
        });
        counts.max().unwrap_or_default()
    }

    /// Whether a process of a run that hangs is still there. One that has ended, and that nobody has waited for yet, is
    /// not.
    pub fn is_hanging(&self) -> bool {
        let pids = fs::read_to_string(self.file("hanging")).unwrap_or_default();
        pids.lines().any(|pid| {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // The state follows the name, which is in parentheses ("proc(5)").
            state.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
        })
    }

    /// Waits until a run hangs.
    pub async fn hangs(&self) {
        // A file is the only word of a program's start.
        while !self.is_hanging() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until no run hangs any more. A process that is killed needs a moment to end.
    pub async fn ends(&self) {
        while self.is_hanging() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A command that prints a text.
fn print(text: &str) -> String {
    format!("printf '%s\\n' '{}'\n", text.replace('\'', "'\\''"))
}

/// The answer of `az account show` for a subscription.
pub fn account(subscription_id: &str) -> Value {
    json!({"id": subscription_id, "isDefault": true, "name": "A", "state": "Enabled"})
}
