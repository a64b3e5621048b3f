//! The process of the Azure CLI, which ends with whoever waits for it.

use std::{
    ffi::OsStr,
    io::{self, ErrorKind},
    process::{Output, Stdio},
    time::Duration,
};

use azure_identity::Executor;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};

/// How long `az` may take. It needs 10 to 15 s on a slow machine (Azure/azure-cli #29329, #29871).
pub(super) const AZ_TIMEOUT: Duration = Duration::from_secs(30);
/// How many bytes of its output are read, and of an answer with a token in general.
pub(super) const OUTPUT_MAX: usize = 256 * 1_024;

/// The Azure CLI's program, a script. A name without its extension would not be found on Windows.
const AZ: &str = if cfg!(windows) { "az.cmd" } else { "az" };

/// Runs `az` with these arguments.
///
/// # Errors
/// It cannot be started, writes too much, or takes longer than half a minute: what happened, in words.
pub async fn az(arguments: &[&str]) -> Result<Output, String> {
    let arguments: Vec<_> = arguments.iter().map(OsStr::new).collect();
    match tokio::time::timeout(AZ_TIMEOUT, run(OsStr::new(AZ), &arguments)).await {
        Ok(Err(fault)) if fault.kind() == ErrorKind::NotFound => Err(NOT_INSTALLED.to_owned()),
        Ok(output) => output.map_err(|fault| format!("az cannot be run: {fault}")),
        Err(_) => Err("the Azure CLI did not answer in time".to_owned()),
    }
}

/// Runs `az` for `azure_identity`, which gives the whole command line, with a shell.
#[derive(Debug)]
pub(super) struct Az;

#[async_trait::async_trait]
impl Executor for Az {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        let output = run(program, args).await?;
        // The library would run the CLI's text together with a text of its own.
        if output.status.success() { Ok(output) } else { Err(io::Error::other(AzFault(fault(&output)))) }
    }
}

/// Why the Azure CLI gave no token, in a sentence with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct AzFault(pub(super) String);

/// What is wrong, by the output of a run that failed: a sentence of its own, and what to do about it. The CLI's text,
/// which has several lines and hints for other tools, is shown only where it is not known.
pub fn fault(output: &Output) -> String {
    // A shell's exit code of a program that it does not find.
    if output.status.code() == Some(127) {
        return NOT_INSTALLED.to_owned();
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let words = || text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let code = words().find(|word| word.starts_with("AADSTS") && word.len() > "AADSTS".len());
    if text.contains("az login") || code.is_some() {
        let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
        return format!("the Azure CLI is not signed in, or its sign-in has expired{code}; run az login");
    }
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines().find_map(|line| line.strip_prefix("ERROR: ")).or_else(|| lines().next_back());
    let line = line.unwrap_or("it says nothing").trim_end_matches(['.', ':']);
    format!("the Azure CLI failed: {line}; run az account get-access-token to see more")
}

const NOT_INSTALLED: &str =
    "the Azure CLI (az) is not on PATH; install it, or choose another credential with --credential";

/// Runs a program. If the future is dropped, the process is killed with all that it started: `az` is a script that
/// starts Python.
async fn run(program: &OsStr, arguments: &[&OsStr]) -> io::Result<Output> {
    let mut command = std::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    lead_group(&mut command);
    let mut running = Running(Command::from(command).kill_on_drop(true).spawn()?);
    let (stdout, stderr) = (running.0.stdout.take(), running.0.stderr.take());
    let (stdout, stderr) = tokio::try_join!(read(stdout), read(stderr))?;
    let status = running.0.wait().await?;
    Ok(Output { status, stdout: without_mark(&stdout).to_vec(), stderr })
}

/// A text without the byte order mark of UTF-8. RFC 8259 lets a reader skip it.
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Gives a program a group of its own, which can be killed as a whole.
#[cfg(unix)]
fn lead_group(command: &mut std::process::Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// Without process groups the program alone is killed.
#[cfg(not(unix))]
fn lead_group(_: &mut std::process::Command) {}

/// A process that does not outlive this value.
struct Running(Child);

#[cfg(unix)]
impl Drop for Running {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};

        // None once it has ended and was waited for: its number may be another's by then.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            // Fails if it is ending at this moment.
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if let Some(stream) = stream {
        stream.take(OUTPUT_MAX as u64 + 1).read_to_end(&mut text).await?;
    }
    if text.len() > OUTPUT_MAX {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("more than {OUTPUT_MAX} bytes")));
    }
    Ok(text)
}
