//! The flags of the settings, and where a setting comes from.

use std::ffi::OsStr;

use clap::{
    Arg, ArgMatches, Command,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
};

use crate::config::{Setting, Use, Value, settings};

/// A command with the flags of the settings that it uses.
pub(super) fn with_settings(command: Command, used: &[Use]) -> Command {
    let settings = settings().filter(|setting| used.contains(&setting.used));
    command.next_help_heading("Settings, each also an environment variable").args(settings.map(arg))
}

fn arg(setting: &Setting) -> Arg {
    let (form, words) = match setting.value {
        Value::Text(form) => (form.to_owned(), vec![]),
        Value::Words(words) => (words().join("|"), words()),
    };
    let default = setting.default.text();
    let arg = Arg::new(setting.name)
        .long(setting.flag)
        .env(setting.name)
        .hide_env_values(true)
        .value_name(form)
        .help(format!("{} [default: {default}]", setting.summary()))
        .long_help(format!("{}\n\n[default: {default}]", setting.help.replacen('\n', "\n\n", 1)));
    if words.is_empty() { arg } else { arg.value_parser(Suggested(words)).hide_possible_values(true) }
}

/// Words that completions suggest. None is refused here: `Config` reports every invalid setting at once.
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

/// A flag, or the variable with the same meaning. A name that is no setting is a variable of the platform or of a
/// standard; clap tells those apart in debug builds alone, so that nothing may depend on it.
pub(super) fn lookup(matches: &ArgMatches) -> impl Fn(&str) -> Option<String> {
    |name| match matches.try_get_one::<String>(name) {
        Ok(Some(value)) => Some(value.clone()),
        Ok(None) | Err(_) => std::env::var(name).ok(),
    }
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
            assert_eq!(lookup(&matches)(setting.name).as_deref(), Some("flag"), "{}", setting.name);
        }
    }
}
