//! `diskseal policy check`: what the settings mean, and what they decide about given resources and by which
//! rule. Never writes.

use std::{io::IsTerminal, process::ExitCode};

use clap::{Arg, ArgAction, ArgMatches, Command};
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::{
    ids,
    session::{self, Exit, Session, complain, say},
};
use crate::{
    arm::{self, Failure},
    config::Config,
    enforce::Error,
    policy::{
        Mode, Policy,
        decide::{Change, Decision, Occasion, decide, notices},
    },
    resource_id::{Estate, ResourceId},
};

/// How many resources are read at once.
const CONCURRENCY: usize = 16;

pub(super) fn command() -> Command {
    Command::new("policy")
        .about("Shows what the settings mean and decide")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help("Example:\n  diskseal policy check")
}

pub(super) fn check_command() -> Command {
    Command::new("check")
        .about("Checks the settings, and says what would be decided about given resources and by which rule")
        .long_about(
            "Without IDs: checks the settings and shows the rules that follow from them; Azure is not asked.\n\n\
             With IDs: reads each resource and says what would be decided, and by which rule. Never writes.",
        )
        .after_help(
            "Examples:\n  \
             diskseal policy check\n  \
             diskseal policy check --exempt-names 'tmp-*' /subscriptions/…/disks/disk-1\n  \
             az disk list --query [].id -o tsv | diskseal policy check --stdin --output json\n\n\
             Exit codes: 0 everything given is sealed or exempt, 1 something is not, 2 wrong settings or command \
             line, 3 Azure could not be reached.",
        )
        .arg(output_arg())
        .arg(
            Arg::new("stdin")
                .long("stdin")
                .action(ArgAction::SetTrue)
                .conflicts_with("id")
                .help("Reads IDs from standard input, one a line"),
        )
        .arg(ids::arg().help("Resource IDs of disks and snapshots"))
}

/// The form of what is printed.
pub(super) fn output_arg() -> Arg {
    Arg::new("output")
        .long("output")
        .short('o')
        .value_name("FORM")
        .value_parser(["table", "json"])
        .default_value("table")
        .help("Form of what is printed")
}

pub(super) fn is_json(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("output").is_some_and(|form| form == "json")
}

pub(super) fn run(lookup: &dyn Fn(&str) -> Option<String>, matches: &ArgMatches) -> ExitCode {
    let config = match Config::for_command(lookup) {
        Ok(config) => config,
        Err(faults) => return complain(&faults.to_string(), Exit::Usage),
    };
    let is_json = is_json(matches);
    if !ids::are_given(matches) && !matches.get_flag("stdin") {
        if is_json {
            say(&format!("{:#}", rules_json(&config.policy)));
        } else {
            say(&rules(&config.policy).join("\n"));
        }
        return Exit::Done.into();
    }
    if matches.get_flag("stdin") && std::io::stdin().is_terminal() {
        return complain("--stdin, and standard input is a terminal", Exit::Usage);
    }
    match ids::read(matches) {
        Ok(ids) => session::run(lookup, |session| check(session, ids, is_json)),
        Err(fault) => complain(&fault, Exit::Usage),
    }
}

/// What is decided about one resource.
struct Ruling {
    id: ResourceId,
    /// A word from a closed set.
    decision: &'static str,
    /// Which rule decides, or what is missing.
    rule: String,
    notices: Vec<String>,
    exit: Exit,
}

async fn check(session: Session, ids: Vec<ResourceId>, is_json: bool) -> Exit {
    let session = &session;
    let mut rulings = stream::iter(ids).map(|id| rule(session, id)).buffered(CONCURRENCY);
    let (mut worst, mut all) = (Exit::Done, vec![]);
    let tell = async {
        while let Some(ruling) = rulings.next().await {
            worst = worst.max(ruling.exit);
            if is_json {
                all.push(ruling_json(&ruling));
            } else {
                say(&format!("{} {}: {}", ruling.decision, ruling.id, ruling.rule));
                ruling.notices.iter().for_each(|notice| say(&format!("  note: {notice}")));
            }
        }
    };
    let is_stopped = tokio::select! {
        () = tell => false,
        _ = tokio::signal::ctrl_c() => true,
    };
    if is_json {
        say(&format!("{:#}", Value::from(all)));
    }
    if is_stopped {
        complain("stopped; what is not named above was not looked at", Exit::NotAll);
        return Exit::NotAll;
    }
    worst
}

