//! The handler's process: start, readiness, exit and restart by the host's rules.

use std::{
    collections::VecDeque,
    os::unix::process::ExitStatusExt as _,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use super::{
    app::{App, Settings},
    client::Client,
    console::{self, ConsoleLine, Reading, Stream},
    records::Records,
    stage::make_runnable,
};
use crate::recorded::Recorded;

/// How a process of the handler ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The process's id.
    pub pid: u32,
    /// The exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that ended it, if any.
    pub signal: Option<i32>,
    /// Whether the host counts the exit as an error of the handler.
    pub counted: bool,
}

/// The state of the handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is about to be started, or was started and has not answered yet.
    Starting,
    /// It answers.
    Ready,
    /// It exited with code 0, which the host does not notice.
    Gone,
    /// It could not be started, and why: the host logs it once, counts nothing and tries no more, and its state stays
    /// `Initializing` (`HttpWorkerChannel`, whose task nobody waits for; `process/binary-missing.json`).
    NotStarted(String),
    /// The host has shut down, and why.
    Down(String),
}

impl Phase {
    /// Whether an invocation waits for the handler.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(self, Self::Starting | Self::NotStarted(_))
    }
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) pid: Option<u32>,
}

#[derive(Debug)]
pub(super) enum Order {
    /// SIGKILL from outside. Answered when the process has ended and the rules have been applied.
    Kill(oneshot::Sender<()>),
    /// SIGTERM.
    Terminate,
    /// SIGKILL by the host, of this process only, because of `functionTimeout`.
    Restart(u32, oneshot::Sender<()>),
    /// SIGKILL by the host, without a restart.
    Stop(oneshot::Sender<()>),
    /// The host shuts down by itself, for this reason (`StopApplication`).
    ShutDown(String, oneshot::Sender<()>),
}

/// The state of the process that the rest of the host sees.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) state: watch::Receiver<State>,
    pub(super) orders: mpsc::UnboundedSender<Order>,
    pub(super) exits: Arc<Recorded<Exit>>,
    pub(super) console: Arc<Recorded<ConsoleLine>>,
}

/// The task that owns the process.
pub(super) struct Supervisor {
    app: App,
    settings: Settings,
    port: u16,
    client: Client,
    errors_until_down: usize,
    reading: Reading,
    errors: VecDeque<Instant>,
    state: watch::Sender<State>,
    orders: mpsc::UnboundedReceiver<Order>,
    exits: Arc<Recorded<Exit>>,
    console: Arc<Recorded<ConsoleLine>>,
}

/// Why the host ended a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    /// The host did not end it.
    None,
    NotReady,
    Restart,
    Stop,
}

const STOPPED: &str = "the host was stopped";

/// Errors further apart than this reset the count.
const ERROR_WINDOW: Duration = Duration::from_mins(30);

/// Interval of the readiness polls.
const POLL: Duration = Duration::from_millis(25);

impl Supervisor {
    pub(super) fn start(
        app: App,
        settings: Settings,
        port: u16,
        client: Client,
        errors_until_down: usize,
        reading: Reading,
        records: &Records,
    ) -> (Process, JoinHandle<()>) {
        let (state, watched) = watch::channel(State { phase: Phase::Starting, pid: None });
        let (orders, received) = mpsc::unbounded_channel();
        let exits = Arc::clone(&records.exits);
        let console = Arc::clone(&records.console);
        let supervisor = Self {
            app,
            settings,
            port,
            client,
            errors_until_down,
            reading,
            errors: VecDeque::new(),
            state,
            orders: received,
            exits: Arc::clone(&exits),
            console: Arc::clone(&console),
        };
        let task = tokio::spawn(supervisor.run());
        (Process { state: watched, orders, exits, console }, task)
    }

    async fn run(mut self) {
        loop {
            match self.spawn().await {
                Ok(child) => self.live(child).await,
                Err(error) => {
                    tracing::warn!(%error, "the handler cannot be started");
                    self.enter(Phase::NotStarted(format!("the handler cannot be started: {error}")), None);
                }
            }
            let phase = self.state.borrow().phase.clone();
            if !matches!(phase, Phase::Starting) && !self.idle().await {
                return;
            }
        }
    }

