//! The flags of `diskseal doctor --try`, its question, and what ends it early.

use std::{io::IsTerminal, time::Duration};

use clap::{Arg, ArgAction, ArgMatches, Command};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    cli::{
        installation::Installation,
        interrupt::leave_to_command,
        names::Names,
        output::note,
        question::{confirmed, declined},
        scope::yes_arg,
        session::{Exit, Session},
    },
    config::Config,
    doctor::{Deployment, Finding, NO_WORKSPACE, Stop, Trial, Wishes, attempt, is_workspace, plan},
    resource_id::is_subscription_id,
};

const TRY: &str = "try";
/// The default of `--try-timeout`, in seconds. Logs and traces take Azure Monitor some minutes ("Log data ingestion
/// time in Azure Monitor").
const TIMEOUT: u64 = 900;

/// Adds the flags.
pub(super) fn with_flags(command: Command) -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name).requires(TRY);
    command
        .next_help_heading("Trial")
        .arg(Arg::new(TRY).long(TRY).action(ArgAction::SetTrue).help("Prove the whole route with a disk and a snapshot").long_help(
            "Also prove the whole route: create a resource group with a 4 GiB disk and a snapshot, wait for their \
             seals and traces, print where the time went, and delete the group",
        ))
        .arg(
            flag("try-timeout")
                .value_name("SECONDS")
                .value_parser(clap::value_parser!(u64).range(1..=86_400))
                .help(format!("How long to wait [default: {TIMEOUT}]"))
                .long_help(format!("How long to wait for the seals and the traces [default: {TIMEOUT}]")),
        )
        .arg(
            flag("try-subscription")
                .value_name("ID")
                .value_parser(|text: &str| {
                    let is_id = is_subscription_id(text);
                    is_id.then(|| text.to_owned()).ok_or("expected the ID of a subscription")
                })
                .add(Names::Subscriptions.completer())
                .help("Subscription of the group")
                .long_help("Subscription of the group, one in scope [default: that of the app]"),
        )
        .arg(
            flag("location")
                .value_name("NAME")
                .value_parser(|text: &str| {
                    let is_name = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
                    is_name.then(|| text.to_owned()).ok_or("expected the name of a region, such as westeurope")
                })
                .add(Names::Locations.completer())
                .help("Region of the disk and the snapshot")
                .long_help("Region of the disk and the snapshot [default: that of the app]"),
        )
        .arg(
            flag("workspace")
                .value_name("ID")
                .value_parser(|text: &str| {
                    let form = "expected /subscriptions/…/providers/Microsoft.OperationalInsights/workspaces/NAME";
                    (is_workspace(text) || text == NO_WORKSPACE).then(|| text.to_owned()).ok_or(form)
                })
                .add(Names::Workspaces.completer())
                .help("Log Analytics workspace with the traces")
                .long_help("Log Analytics workspace with the traces, or `none` [default: that of the app's Application Insights]"),
        )
        .arg(yes_arg("It is required without a terminal").requires(TRY))
}

/// What the command line says of a trial; none if there is to be none.
pub(super) struct Asked {
    wishes: Wishes,
    asks: bool,
}

/// Reads the flags.
///
/// # Errors
/// A confirmation is needed, and there is no terminal.
pub(super) fn asked(matches: &ArgMatches) -> Result<Option<Asked>, &'static str> {
    if !matches.get_flag(TRY) {
        return Ok(None);
    }
    let asks = !matches.get_flag("yes");
    if asks && !std::io::stdin().is_terminal() {
        return Err("nothing was created: there is no terminal for a confirmation; use --yes to skip it");
    }
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let mut nonce = Uuid::new_v4().simple().to_string();
    nonce.truncate(6);
    let wishes = Wishes {
        subscription: text("try-subscription"),
        location: text("location"),
        workspace: text("workspace"),
        timeout: Duration::from_secs(matches.get_one::<u64>("try-timeout").copied().unwrap_or(TIMEOUT)),
        application_id: None,
        exports_traces: true,
        installation: None,
        function_app: None,
        nonce,
    };
    Ok(Some(Asked { wishes, asks }))
}

impl Asked {
    /// Plans, asks, and tries. `before` are the findings of the checks. Returns how it ended, besides its findings.
    pub(super) async fn run(
        mut self,
        session: &Session,
        deployment: &Deployment,
        before: &[Finding],
        report: &mut (dyn FnMut(Finding) + Send),
    ) -> Exit {
        let installation = session.installation.as_ref();
        self.wishes.application_id = installation.and_then(|found| found.application_id.clone());
        self.wishes.exports_traces = installation.is_none_or(|found| found.exports_traces);
        self.wishes.installation = installation.and_then(scope_of);
        self.wishes.function_app.clone_from(&deployment.function_app);
        let stop = stops();
        let mut wish = stop.clone();
        let planned = async {
            let trial =
                plan(&session.ctx, &self.wishes).await.map_err(|finding| (Some(finding), Exit::Done))?;
            if self.asks {
                confirmed(question(&trial)).await.map_err(|exit| (None, exit))?;
            }
            Ok(trial)
        };
        let planned = tokio::select! {
            planned = planned => planned,
            Ok(_) = wish.wait_for(|times| *times > 0) => Err((None, Exit::Interrupted)),
        };
        let trial = match planned {
            Ok(trial) => trial,
            Err((Some(finding), exit)) => {
                report(finding);
                return exit;
            }
            Err((None, exit)) => return declined("nothing was created", exit),
        };
        attempt(&session.ctx, &trial, before, &stop, report, &mut |text| note(&format!("trial: {text}")))
            .await;
        if *stop.borrow() > 0 { Exit::Interrupted } else { Exit::Done }
    }
}

fn question(trial: &Trial) -> String {
    format!(
        "  {}\n    a disk of 4 GiB (Standard_LRS) and a snapshot of it, in {}\nIt waits for the handler for up to {} s, and \
         deletes the group.\nCreate it? [y/N] ",
        trial.group(),
        trial.location,
        trial.timeout.as_secs()
    )
}

/// The scope in the installation's own settings.
fn scope_of(installation: &Installation) -> Option<crate::scope::Scope> {
    Config::for_command(&|name: &str| installation.setting(name)).ok().map(|config| config.policy.scope)
}

/// Counts the signals that end a process.
fn stops() -> Stop {
    leave_to_command();
    let (sender, stop) = watch::channel(0);
    at_each_signal(move || {
        sender.send_modify(|times: &mut u8| *times = times.saturating_add(1));
        note(
            "stopping; a group that was created is deleted first, and a second signal ends the wait for that",
        );
    });
    stop
}

/// Ctrl-C (SIGINT), SIGTERM, and SIGHUP of a terminal that is closed.
#[cfg(unix)]
fn at_each_signal(act: impl Fn() + Clone + Send + Sync + 'static) {
    use tokio::signal::unix::{SignalKind, signal};

    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    for mut signal in signals.into_iter().flatten() {
        let act = act.clone();
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                act();
            }
        });
    }
}

/// Ctrl-C; there are no other signals.
#[cfg(not(unix))]
fn at_each_signal(act: impl Fn() + Clone + Send + Sync + 'static) {
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            act();
        }
    });
}
