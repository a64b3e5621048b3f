//! The flags of the settings, and the order of precedence of their sources.

use std::ffi::OsStr;

use clap::{
    Arg, ArgAction, ArgMatches, Command,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
    parser::ValueSource,
};

use super::{installation::Installation, names::Names, topics::form};
use crate::config::{Fault, Faults, Setting, Use, Value, of_installation, settings};

/// Adds the flags of the settings that a command uses.
pub(super) fn with_settings(command: Command, used: &[Use]) -> Command {
    let settings = settings().filter(|setting| used.contains(&setting.used));
    command.args(settings.map(arg))
}

fn arg(setting: &Setting) -> Arg {
    // `--help` lists settings below a command's own flags.
    let arg = Arg::new(setting.name)
        .long(setting.flag)
        .env(setting.name)
        .hide_env_values(true)
        .hide_short_help(true)
        .hide_long_help(true)
        .value_name(form(setting))
        .help(setting.summary());
    if let Value::Words(words) = setting.value {
        return arg.value_parser(Suggested(words()));
    }
    match Names::of_setting(setting.flag) {
        Some(names) => arg.add(names.completer()),
        None => arg,
    }
}

/// Words that completions suggest. All other words are accepted here: `Config` reports every invalid setting at once.
#[derive(Clone)]
struct Suggested(Vec<&'static str>);

impl TypedValueParser for Suggested {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().copied().map(PossibleValue::new)))
    }
}

const ALL_SUBSCRIPTIONS: &str = "all-subscriptions";

/// The flag for the widest scope.
pub(super) fn all_subscriptions_arg() -> Arg {
    Arg::new(ALL_SUBSCRIPTIONS)
        .long(ALL_SUBSCRIPTIONS)
        .action(ArgAction::SetTrue)
        .help("Work in every readable subscription")
        .long_help("Work in every subscription that the identity can read, whatever the app's settings say")
}

/// Whether the command line has the flag for the widest scope.
pub(super) fn is_all(matches: &ArgMatches) -> bool {
    is_given(matches, ALL_SUBSCRIPTIONS)
}

/// Reports scope flags that exclude each other. Clap's own check would include the variables of those flags.
pub(super) fn clash(matches: &ArgMatches) -> Option<&'static str> {
    let is_clash = is_all(matches) && SCOPE.iter().any(|name| flag(matches, name).is_some());
    is_clash.then_some("--all-subscriptions cannot be combined with --subscriptions or --management-group")
}

/// Returns the lookup of settings: the flag, else the installation, else the variable. With an installation, the
/// variables of the settings that it decides are ignored, so that a laptop's environment does not change what it
/// seals; the variables for the scope apply only if the installation sets no scope. A flag for the scope replaces
/// every other scope. Any other name is a variable of the platform or of a standard.
pub(super) fn lookup<'a>(
    matches: &'a ArgMatches,
    installation: Option<&'a Installation>,
) -> impl Fn(&str) -> Option<String> + 'a {
    let is_scoped = is_all(matches) || SCOPE.iter().any(|name| flag(matches, name).is_some());
    let installation = move |name: &str| installation.filter(|found| found.decides(name, &SCOPE));
    move |name| {
        let flag = flag(matches, name);
        if flag.is_some() || (is_scoped && SCOPE.contains(&name)) {
            return flag;
        }
        match installation(name) {
            Some(installation) => installation.setting(name),
            None => std::env::var(name).ok(),
        }
    }
}

/// The variables that are ignored because the installation sets another value.
pub(super) fn ignored(matches: &ArgMatches, installation: &Installation) -> Vec<&'static str> {
    let in_force = lookup(matches, Some(installation));
    let is_ignored = |setting: &&Setting| {
        let variable = setting.given(&|name| std::env::var(name).ok());
        variable.is_some_and(|value| setting.given(&in_force).as_ref() != Some(&value))
            && !is_given(matches, setting.name)
    };
    of_installation().filter(is_ignored).map(|setting| setting.name).collect()
}

