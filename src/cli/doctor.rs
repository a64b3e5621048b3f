//! `diskseal doctor`: checks whether a deployment works, and suggests a remedy for each fault.

mod trial;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{ArgMatches, Command};
use serde_json::{Value, json};

use super::{
    flags,
    help::Guide,
    installation::{self, Reach},
    interrupt::{stopped_with, unless_interrupted},
    output::screen,
    policy::{is_json, output_arg},
    queue,
    session::{self, Exit, Session, complain, print, say},
};
use crate::{
    azure::{Credential, Identity, http_client},
    config::Config,
    doctor::{Deployment, Finding, Verdict, examine},
    text::escaped,
};

pub(super) const GUIDE: Guide = Guide {
    examples: &[
        "diskseal doctor",
        "APP=$(az functionapp list -g rg-diskseal --query \"[0].id\" -o tsv)\n\
         diskseal doctor --app \"$APP\"",
        "diskseal doctor --try --yes",
        "diskseal doctor --output json \\\n  --subscriptions 11111111-2222-4333-8444-555555555555",
        "diskseal doctor --credential managed-identity \\\n  \
         --storage-account https://ACCOUNT.queue.core.windows.net",
    ],
    exits: &[
        (0, "no check failed"),
        (1, "a check failed, or the trial proved nothing"),
        (2, "invalid arguments or settings"),
        (3, "Azure could not be reached"),
    ],
};
/// The version of the JSON (docs/schemas/doctor-1.json).
const FORMAT: u32 = 1;

pub(super) fn command() -> Command {
    let command = Command::new("doctor")
        .about("Check the installation, and suggest remedies")
        .long_about(
            "Check the installation: the app's settings, the roles of its identity against every action that the \
             handler performs in each subscription in scope, the system topic and its event subscription, the \
             functions that the host knows, the dead-letter container, the queue, the poison queue and Azure Monitor's \
             ingestion. Without an app the permissions are those of the identity that runs this command. Nothing is \
             written, but for the trial. Anything that this identity may not read is reported as not checked.\n\n\
             `--try` proves the whole route with the rights of the identity that runs it: it creates a resource group \
             with a disk and a snapshot, waits for their seals and for the traces in the Log Analytics workspace, and \
             deletes the group, after Ctrl-C and after a failure, too. In audit mode the outcome `would_seal` in the \
             workspace is the good end.",
        )
        .add(GUIDE)
        .arg(output_arg())
        .arg(installation::arg())
        .arg(flags::all_subscriptions_arg())
        .arg(queue::arg());
    trial::with_flags(command)
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let is_json = is_json(matches);
    let lookup = flags::lookup(matches, None);
    let config = match Config::for_command(&lookup) {
        Ok(config) => config,
        Err(faults) => {
            let findings: Vec<_> = faults
                .0
                .iter()
                .map(|fault| {
                    let name = flags::given_as(matches, None, fault.name);
                    Finding::failed("settings", name, &fault.message, "correct it")
                })
                .collect();
            report_all(&findings, is_json);
            return Exit::Usage.into();
        }
    };
    let given = matches.get_one::<String>(queue::FLAG).cloned().or_else(|| lookup(queue::SETTING));
    let mut deployment = match deployment(&config, given.as_deref()) {
        Ok(deployment) => deployment,
        Err(fault) => return complain(&fault, Exit::Usage),
    };
    let asked = match trial::asked(matches) {
        Ok(asked) => asked,
        Err(fault) => return complain(fault, Exit::Usage),
    };
    session::run(matches, Reach::Examines, |session| {
        let given = matches.get_one::<String>("app").filter(|app| *app != installation::NONE).cloned();
        let found = session.installation.as_ref().map(|found| found.app.clone());
        deployment.function_app = found.or(given);
        if let Some(found) = &session.installation {
            deployment.client_id.clone_from(&found.client_id);
        }
        if let (Some(found), Ok(arm)) = (&session.installation, session.config.arm_endpoint())
            && deployment.ingestion.is_empty()
        {
            deployment.ingestion = found.ingestion(&arm);
        }
        if deployment.queue.is_none() {
            deployment.queue = session.queue_service(&deployment.http);
        }
        diagnose(session, deployment, is_json, asked)
    })
}