    /// Answers orders while there is no process. Returns false when the host has been stopped.
    async fn idle(&mut self) -> bool {
        loop {
            match self.orders.recv().await {
                None => return false,
                Some(Order::Stop(done)) => {
                    self.enter(Phase::Down(STOPPED.to_owned()), None);
                    let _ = done.send(());
                    return false;
                }
                Some(Order::ShutDown(reason, done)) => {
                    self.enter(Phase::Down(reason), None);
                    let _ = done.send(());
                }
                Some(Order::Kill(done) | Order::Restart(_, done)) => drop(done.send(())),
                Some(Order::Terminate) => {}
            }
        }
    }

    /// The host passes on its whole environment, to which the app settings belong, and adds five variables. Before, it
    /// gives the file its execute bit where it may (`WorkerProcess`).
    async fn spawn(&self) -> std::io::Result<Child> {
        let _ = make_runnable(&self.app.executable);
        let id = Uuid::new_v4().to_string();
        let port = self.port.to_string();
        loop {
            let spawned = Command::new(&self.app.executable)
                .args(&self.app.arguments)
                .current_dir(&self.app.working_directory)
                .env_clear()
                .envs(&self.settings)
                .env("FUNCTIONS_CUSTOMHANDLER_PORT", &port)
                .env("FUNCTIONS_HTTPWORKER_PORT", &port)
                .env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", &id)
                .env("FUNCTIONS_HTTPWORKER_ID", &id)
                .env("FUNCTIONS_APP_ROOT_PATH", &self.app.root)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .kill_on_drop(true)
                .spawn();
            match spawned {
                // A process that another thread has just forked may still hold the freshly copied file open.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => sleep(POLL).await,
                other => return other,
            }
        }
    }