/// The settings for the scope. A flag for one of them replaces the values of all from other sources.
const SCOPE: [&str; 2] = ["DISKSEAL_SUBSCRIPTIONS", "DISKSEAL_MANAGEMENT_GROUP"];

fn flag(matches: &ArgMatches, name: &str) -> Option<String> {
    is_given(matches, name).then(|| matches.get_one::<String>(name).cloned()).flatten()
}

/// The invalid settings, each by the name under which it was given: a flag, an app setting or a variable.
pub(super) fn faults(matches: &ArgMatches, installation: Option<&Installation>, faults: &Faults) -> String {
    let named = |fault: &Fault| {
        // A message may name another setting, which may be a flag here.
        let given = settings().filter(|setting| is_given(matches, setting.name));
        let message = given.fold(fault.message.clone(), |message, setting| {
            message.replace(setting.name, &format!("--{}", setting.flag))
        });
        format!("{}: {message}", given_as(matches, installation, fault.name))
    };
    match &faults.0[..] {
        [fault] => format!("invalid {}", named(fault)),
        all => {
            let lines: Vec<_> = all.iter().map(|fault| format!("\n  {}", named(fault))).collect();
            format!("{} invalid settings:{}", all.len(), lines.concat())
        }
    }
}

/// Where the value of a setting comes from, as a person knows it.
pub(super) fn given_as(matches: &ArgMatches, installation: Option<&Installation>, name: &str) -> String {
    let setting = settings().find(|setting| setting.name == name);
    match (setting, installation) {
        (Some(setting), _) if is_given(matches, name) => format!("--{}", setting.flag),
        (_, Some(found)) if found.decides(name, &SCOPE) && found.setting(name).is_some() => {
            let app = found.app.rsplit('/').next().unwrap_or_default();
            format!("app setting {name} of {app}")
        }
        _ => format!("variable {name}"),
    }
}

/// Whether a flag is on the command line; false for a name that is not a flag of the command.
pub(super) fn is_given(matches: &ArgMatches, name: &str) -> bool {
    matches.try_contains_id(name).is_ok_and(|is_there| is_there)
        && matches.value_source(name) == Some(ValueSource::CommandLine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_goes_before_its_variable_and_every_setting_has_one() {
        let command = with_settings(Command::new("serve"), &[Use::Always, Use::Sweep, Use::Serve]);
        for setting in settings() {
            let flag = format!("--{}=flag", setting.flag);
            let matches = command.clone().try_get_matches_from(["serve", &flag]).unwrap();
            assert_eq!(lookup(&matches, None)(setting.name).as_deref(), Some("flag"), "{}", setting.name);
        }
    }

    #[test]
    fn a_flag_goes_before_the_installation_and_a_scope_replaces_the_whole_scope() {
        let app = Installation::with(&[("DISKSEAL_MODE", "audit"), ("DISKSEAL_MANAGEMENT_GROUP", "mg")]);
        let command = with_settings(Command::new("x"), &[Use::Always]).arg(all_subscriptions_arg());
        let found = |arguments: &[&str], name: &str| {
            let matches = command.clone().try_get_matches_from([&["x"], arguments].concat()).unwrap();
            lookup(&matches, Some(&app))(name)
        };
        assert_eq!(found(&[], "DISKSEAL_MODE").as_deref(), Some("audit"));
        assert_eq!(found(&["--mode", "enforce"], "DISKSEAL_MODE").as_deref(), Some("enforce"));
        assert_eq!(found(&[], "DISKSEAL_MANAGEMENT_GROUP").as_deref(), Some("mg"));
        for scope in [&["--subscriptions", "s"][..], &["--all-subscriptions"]] {
            assert_eq!(found(scope, "DISKSEAL_MANAGEMENT_GROUP"), None, "{scope:?}");
        }
        // A name that is not a setting comes from the environment; the variable of a setting is ignored.
        assert!(std::env::var("PATH").is_ok() && found(&[], "PATH").is_some());
        assert_eq!(found(&[], "DISKSEAL_EXEMPT_NAMES"), None);
    }
}
