//! The threat model of `docs/security.md`: each row names tests, and each of them exists.

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
    let (_, rows) =
        page.split_once("| attacker | can | cannot | tests |\n| --- | --- | --- | --- |\n").unwrap();
    let rows: Vec<&str> = rows.lines().take_while(|line| line.starts_with('|')).collect();
    let known = tests();
    assert!(rows.len() > 10 && known.len() > 500, "{} rows, {} tests", rows.len(), known.len());
    for row in rows {
        let cell = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test holds this row: {row}");
        for name in named {
            assert!(known.contains(name), "docs/security.md names the test {name}, which does not exist");
        }
    }
}
