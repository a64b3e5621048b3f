//! The handler's process: start, readiness, exit and restart by the host's rules.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, TcpListener, UdpSocket},
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
    /// The host has shut down, and why.
    Down(String),
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
    ) -> (Process, JoinHandle<()>) {
        let (state, watched) = watch::channel(State { phase: Phase::Starting, pid: None });
        let (orders, received) = mpsc::unbounded_channel();
        let exits = Arc::new(Recorded::default());
        let console = Arc::new(Recorded::default());
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
                Err(error) => self.count_error(&format!("the handler could not be started: {error}")),
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
                    self.enter(Phase::Down("the host was stopped".to_owned()), None);
                    let _ = done.send(());
                    return false;
                }
                Some(Order::Kill(done) | Order::Restart(_, done)) => drop(done.send(())),
                Some(Order::Terminate) => {}
            }
        }
    }

    /// The environment is only the app settings and what the host adds.
    async fn spawn(&self) -> std::io::Result<Child> {
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
        let ready = timeout(self.app.initialization_timeout, answers(self.client.clone(), self.port));
        tokio::pin!(ready);
        let mut polling = true;
        let mut intent = Intent::None;
        let mut waiting = Vec::new();
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                answered = &mut ready, if polling => {
                    polling = false;
                    if answered.is_ok() {
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
        self.judge_exit(pid, intent, status.ok());
        for done in waiting {
            let _ = done.send(());
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

    fn judge_exit(&mut self, pid: u32, intent: Intent, status: Option<ExitStatus>) {
        let code = status.and_then(|status| status.code());
        let signal = status.and_then(|status| status.signal());
        let counted = match (intent, code) {
            (Intent::Stop, _) => {
                self.enter(Phase::Down("the host was stopped".to_owned()), None);
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

/// Polls until there is a response, with any status.
async fn answers(client: Client, port: u16) {
    while client.get_root(port).await.is_err() {
        sleep(POLL).await;
    }
}

fn terminate(child: &Child) {
    // A child that was not waited for keeps its id, so the signal cannot reach another process.
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

/// A port of loopback for the handler that no other host of this emulator takes.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) number: u16,
    /// UDP ports are independent of TCP ports. Holding the UDP port keeps the TCP port free for the handler,
    /// and shows every other host, in this process or another, that it is taken.
    _claim: UdpSocket,
}

impl Port {
    /// The real host lets the system choose a port and may lose it before the handler binds it. Here it also
    /// lies below the range from which Linux assigns ports to outgoing connections.
    pub(super) fn claim() -> Option<Self> {
        (0..100).map(|_| fastrand::u16(16_000..32_000)).find_map(|number| {
            let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
            Some(Self { number, _claim: claim })
        })
    }
}