    /// Supervises a process until it has ended, and applies the rules.
    async fn live(&mut self, mut child: Child) {
        let pid = child.id().unwrap_or_default();
        self.enter(Phase::Starting, Some(pid));
        let readers = self.read_console(&mut child, pid);
        let ready = answers(self.client.clone(), self.port, self.app.initialization_timeout);
        tokio::pin!(ready);
        let mut polling = true;
        let mut intent = Intent::None;
        let mut reason = STOPPED.to_owned();
        let mut waiting = Vec::new();
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                is_ready = &mut ready, if polling => {
                    polling = false;
                    if is_ready {
                        self.enter(Phase::Ready, Some(pid));
                    } else {
                        intent = Intent::NotReady;
                        // It only fails for a process that has ended, and then the wait ends as well.
                        let _ = child.start_kill();
                    }
                }
                order = self.orders.recv() => match order {
                    Some(Order::Terminate) => terminate(&child),
                    Some(Order::Restart(other, done)) if other != pid => drop(done.send(())),
                    Some(Order::Kill(done)) => {
                        let _ = child.start_kill();
                        waiting.push(done);
                    }
                    Some(Order::Restart(_, done)) => {
                        intent = Intent::Restart;
                        let _ = child.start_kill();
                        waiting.push(done);
                    }
                    Some(Order::Stop(done)) => {
                        intent = Intent::Stop;
                        let _ = child.start_kill();
                        waiting.push(done);
                    }
                    Some(Order::ShutDown(why, done)) => {
                        (intent, reason) = (Intent::Stop, why);
                        let _ = child.start_kill();
                        waiting.push(done);
                    }
                    None => {
                        intent = Intent::Stop;
                        let _ = child.start_kill();
                    }
                },
            }
        };
        for reader in readers {
            if let Reading::Late(_) = self.reading {
                reader.abort();
            }
            // A process that the handler left behind may hold the pipe open.
            let _ = timeout(Duration::from_secs(1), reader).await;
        }
        // Before the handler is ready, code 0 is not noticed either: the wait for it goes on to its end.
        let code = status.as_ref().ok().and_then(ExitStatus::code);
        if polling && (intent, code) == (Intent::None, Some(0)) {
            intent = self.outwait(ready, &mut waiting).await;
        }
        self.judge_exit(pid, intent, reason, status.ok());
        for done in waiting {
            let _ = done.send(());
        }
    }

    /// Waits for the end of the readiness polls, although the process is gone.
    async fn outwait(
        &mut self,
        ready: impl Future<Output = bool>,
        waiting: &mut Vec<oneshot::Sender<()>>,
    ) -> Intent {
        tokio::pin!(ready);
        loop {
            tokio::select! {
                is_ready = &mut ready => return if is_ready { Intent::None } else { Intent::NotReady },
                order = self.orders.recv() => match order {
                    Some(Order::Stop(done) | Order::ShutDown(_, done)) => {
                        waiting.push(done);
                        return Intent::Stop;
                    }
                    Some(Order::Kill(done) | Order::Restart(_, done)) => waiting.push(done),
                    Some(Order::Terminate) => {}
                    None => return Intent::Stop,
                },
            }
        }
    }

    fn read_console(&self, child: &mut Child, pid: u32) -> Vec<JoinHandle<()>> {
        let stdout = child.stdout.take().map(|stdout| {
            let (reading, console) = (self.reading.clone(), Arc::clone(&self.console));
            tokio::spawn(console::read(pid, Stream::Stdout, stdout, reading, console))
        });
        let stderr = child.stderr.take().map(|stderr| {
            let (reading, console) = (self.reading.clone(), Arc::clone(&self.console));
            tokio::spawn(console::read(pid, Stream::Stderr, stderr, reading, console))
        });
        stdout.into_iter().chain(stderr).collect()
    }

    fn judge_exit(&mut self, pid: u32, intent: Intent, reason: String, status: Option<ExitStatus>) {
        let code = status.and_then(|status| status.code());
        let signal = status.and_then(|status| status.signal());
        let counted = match (intent, code) {
            (Intent::Stop, _) => {
                self.enter(Phase::Down(reason), None);
                false
            }
            (Intent::Restart, _) | (Intent::None, Some(200)) => {
                self.enter(Phase::Starting, None);
                false
            }
            (Intent::None, Some(0)) => {
                self.enter(Phase::Gone, None);
                false
            }
            (Intent::NotReady, _) => {
                self.count_error("the handler did not answer in time after its start");
                true
            }
            (Intent::None, _) => {
                self.count_error(&self.last_words(pid, code, signal));
                true
            }
        };
        self.exits.push(Exit { pid, code, signal, counted });
    }

    /// The exception's text: the exit code and the last three lines of standard error.
    fn last_words(&self, pid: u32, code: Option<i32>, signal: Option<i32>) -> String {
        let lines = self.console.all();
        let errors = lines.iter().rev().filter(|line| line.pid == pid && line.stream == Stream::Stderr);
        let mut last: Vec<_> = errors.take(3).map(|line| line.text.as_str()).collect();
        last.reverse();
        let ended = match (code, signal) {
            (Some(code), _) => format!("exited with code {code}"),
            (_, Some(signal)) => format!("was ended by signal {signal}"),
            _ => "ended".to_owned(),
        };
        format!("the handler {ended}\n{}", last.join("\n")).trim_end().to_owned()
    }

    /// Restarts the handler, or shuts the host down after the last permitted error.
    fn count_error(&mut self, error: &str) {
        let now = Instant::now();
        if self.errors.back().is_some_and(|last| now - *last > ERROR_WINDOW) {
            self.errors.clear();
        }
        self.errors.push_back(now);
        tracing::warn!(error, count = self.errors.len(), "the handler failed");
        let down = self.errors.len() >= self.errors_until_down;
        self.enter(if down { Phase::Down(error.to_owned()) } else { Phase::Starting }, None);
    }

    fn enter(&self, phase: Phase, pid: Option<u32>) {
        self.state.send_replace(State { phase, pid });
    }
}

/// Polls until the handler is ready. Only the pauses count towards the limit, so the whole takes longer.
async fn answers(client: Client, port: u16, limit: Duration) -> bool {
    let polls = limit.as_millis().div_ceil(POLL.as_millis());
    for _ in 0..polls {
        if client.is_ready(port).await {
            return true;
        }
        sleep(POLL).await;
    }
    false
}

fn terminate(child: &Child) {
    // A child that was not waited for keeps its id, so the signal cannot reach another process.
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}
