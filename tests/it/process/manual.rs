//! The manual, as the tools that show it read it.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use diskseal::config::settings;
use tempfile::TempDir;

use super::binary;

/// The manual in a folder that did not exist.
fn written() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("share/man/man1");
    let output =
        Command::new(binary()).args(["man", "--directory"]).arg(&directory).env_clear().output().unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.len(), output.stderr.len()),
        (Some(0), 0, 0),
        "{output:?}"
    );
    folder
}

fn pages(folder: &Path) -> Vec<(String, String)> {
    let all = fs::read_dir(folder.join("share/man/man1")).unwrap().map(|entry| entry.unwrap());
    let page = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), text)
    };
    let mut pages: Vec<_> = all.map(page).collect();
    pages.sort();
    pages
}

fn sections(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix(".SH ")).map(|name| name.trim_matches('"')).collect()
}

#[test]
fn every_command_has_a_page_with_the_usual_sections() {
    let folder = written();
    let pages = pages(folder.path());
    let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
    for name in
        ["diskseal.1", "diskseal-sweep.1", "diskseal-unseal.1", "diskseal-policy-check.1", "diskseal-man.1"]
    {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(!names.contains(&"diskseal-help.1"), "{names:?}");
    for (name, page) in &pages {
        let found = sections(page);
        assert!(found.starts_with(&["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"]), "{name}: {found:?}");
        assert!(found.ends_with(&["EXAMPLES", "SEE ALSO"]), "{name}: {found:?}");
        assert!(!found.contains(&"EXTRA") && !page.contains('\u{a0}'), "{name}");
        let others = page.split_once(".SH \"SEE ALSO\"").unwrap().1;
        for other in names.iter().map(|name| name.trim_end_matches(".1").replace('-', "\\-")) {
            let is_named = format!(" {}", others.replace('\n', " ")).contains(&format!(" {other}(1)"));
            assert_eq!(
                is_named,
                name.trim_end_matches(".1").replace('-', "\\-") != other,
                "{name}: {other}: {others}"
            );
        }
    }
    let sweep = &pages.iter().find(|(name, _)| name == "diskseal-sweep.1").unwrap().1;
    assert_eq!(
        sections(sweep),
        ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES", "SEE ALSO"]
    );
    let options = sweep.split_once(".SH OPTIONS").unwrap().1.split_once(".SH ENVIRONMENT").unwrap().0;
    assert!(options.contains("dry\\-run") && !options.contains("machine\\-events"), "{options}");
}

#[test]
fn the_first_page_has_every_setting_and_each_page_those_of_its_command() {
    let folder = written();
    let pages = pages(folder.path());
    let environment = |name: &str| {
        let (_, page) = pages.iter().find(|(file, _)| file == name).unwrap();
        page.split_once(".SH ENVIRONMENT").unwrap().1.split("\n.SH ").next().unwrap().to_owned()
    };
    let (all, seal) = (environment("diskseal.1"), environment("diskseal-seal.1"));
    for setting in settings() {
        let (name, flag) =
            (format!("\\fB{}\\fR", setting.name), format!("\\-\\-{}", setting.flag.replace('-', "\\-")));
        assert!(all.contains(&name) && all.contains(&flag), "{}: {all}", setting.name);
    }
    assert!(all.contains("RUST_LOG") && all.contains("HTTPS_PROXY"));
    assert!(seal.contains("DISKSEAL_MODE") && !seal.contains("DISKSEAL_SWEEP_SCHEDULE"));
}

#[test]
fn groff_and_mandoc_read_every_page_without_a_complaint() {
    let folder = written();
    let pages = pages(folder.path());
    let directory = folder.path().join("share/man/man1");
    let run = |program: &str, arguments: &[&str], file: &str| {
        let mut command = Command::new(program);
        let output = command.args(arguments).arg(file).current_dir(&directory).stdin(Stdio::null()).output();
        output.ok().map(|output| {
            (
                String::from_utf8_lossy(&output.stdout).into_owned(),
                String::from_utf8_lossy(&output.stderr).into_owned(),
            )
        })
    };
    for (name, _) in &pages {
        if let Some((text, complaints)) =
            run("groff", &["-man", "-Tutf8", "-K", "utf8", "-P-cbou", "-ww"], name)
        {
            assert_eq!(complaints, "", "{name}");
            assert!(text.contains("SEE ALSO"), "{name}");
            assert!(!text.contains('\u{2010}'), "{name}: a name that is broken cannot be copied: {text}");
        }
        // It wants a date, which would be that of the build, and each page is to be the same in every build. And it notes
        // pauses that a list of words does not need.
        let is_known =
            |line: &str| line.contains("missing date") || line.contains("skipping paragraph macro");
        if let Some((complaints, _)) = run("mandoc", &["-T", "lint", "-W", "warning"], name) {
            let new: Vec<_> = complaints.lines().filter(|line| !is_known(line)).collect();
            assert!(new.is_empty(), "{name}: {new:?}");
        }
    }
}

#[test]
fn one_page_goes_to_standard_output_and_a_folder_that_cannot_be_is_a_fault() {
    let output = Command::new(binary()).arg("man").env_clear().output().unwrap();
    let folder = written();
    let (_, page) = pages(folder.path()).into_iter().find(|(name, _)| name == "diskseal.1").unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), page);

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let output = Command::new(binary()).args(["man", "--directory"]).arg(file.join("man1")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("man1: "));
}
