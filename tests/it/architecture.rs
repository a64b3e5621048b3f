//! Checks `src/` against the map in `src/lib.rs`: rooms, directions, circles of files, file lengths, module docs,
//! and what the pure rooms must not do.

mod circles;
mod paths;
mod platforms;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use paths::Paths;

const PURE: [&str; 9] =
    ["report", "policy", "cloud_event", "event", "resource", "resource_id", "scope", "json", "text"];
const LINES_MAX: usize = 400;

struct Source {
    path: PathBuf,
    module: Vec<String>,
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
            let module = relative.with_extension("");
            let module: Vec<_> = module.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
            let text = fs::read_to_string(&path).unwrap();
            Source { room: module[0].clone(), path, module, text }
        })
        .collect()
}

/// The table of the module doc: room → the rooms it may use.
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

/// The code without its tests and comments.
fn code(text: &str) -> String {
    let mut is_in_test = false;
    let without_tests = text.split("#[cfg(test)]").next().unwrap().lines().filter(|line| {
        is_in_test |= *line == "#[test]";
        let is_code = !is_in_test && !line.trim_start().starts_with("//");
        is_in_test &= *line != "}";
        is_code
    });
    without_tests.collect::<Vec<_>>().join("\n")
}

/// The rooms that the code of a file names.
fn used_rooms(text: &str) -> BTreeSet<String> {
    let paths = Paths::of(&code(text));
    let ours = paths.all().filter(|path| path.first().is_some_and(|first| first == "crate"));
    ours.filter_map(|path| path.get(1).cloned()).collect()
}

#[test]
fn every_room_is_on_the_map_and_uses_only_what_the_map_allows() {
    let map = map();
    let rooms: BTreeSet<_> =
        sources().into_iter().map(|source| source.room).filter(|room| room != "lib").collect();
    assert_eq!(rooms, map.keys().cloned().collect(), "the rooms of src/ and of the table");
    for Source { path, room, text, .. } in sources().iter().filter(|source| source.room != "lib") {
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
fn no_file_uses_one_that_uses_it() {
    let files =
        sources().into_iter().filter(|source| source.module.last().is_some_and(|name| name != "tests"));
    let circles = circles::of(&files.map(|source| (source.module, code(&source.text))).collect());
    assert_eq!(circles, BTreeSet::new(), "each uses the other, if only by way of a third");
}

#[test]
fn no_path_climbs_twice() {
    for Source { path, text, .. } in sources().iter().filter(|source| !source.path.ends_with("tests.rs")) {
        let paths = Paths::of(&code(text));
        let mut climbing = paths.all().filter(|path| path.iter().filter(|part| *part == "super").count() > 1);
        assert_eq!(climbing.next(), None, "{}: name it from crate::", path.display());
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

#[test]
fn imports_of_one_crate_stand_together() {
    for Source { path, text, .. } in sources() {
        let roots = text.split("\n\n").map(|block| {
            block.lines().filter_map(|line| line.strip_prefix("use ")?.split([':', ';', ' ']).next())
        });
        for root in roots {
            let (mut seen, all): (BTreeSet<_>, Vec<_>) = (BTreeSet::new(), root.collect());
            assert!(all.iter().all(|root| seen.insert(root)), "{}: {all:?}", path.display());
        }
    }
}
