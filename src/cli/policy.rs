//! `diskseal policy check`: shows the settings in force, and what they decide about given resources and by which
//! rule. Never writes.

use std::{io::IsTerminal, process::ExitCode};

use clap::{Arg, ArgAction, ArgMatches, Command};
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::{
    flags, ids,
    installation::{self, Reach},
    interrupt::{stopped_with, unless_interrupted},
    session::{self, Exit, Session, complain, print, say},
};
use crate::{
    arm::{self, Failure},
    config::{Config, Setting, settings},
    enforce::{Error, judge},
    policy::{
        Exemption, Mode,
        decide::{Change, Decision, notices},
    },
    resource_id::ResourceId,
};

/// Maximum number of resources that are read at once.
const CONCURRENCY: usize = 16;

pub(super) fn command() -> Command {
    Command::new("policy")
        .about("Show the settings and what they decide")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help("Example:\n  diskseal policy check")
}

pub(super) fn check_command() -> Command {
    Command::new("check")
        .about("Check the settings, and show what they decide about the given resources")
        .long_about(
            "Check the settings, and show what they decide about the given resources. Nothing is written.\n\n\
             Without IDs, list every setting in force, those of `serve` included; without --app, send no request to \
             Azure. With IDs, read each resource and show the decision and the rule behind it.",
        )
        .after_help(
            "Examples:\n  \
             diskseal policy check\n  \
             diskseal policy check --app /subscriptions/…/sites/func-diskseal\n  \
             diskseal policy check --exempt-names 'tmp-*' /subscriptions/…/disks/disk-1\n  \
             az disk list --query \"[].id\" -o tsv | diskseal policy check --stdin --output json\n\n\
             Exit codes: 0 everything given is sealed or exempt, 1 something is not, 2 invalid settings or arguments, \
             3 Azure could not be reached.",
        )
        .arg(installation::arg())
        .arg(flags::all_subscriptions_arg())
        .arg(output_arg())
        .arg(
            Arg::new("stdin")
                .long("stdin")
                .action(ArgAction::SetTrue)
                .conflicts_with("id")
                .help("Read IDs from standard input, one per line"),
        )
        .arg(ids::arg().help("Resource IDs of disks and snapshots"))
}

/// The output format.
pub(super) fn output_arg() -> Arg {
    Arg::new("output")
        .long("output")
        .short('o')
        .value_name("FORMAT")
        .value_parser(["table", "json"])
        .default_value("table")
        .help("Output format")
}

pub(super) fn is_json(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("output").is_some_and(|form| form == "json")
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let is_json = is_json(matches);
    if !ids::are_given(matches) && !matches.get_flag("stdin") {
        if flags::is_given(matches, "app") {
            return session::run(matches, Reach::Reads, |session| async move {
                show(&session.config, &flags::lookup(matches, session.installation.as_ref()), is_json);
                Exit::Done
            });
        }
        let lookup = flags::lookup(matches, None);
        return match Config::for_command(&lookup) {
            Ok(config) => {
                show(&config, &lookup, is_json);
                Exit::Done.into()
            }
            Err(faults) => complain(&flags::faults(matches, None, &faults), Exit::Usage),
        };
    }
    if matches.get_flag("stdin") && std::io::stdin().is_terminal() {
        return complain("--stdin needs IDs on standard input, which is a terminal", Exit::Usage);
    }
    match ids::read(matches) {
        Ok(ids) => session::run(matches, Reach::Reads, |session| check(session, ids, is_json)),
        Err(fault) => complain(&fault, Exit::Usage),
    }
}

fn show(config: &Config, lookup: &dyn Fn(&str) -> Option<String>, is_json: bool) {
    if is_json {
        print(format!("{:#}\n", settings_json(config)).as_bytes());
    } else {
        for line in settings_table(config, lookup) {
            say(&line);
        }
    }
}

/// The decision about one resource.
struct Ruling {
    id: ResourceId,
    /// One of a fixed set of words.
    decision: &'static str,
    /// The rule that decides, or what is missing.
    rule: String,
    notices: Vec<String>,
    exit: Exit,
}

