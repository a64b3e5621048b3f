//! `diskseal man`: the manual, from the same definition as `--help`.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{
    help::{Guide, settings_of},
    session::{Exit, complain, print},
    topics,
};
use crate::config::{Setting, settings};

pub(super) const GUIDE: Guide = Guide {
    examples: &[
        "diskseal man | man -l -",
        "diskseal man --directory ~/.local/share/man/man1\nman diskseal-sweep",
    ],
    exits: &[],
};

pub(super) fn command() -> Command {
    Command::new("man").about("Print the manual page, or write a page for every command").add(GUIDE).arg(
        Arg::new("directory")
            .long("directory")
            .value_name("DIR")
            .value_parser(value_parser!(PathBuf))
            .help("Write a page for every command to this directory")
            .long_help("Write diskseal.1, diskseal-seal.1 and so on to this directory instead, which is created if it does not exist"),
    )
}

pub(super) fn run(definition: Command, matches: &ArgMatches) -> ExitCode {
    // `man diskseal-help` would be the list of the other pages.
    let mut root = definition.mut_subcommand("help", |help| help.hide(true));
    root.build();
    if let Some(directory) = matches.get_one::<PathBuf>("directory") {
        let written = fs::create_dir_all(directory).and_then(|()| write_all(&root, &root, directory));
        return match written {
            Ok(()) => Exit::Done.into(),
            Err(fault) => complain(&format!("{}: {fault}", directory.display()), Exit::Usage),
        };
    }
    match page(&root, &root) {
        Ok((_, page)) => {
            print(&page);
            Exit::Done.into()
        }
        Err(fault) => complain(&fault.to_string(), Exit::Usage),
    }
}

fn write_all(root: &Command, command: &Command, directory: &Path) -> io::Result<()> {
    let (name, page) = page(root, command)?;
    fs::write(directory.join(name), page)?;
    visible(command).try_for_each(|command| write_all(root, command, directory))
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set())
}

/// The name of a page's file, and the page.
fn page(root: &Command, command: &Command) -> io::Result<(String, Vec<u8>)> {
    let used: Vec<_> = settings_of(command).collect();
    let without = used
        .iter()
        .fold(command.clone(), |command, setting| command.mut_arg(setting.name, |arg| arg.hide(true)));
    let man = Man::new(without);
    let mut page = vec![];
    // Clap's title line loses an empty date. Names and long values are not hyphenated, so that they can be copied.
    let name = command.get_display_name().unwrap_or(command.get_name());
    writeln!(page, ".TH {name} 1 \"\" \"diskseal {}\" Diskseal\n.nh\n.ad l", env!("CARGO_PKG_VERSION"))?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let is_root = command.get_name() == root.get_name();
    let mut rest = Roff::new();
    match (is_root, used.is_empty()) {
        (true, _) => environment(&mut rest, settings()),
        (false, false) => environment(&mut rest, used.into_iter()),
        (false, true) => {}
    }
    if let Some(guide) = command.get::<Guide>() {
        guided(&mut rest, guide);
    }
    see_also(&mut rest, root, command);
    rest.to_writer(&mut page)?;
    Ok((man.get_filename(), page))
}

fn environment(page: &mut Roff, settings: impl Iterator<Item = &'static Setting>) {
    page.control("SH", ["ENVIRONMENT"]);
    page.text([roman("Each setting is a variable and a flag; the flag overrides the variable.")]);
    for setting in settings {
        page.control("TP", []);
        page.text([bold(setting.name), roman(", "), bold(format!("--{}", setting.flag))]);
        page.text([roman(setting.help.replace('\n', " "))]);
        page.control("br", []);
        page.text([roman(format!("Value: {}", topics::form(setting)))]);
        page.control("br", []);
        page.text([roman(format!("Default: {}", topics::default(setting)))]);
    }
    for (names, meaning) in topics::VARIABLES {
        page.control("TP", []);
        page.text([bold(*names)]);
        page.text([roman(*meaning)]);
    }
}

fn guided(page: &mut Roff, guide: &Guide) {
    if !guide.exits.is_empty() {
        page.control("SH", ["EXIT STATUS"]);
        for (code, meaning) in guide.exits {
            page.control("TP", ["4"]);
            page.text([bold(code.to_string())]);
            page.text([roman(meaning.replace('\n', " "))]);
        }
    }
    page.control("SH", ["EXAMPLES"]);
    for (index, example) in guide.examples.iter().enumerate() {
        if index > 0 {
            page.control("PP", []);
        }
        page.control("RS", ["4"]);
        page.control("nf", []);
        for line in example.lines() {
            page.text([roman(line)]);
        }
        page.control("fi", []);
        page.control("RE", []);
    }
}

fn see_also(page: &mut Roff, root: &Command, command: &Command) {
    fn pages<'a>(command: &'a Command, all: &mut Vec<&'a str>) {
        all.extend(command.get_display_name().or(Some(command.get_name())));
        visible(command).for_each(|command| pages(command, all));
    }
    let mut all = vec![];
    pages(root, &mut all);
    let own = command.get_display_name().unwrap_or(command.get_name());
    let others: Vec<_> =
        all.into_iter().filter(|name| *name != own).map(|name| format!("{name}(1)")).collect();
    page.control("SH", ["SEE ALSO"]);
    page.text([roman(others.join(", "))]);
}
