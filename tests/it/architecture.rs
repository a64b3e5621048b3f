//! The map of `src/lib.rs` held against `src/`: rooms, directions, file lengths, module docs, and what
//! the pure rooms must not do.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const PURE: [&str; 6] = ["report", "policy", "event", "resource", "resource_id", "scope"];
const LINES_MAX: usize = 400;

struct Source {
    path: PathBuf,
    room: String,
    text: String,
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![];
    walk(&folder, &mut files);
    files
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&folder).unwrap();
            let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
            let room = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            Source { path, room, text }
        })
        .collect()
}

/// The table of the module doc: room → the rooms that it may use.
fn map() -> BTreeMap<String, BTreeSet<String>> {
    let lib = include_str!("../../src/lib.rs");
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    lib.lines()
        .filter_map(|line| line.strip_prefix("//! | "))
        .filter_map(|row| {
            let cells: Vec<_> = row.trim_end_matches('|').split(" | ").collect();
            let room = names(cells.first()?).into_iter().next()?;
            Some((room, names(cells.get(2).unwrap_or(&""))))
        })
        .collect()
}

/// Code without its tests and comments.
fn code(text: &str) -> String {
    let without_tests = text.split("#[cfg(test)]").next().unwrap();
    without_tests.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn used_rooms(text: &str) -> BTreeSet<String> {
    let code = code(text);
    let mut used = BTreeSet::new();
    for (index, _) in code.match_indices("crate::") {
        let rest = &code[index + "crate::".len()..];
        let end = rest.find(';').unwrap_or(rest.len());
        let list: String = rest[..end].chars().filter(|c| !c.is_whitespace()).collect();
        match list.strip_prefix('{') {
            None => {
                used.extend(list.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned));
            }
            Some(list) => {
                let mut depth = 0;
                for part in list.split_inclusive(['{', '}', ',']) {
                    let name: String =
                        part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    if depth == 0 && !name.is_empty() {
                        used.insert(name);
                    }
                    depth += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
                }
            }
        }
    }
    used
}

#[test]
fn every_room_is_on_the_map_and_uses_only_what_the_map_allows() {
    let map = map();
    let rooms: BTreeSet<_> =
        sources().into_iter().map(|source| source.room).filter(|room| room != "lib").collect();
    assert_eq!(rooms, map.keys().cloned().collect(), "the rooms of src/ and of the table");
    for Source { path, room, text } in sources().iter().filter(|source| source.room != "lib") {
        for used in used_rooms(text).difference(&BTreeSet::from([room.clone()])) {
            assert!(map[room].contains(used), "{}: {room} must not use {used}", path.display());
        }
    }
}

#[test]
fn the_map_has_no_circles() {
    let map = map();
    let mut settled = BTreeSet::new();
    while settled.len() < map.len() {
        let next = map.iter().find(|(room, uses)| !settled.contains(*room) && uses.is_subset(&settled));
        let (room, _) = next.unwrap_or_else(|| panic!("a circle among those that are not in {settled:?}"));
        settled.insert(room.clone());
    }
}

#[test]
fn pure_rooms_neither_wait_nor_look_around() {
    for Source { path, text, .. } in sources().iter().filter(|source| PURE.contains(&source.room.as_str())) {
        for word in [
            ".await",
            "async ",
            "tokio",
            "tracing",
            "std::env",
            "std::fs",
            "now_utc",
            "Instant",
            "SystemTime",
        ] {
            assert!(!code(text).contains(word), "{} holds {word}", path.display());
        }
    }
}

#[test]
fn files_are_short_and_say_what_they_are() {
    for Source { path, text, .. } in sources() {
        assert!(text.starts_with("//! "), "{} has no module doc", path.display());
        assert!(text.lines().count() <= LINES_MAX, "{} is longer than {LINES_MAX} lines", path.display());
        assert!(!path.ends_with("mod.rs"), "{}", path.display());
    }
}