async fn check(session: Session, ids: Vec<ResourceId>, is_json: bool) -> Exit {
    let session = &session;
    let mut rulings = stream::iter(ids).map(|id| rule(session, id)).buffered(CONCURRENCY);
    let (mut worst, mut all) = (Exit::Done, vec![]);
    let checks = async {
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
    let is_stopped = unless_interrupted(checks).await.is_none();
    if is_json {
        print(format!("{:#}\n", Value::from(all)).as_bytes());
    }
    if is_stopped {
        return stopped_with("what is not listed was not checked");
    }
    worst
}

async fn rule(session: &Session, id: ResourceId) -> Ruling {
    let policy = &session.ctx.policy;
    let now = session.ctx.now();
    let defects = |exemption: &Exemption| -> Vec<_> {
        // That a rule has no end is no news about each resource; the report lists it with the rule.
        let found = exemption.until().map(|_| policy.exemptions.defects(exemption, now)).unwrap_or_default();
        found.iter().map(ToString::to_string).collect()
    };
    let by_id =
        |id: ResourceId, decision, rule: String, exit| Ruling { id, decision, rule, notices: vec![], exit };
    match session.ctx.exempt_by_id(&id, session.terms()).await {
        Ok(None) => {}
        Ok(Some(exemption)) => {
            let ruling = by_id(id, "exempt", exemption.to_string(), Exit::Done);
            return Ruling { notices: defects(&exemption), ..ruling };
        }
        Err(error) => return by_id(id, "unknown", error.whole(), Exit::from(&error)),
    }
    let resource = match session.ctx.arm.get(&id, session.terms()).await {
        Ok(resource) => resource,
        Err(arm::Error { failure: Failure::Gone, .. }) => {
            return by_id(id, "not_found", "it does not exist".to_owned(), Exit::NotAll);
        }
        Err(error) => {
            let error = Error::from(error);
            return by_id(id, "unknown", error.whole(), Exit::from(&error));
        }
    };
    let decided = judge(&session.ctx, &resource, None, session.terms()).await;
    let defects = match &decided {
        Decision::Exempt(exemption) => defects(exemption),
        _ => vec![],
    };
    let notices = notices(policy, &resource, now).iter().map(ToString::to_string).chain(defects).collect();
    let exit = Exit::from(&decided);
    let (decision, rule) = match decided {
        Decision::Compliant => ("sealed", "it has the auth mode and the tags".to_owned()),
        Decision::Exempt(exemption) => ("exempt", exemption.to_string()),
        Decision::Protected(guarded) => ("protected", guarded.to_string()),
        Decision::Pending(reason) => ("pending", reason.to_string()),
        Decision::Seal(change) => match (policy.ring_of(&resource), policy.mode) {
            (Mode::Enforce, _) => ("seal", missing(&change)),
            (Mode::Audit, Mode::Audit) => ("would_seal", missing(&change)),
            (Mode::Audit, Mode::Enforce) => {
                ("would_seal", format!("{}; no ring of DISKSEAL_ENFORCE contains it", missing(&change)))
            }
        },
    };
    Ruling { id, decision, rule, notices, exit }
}

fn missing(change: &Change) -> String {
    let mode =
        change.data_access_auth_mode.as_ref().map(|mode| format!("dataAccessAuthMode={}", mode.as_str()));
    let network = change.network_access.pairs().map(|(name, value)| format!("{name}={value}"));
    let tags = change.before.iter().chain(change.tags.iter());
    let tags = tags.map(|(name, value)| format!("tag {name}={value}"));
    let parts: Vec<String> = mode.into_iter().chain(network).chain(tags).collect();
    let held_back = change.held_back.as_ref().map(|guarded| format!("{guarded}; "));
    format!("{}missing: {}", held_back.unwrap_or_default(), parts.join(", "))
}

fn ruling_json(ruling: &Ruling) -> Value {
    json!({
        "id": ruling.id.to_string(),
        "decision": ruling.decision,
        "rule": ruling.rule,
        "notices": ruling.notices,
    })
}

/// Every setting in force, by the name of its variable; null if it is unset and has no default.
fn settings_json(config: &Config) -> Value {
    settings().map(|setting| (setting.name, setting.shown(config))).collect()
}

/// One line per setting, with a note on defaults.
fn settings_table(config: &Config, lookup: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let width = settings().map(|setting| setting.name.len()).max().unwrap_or_default();
    let line = |setting: &Setting| {
        let value = setting.shown(config).unwrap_or_else(|| setting.default.text().to_owned());
        let note = if setting.given(lookup).is_some() { "" } else { " (default)" };
        format!("{:width$}  {value}{note}", setting.name)
    };
    settings().map(line).collect()
}
