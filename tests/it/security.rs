//! The threat model of `docs/security.md`, and what `docs/reliability.md` says about crashes: each row names tests, and each
//! of them exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The names of all tests of the sources and of this binary.
fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    let mut folders = vec![root.join("src"), root.join("tests/it"), root.join("tests/emulator/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                names.extend(tests_of(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    names
}

/// The functions of a source below an attribute `#[test]` or `#[tokio::test]`.
fn tests_of(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if is_test && let Some((_, name)) = line.split_once("fn ") {
            names.push(name.split('(').next().unwrap_or(name).to_owned());
            is_test = false;
        }
    }
    names
}

#[test]
fn each_row_of_the_threat_model_names_tests_that_exist() {
    let page = include_str!("../../docs/security.md");
    let header = "| attacker | can | cannot | tests |\n| --- | --- | --- | --- |\n";
    let rows = each_row_names_tests_that_exist(page, header);
    assert!(rows > 10, "{rows} rows");
}

#[test]
fn each_row_about_crashes_names_tests_that_exist() {
    let page = include_str!("../../docs/reliability.md");
    let rows = each_row_names_tests_that_exist(page, "| crash | tests |\n| --- | --- |\n");
    assert!(rows > 5, "{rows} rows");
}

/// Looks at the table below this header, and returns the number of its rows.
fn each_row_names_tests_that_exist(page: &str, header: &str) -> usize {
    let (_, rows) = page.split_once(header).unwrap();
    let rows: Vec<&str> = rows.lines().take_while(|line| line.starts_with('|')).collect();
    let known = tests();
    assert!(known.len() > 500, "{} tests", known.len());
    for row in &rows {
        let cell = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test holds this row: {row}");
        for name in named {
            assert!(known.contains(name), "the test {name} does not exist");
        }
    }
    rows.len()
}
