//! What only Unix has stands behind `cfg(unix)`, so that the command line is built for Windows too: a file whose `mod`
//! has it, or an item.

use std::path::Path;

use super::{code, sources};

/// Names that no other platform has.
const UNIX: [&str; 6] = ["std::os::unix", "os::unix", "signal::unix", "rustix", "std::os::fd", "libc::"];
const IF_UNIX: &str = "#[cfg(unix)]";

/// The lines of a file that are not within an item that has `cfg(unix)`.
fn elsewhere(text: &str) -> Vec<&str> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines();
    let mut found = vec![];
    while let Some(line) = lines.next() {
        if line.trim() != IF_UNIX {
            found.push(line);
            continue;
        }
        // The item ends with the first line at its own depth that closes it.
        let depth = indent(line);
        let closes = |line: &&str| indent(line) == depth && line.trim_end().ends_with([';', '}', ',']);
        lines.by_ref().find(closes);
    }
    found
}

/// Whether the module of a file, or one that it is in, is declared with `cfg(unix)`.
fn is_of_unix(module: &[String]) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    (1..=module.len()).any(|depth| {
        let (parents, name) = (&module[..depth - 1], &module[depth - 1]);
        let parent = match parents {
            [] => root.join("lib.rs"),
            parents => root.join(parents.join("/")).with_extension("rs"),
        };
        let text = std::fs::read_to_string(parent).unwrap_or_default();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        lines.windows(2).any(|pair| {
            pair[0] == IF_UNIX
                && pair[1].trim_start_matches("pub ").trim_start_matches("pub(super) ")
                    == format!("mod {name};")
        })
    })
}

#[test]
fn what_only_unix_has_stands_behind_cfg_unix() {
    let mut guarded = 0;
    for source in sources() {
        let text = code(&source.text);
        let uses = |line: &str| UNIX.iter().any(|name| line.contains(name));
        if !text.lines().any(uses) {
            continue;
        }
        guarded += 1;
        if !is_of_unix(&source.module) {
            let bare: Vec<_> = elsewhere(&text).into_iter().filter(|line| uses(line)).collect();
            assert!(bare.is_empty(), "{}: {bare:?}", source.path.display());
        }
    }
    assert!(guarded >= 3, "{guarded}");
    let cargo = include_str!("../../../Cargo.toml");
    let (_, of_unix) = cargo.split_once("[target.'cfg(unix)'.dependencies]\n").unwrap();
    assert!(of_unix.split("\n[").next().unwrap().contains("rustix = "));
    let (of_code, _) = cargo.split_once("\n[dev-dependencies]\n").unwrap();
    assert_eq!(of_code.matches("\nrustix = ").count(), 1);
}

#[test]
fn an_item_of_unix_ends_where_it_closes() {
    let text = "#[cfg(unix)]\nuse std::os::unix::x;\nuse rustix::y;\n\n#[cfg(unix)]\nfn f() {\n    rustix::z();\n}\n    libc::q();";
    assert_eq!(elsewhere(text), ["use rustix::y;", "", "    libc::q();"]);
    assert!(is_of_unix(&["cli".to_owned(), "serve".to_owned()]));
    assert!(!is_of_unix(&["cli".to_owned(), "seal".to_owned()]));
}
