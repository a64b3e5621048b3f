//! Help: what stands below the options of each command, and `diskseal help`, with its topics.
//!
//! `-h` fits a screen: a command's own flags, and where the rest is. `--help` adds the settings, examples to copy and
//! exit codes.

use std::{fmt::Write as _, process::ExitCode};

use clap::{
    Arg, ArgMatches, Command,
    builder::{CommandExt, PossibleValue, PossibleValuesParser},
};

use super::{answer::Exit, output, topics};
use crate::config::{Setting, settings};

/// What a command's help and manual page have below the options.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guide {
    /// Commands to copy. A long one continues after `\` on the next line, so that no line is wider than 78 columns.
    pub(super) examples: &'static [&'static str],
    /// What each exit code means; empty if there is nothing to say about it.
    pub(super) exits: &'static [(u8, &'static str)],
}

impl CommandExt for Guide {}

const NAME: &str = "help";
const SETTING: &str = "setting";

/// Completes the commands: what is below the options, the usage line, and `help`.
pub(super) fn completed(root: Command) -> Command {
    let name = root.get_name().to_owned();
    let root = guided(root, &name);
    let help = command(&root);
    root.subcommand(help)
}

fn guided(command: Command, path: &str) -> Command {
    let used: Vec<_> = settings_of(&command).collect();
    let mut command = command.disable_help_subcommand(true);
    if let Some(guide) = command.get::<Guide>().copied() {
        let of_settings = if used.is_empty() { "" } else { "Settings: diskseal help settings\n" };
        let short = if command.has_subcommands() {
            topics::list()
        } else {
            format!("{of_settings}Examples: {path} --help")
        };
        command = command.after_help(short).after_long_help(below(&guide, &used));
    }
    // Clap's own line has each flag whose variable is set, as if it were required.
    let usage = command.clone().bin_name(path).render_usage().to_string();
    let command = command.override_usage(usage.trim_start_matches("Usage: ").to_owned());
    command.mut_subcommands(|command| {
        let path = format!("{path} {}", command.get_name());
        guided(command, &path)
    })
}

/// The settings that a command has as flags.
pub(super) fn settings_of(command: &Command) -> impl Iterator<Item = &'static Setting> {
    settings().filter(|setting| command.get_arguments().any(|arg| arg.get_id() == setting.name))
}

fn below(guide: &Guide, used: &[&Setting]) -> String {
    let mut text = String::new();
    if !used.is_empty() {
        text.push_str("Settings (details and defaults: diskseal help settings):\n");
        for setting in used {
            let _ = writeln!(
                text,
                "  --{} <{}>\n      {} [env:{UNBREAKABLE}{}]",
                setting.flag,
                topics::form(setting),
                setting.summary(),
                setting.name
            );
        }
        text.push('\n');
    }
    text.push_str("Examples:\n");
    for line in guide.examples.iter().flat_map(|example| example.lines()) {
        let _ = writeln!(text, "{}", unbreakable(&format!("  {line}")));
    }
    if !guide.exits.is_empty() {
        let _ = write!(text, "\nExit codes:\n{}", topics::exits(guide.exits));
    }
    text
}

/// Stands for a space at which clap must not break a line: half an example that is copied is another command.
const UNBREAKABLE: &str = "\u{a0}";

fn unbreakable(line: &str) -> String {
    line.replace(' ', UNBREAKABLE)
}

/// A help text, as it is printed.
pub(super) fn plain(help: &str) -> String {
    let lines = help.lines().map(|line| line.replace(UNBREAKABLE, " "));
    lines.fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// `diskseal help`: a subcommand for each command and each topic, so that completions know them.
fn command(root: &Command) -> Command {
    fn of(command: &Command) -> Command {
        let about = command.get_about().cloned().unwrap_or_default();
        let names = command.get_subcommands().map(of);
        Command::new(command.get_name().to_owned()).about(about).disable_help_flag(true).subcommands(names)
    }
    let names = settings().map(|setting| PossibleValue::new(setting.flag).alias(setting.name));
    let setting = Arg::new(SETTING)
        .value_name("NAME")
        .ignore_case(true)
        .hide_possible_values(true)
        .value_parser(PossibleValuesParser::new(names))
        .help("Flag without its dashes, or variable, of a setting");
    let topics = topics::ALL.iter().map(|topic| {
        let command = Command::new(topic.name).about(topic.about).disable_help_flag(true);
        if topic.name == topics::SETTINGS { command.arg(setting.clone()) } else { command }
    });
    Command::new(NAME)
        .about("Show the help of a command or of a topic")
        .disable_help_subcommand(true)
        .subcommands(root.get_subcommands().map(of))
        .subcommands(topics)
}

/// Prints the help that is asked for.
pub(super) fn run(mut root: Command, matches: &ArgMatches) -> ExitCode {
    root.build();
    let mut path = vec![];
    let mut last = matches;
    while let Some((name, matches)) = last.subcommand() {
        path.push(name);
        last = matches;
    }
    if let [name] = path[..]
        && let Some(topic) = topics::ALL.iter().find(|topic| topic.name == name)
    {
        let setting = last.try_get_one::<String>(SETTING).ok().flatten();
        let text = setting.map_or_else(|| (topic.text)(), |name| topics::setting(name));
        // Clap knows how wide the terminal is.
        let page = Command::new(NAME).help_template("{after-help}").after_help(text).render_help();
        output::print(plain(page.to_string().trim_start_matches('\n')).as_bytes());
        return Exit::Done.into();
    }
    let command = path.iter().try_fold(&mut root, |command, name| command.find_subcommand_mut(name));
    let Some(command) = command else { return Exit::Usage.into() };
    output::print(plain(&command.render_long_help().to_string()).as_bytes());
    Exit::Done.into()
}