fn deployment(config: &Config, queue: Option<&str>) -> Result<Deployment, String> {
    let http = http_client().map_err(|fault| format!("no HTTP client: {fault}"))?;
    let queue = match queue.map(str::trim).filter(|url| !url.is_empty()) {
        Some(url) => Some(queue::service(url, &config.identity(), &http, session::now)?),
        None => None,
    };
    let own = config.identity();
    let is_person = own.credential == Credential::AzureCli;
    let monitor =
        Identity::new(&config.monitor_identity(), &http, session::now).map_err(|fault| fault.to_string())?;
    let ingestion = config.azure_monitor.endpoints();
    let ingestion = ingestion.map(|(signal, url)| (signal, url.clone())).collect();
    // In the app itself, the handler's identity is this command's own.
    let client_id = own.client_id.filter(|_| !is_person);
    Ok(Deployment { function_app: None, client_id, queue, ingestion, monitor, http, is_person })
}

async fn diagnose(
    session: Session,
    deployment: Deployment,
    is_json: bool,
    trial: Option<trial::Asked>,
) -> Exit {
    let show = |finding: &Finding| {
        if !is_json {
            print(line(finding).as_bytes());
        }
    };
    let mut findings: Vec<Finding> = vec![];
    let mut report = |finding: Finding| {
        show(&finding);
        findings.push(finding);
    };
    let examined = unless_interrupted(examine(&session.ctx, &deployment, &mut report)).await;
    let mut end = if examined.is_none() { Exit::Interrupted } else { Exit::Done };
    if let Some(trial) = trial.filter(|_| examined.is_some()) {
        let mut later = vec![];
        let mut report = |finding: Finding| {
            show(&finding);
            later.push(finding);
        };
        end = trial.run(&session, &deployment, &findings, &mut report).await;
        findings.extend(later);
    }
    if is_json {
        report_all(&findings, true);
    } else {
        say("");
        say(&summary(&findings, end == Exit::Interrupted));
    }
    if examined.is_none() {
        return stopped_with("the other checks were not made");
    }
    if end == Exit::Interrupted {
        return end;
    }
    let worst = match findings.iter().map(|finding| finding.verdict).max() {
        Some(Verdict::Unreachable) => Exit::Unreachable,
        Some(Verdict::Failed | Verdict::Unknown) => Exit::NotAll,
        _ => Exit::Done,
    };
    worst.max(end)
}

fn report_all(findings: &[Finding], is_json: bool) {
    if is_json {
        let all: Vec<Value> = findings.iter().map(to_json).collect();
        print(format!("{:#}\n", Value::from(all)).as_bytes());
    } else {
        for finding in findings {
            print(line(finding).as_bytes());
        }
    }
}

fn to_json(finding: &Finding) -> Value {
    json!({
        "format": FORMAT,
        "verdict": finding.verdict.label(),
        "check": finding.check,
        "about": finding.about,
        "subscriptionName": finding.subscription.as_ref().map(|one| &one.name),
        "finding": finding.text,
        "remedy": finding.remedy,
    })
}

fn summary(findings: &[Finding], is_stopped: bool) -> String {
    let count = |label: &str| findings.iter().filter(|finding| finding.verdict.label() == label).count();
    let stopped = if is_stopped { "Interrupted: " } else { "" };
    let unknown = match count("unknown") {
        0 => String::new(),
        unknown => format!(", {unknown} unknown"),
    };
    format!("{stopped}{} ok, {} warnings, {} failed{unknown}", count("ok"), count("warning"), count("failed"))
}

/// `warning  permissions   Production: finding`, with the remedy on the next line. What is too long for the terminal goes
/// on below its own start.
fn line(finding: &Finding) -> String {
    let screen = screen();
    let style = if screen.is_coloured { style(finding.verdict) } else { Style::new() };
    let about = finding.title();
    let about = if about.is_empty() { String::new() } else { format!("{about}: ") };
    let text = screen.beside(&format!("{about}{}", finding.text), TEXT_AT);
    let told = format!("{style}{:8}{style:#} {:12}  {text}", finding.verdict.label(), finding.check);
    match &finding.remedy {
        // A command is on one line, so that it can be copied.
        Some(remedy) if remedy.starts_with("az ") => format!("{told}{:TEXT_AT$}→ {}\n", "", escaped(remedy)),
        Some(remedy) => format!("{told}{:TEXT_AT$}→ {}", "", screen.beside(remedy, TEXT_AT + 2)),
        None => told,
    }
}

/// The column in which the text of a finding begins.
const TEXT_AT: usize = 23;

fn style(verdict: Verdict) -> Style {
    let colour = match verdict {
        Verdict::Ok => AnsiColor::Green,
        Verdict::Warning | Verdict::Unknown => AnsiColor::Yellow,
        Verdict::Failed | Verdict::Unreachable => AnsiColor::Red,
    };
    Style::new().fg_color(Some(colour.into()))
}