async fn rule(session: &Session, id: ResourceId) -> Ruling {
    let policy = &session.ctx.policy;
    let by_id =
        |id: ResourceId, decision, rule: String, exit| Ruling { id, decision, rule, notices: vec![], exit };
    match session.ctx.exempt_by_id(&id, session.terms()).await {
        Ok(None) => {}
        Ok(Some(exemption)) => return by_id(id, "exempt", exemption.to_string(), Exit::Done),
        Err(error) => return by_id(id, "unknown", error.to_string(), Exit::from(&error)),
    }
    let resource = match session.ctx.arm.get(&id, session.terms()).await {
        Ok(resource) => resource,
        Err(arm::Error { failure: Failure::Gone, .. }) => {
            return by_id(id, "not_found", "it does not exist".to_owned(), Exit::NotAll);
        }
        Err(error) => {
            let error = Error::from(error);
            return by_id(id, "unknown", error.to_string(), Exit::from(&error));
        }
    };
    let now = session.ctx.now();
    let occasion = Occasion { now, event_time: None, trace_id: None };
    let notices = notices(policy, &resource, now).iter().map(ToString::to_string).collect();
    let decided = decide(policy, &resource, &occasion);
    let exit = Exit::from(&decided);
    let (decision, rule) = match decided {
        Decision::Compliant => ("sealed", "the auth mode and the tags are there".to_owned()),
        Decision::Exempt(exemption) => ("exempt", exemption.to_string()),
        Decision::NotYet(reason) => ("pending", reason.to_string()),
        Decision::Seal(change) => {
            let decision = if policy.mode == Mode::Audit { "would_seal" } else { "seal" };
            (decision, missing(&change))
        }
    };
    Ruling { id, decision, rule, notices, exit }
}

fn missing(change: &Change) -> String {
    let mode =
        change.data_access_auth_mode.as_ref().map(|mode| format!("dataAccessAuthMode={}", mode.as_str()));
    let tags = change.tags.iter().map(|(name, value)| format!("tag {name}={value}"));
    let parts: Vec<String> = mode.into_iter().chain(tags).collect();
    format!("missing: {}", parts.join(", "))
}

fn ruling_json(ruling: &Ruling) -> Value {
    json!({
        "id": ruling.id.to_string(),
        "decision": ruling.decision,
        "rule": ruling.rule,
        "notices": ruling.notices,
    })
}

const fn mode(policy: &Policy) -> &'static str {
    match policy.mode {
        Mode::Enforce => "enforce",
        Mode::Audit => "audit",
    }
}

fn rules_json(policy: &Policy) -> Value {
    let tags: serde_json::Map<String, Value> =
        policy.tags.iter().map(|rule| (rule.name().to_owned(), rule.template().into())).collect();
    json!({
        "mode": mode(policy),
        "subscriptions": match &policy.estate {
            Estate::Subscriptions(ids) => ids.as_slice(),
            Estate::Visible | Estate::ManagementGroup(_) => &[],
        },
        "managementGroup": match &policy.estate {
            Estate::ManagementGroup(id) => Some(id),
            Estate::Visible | Estate::Subscriptions(_) => None,
        },
        "tags": tags,
        "exemptions": {
            "subscriptions": policy.exemptions.subscriptions.globs().collect::<Vec<_>>(),
            "resourceGroups": policy.exemptions.resource_groups.globs().collect::<Vec<_>>(),
            "names": policy.exemptions.names.globs().collect::<Vec<_>>(),
            "tag": policy.exemptions.tag,
        },
    })
}

fn rules(policy: &Policy) -> Vec<String> {
    let exemptions = &policy.exemptions;
    let or = |list: Vec<&str>, none: &str| if list.is_empty() { none.to_owned() } else { list.join(", ") };
    let meaning = match policy.mode {
        Mode::Enforce => "seals what is not sealed",
        Mode::Audit => "says what would be sealed, and never writes",
    };
    let tag = match &exemptions.tag {
        Some(tag) => format!("{tag} (whoever may write tags can exempt a resource)"),
        None => "off".to_owned(),
    };
    let mut lines = vec![
        format!("mode                    {} ({meaning})", mode(policy)),
        format!(
            "subscriptions           {}",
            match &policy.estate {
                Estate::Visible => "all that the identity sees".to_owned(),
                Estate::Subscriptions(ids) => ids.join(", "),
                Estate::ManagementGroup(id) => format!("those of the management group {id}"),
            }
        ),
        format!("exempt subscriptions    {}", or(exemptions.subscriptions.globs().collect(), "none")),
        format!("exempt resource groups  {}", or(exemptions.resource_groups.globs().collect(), "none")),
        format!("exempt names            {}", or(exemptions.names.globs().collect(), "none")),
        format!("exempt by tag           {tag}"),
        "seal                    dataAccessAuthMode = AzureActiveDirectory".to_owned(),
    ];
    lines.extend(policy.tags.iter().map(|rule| {
        let how =
            if rule.is_of_the_seal() { "written once, when it is sealed" } else { "must be exactly this" };
        format!("                        tag {} = {} ({how})", rule.name(), rule.template())
    }));
    lines
}
