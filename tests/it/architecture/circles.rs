//! Which file of `src/` uses which, and where that goes round in a circle.
//!
//! A file uses the file that defines what it names, through whatever exports it again. Two things are no use:
//! what a file merely exports again, and a type or constant of a file above it, for a room's root composes
//! parts that work on its types. A function of a file above is a use. Methods show in no path, so they are
//! not seen.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::Paths;

/// By module path, such as `arm::list`, the code of each file.
pub(super) type Files = BTreeMap<Vec<String>, String>;

struct Modules(BTreeMap<Vec<String>, Paths>);

/// A module and, if it is one of the module's items, its name.
type Place = (Vec<String>, Option<String>);

impl Modules {
    /// What a path in `module` names; none if it is not ours.
    fn resolve(&self, module: &[String], path: &[String]) -> Option<Place> {
        let (first, mut rest) = path.split_first()?;
        let mut base = match first.as_str() {
            "crate" => vec![],
            "self" => module.to_vec(),
            "super" => module.split_last()?.1.to_vec(),
            child => {
                let child = [module, &[child.to_owned()]].concat();
                self.0.contains_key(&child).then_some(child)?
            }
        };
        while let Some((next, after)) = rest.split_first() {
            let deeper = [&base[..], std::slice::from_ref(next)].concat();
            if next == "super" {
                base.pop();
            } else if self.0.contains_key(&deeper) {
                base = deeper;
            } else {
                break;
            }
            rest = after;
        }
        let Some(item) = rest.first() else { return Some((base, None)) };
        let paths = self.0.get(&base)?;
        match paths.exported.get(item).or_else(|| paths.imported.get(item)) {
            Some(path) => self.resolve(&base, path),
            None => Some((base, Some(item.clone()))),
        }
    }

    fn used_by(&self, module: &[String]) -> BTreeSet<Vec<String>> {
        let paths = &self.0[module];
        let exported = paths.exported.iter().filter(|(name, _)| paths.words.contains(name));
        let named = paths.imported.values().chain(exported.map(|(_, path)| path)).chain(&paths.inline);
        let places = named.filter_map(|path| self.resolve(module, path));
        let is_use = |(used, item): &Place| {
            let is_function = item.as_ref().is_some_and(|item| item.starts_with(char::is_lowercase));
            used != module && (is_function || !module.starts_with(used))
        };
        places.filter(is_use).map(|(used, _)| used).collect()
    }
}

/// The uses that are part of a circle: who uses whom.
pub(super) fn of(files: &Files) -> BTreeSet<(String, String)> {
    let modules = Modules(files.iter().map(|(module, code)| (module.clone(), Paths::of(code))).collect());
    let uses: BTreeMap<_, _> = modules.0.keys().map(|module| (module, modules.used_by(module))).collect();
    let reached = |from: &Vec<String>| {
        let mut reached = BTreeSet::from([from.clone()]);
        let mut next = vec![from.clone()];
        while let Some(module) = next.pop() {
            next.extend(
                uses.get(&module)
                    .into_iter()
                    .flatten()
                    .filter(|used| reached.insert((*used).clone()))
                    .cloned(),
            );
        }
        reached
    };
    let edges = uses.iter().flat_map(|(user, used)| used.iter().map(move |used| (*user, used)));
    edges
        .filter(|(user, used)| reached(used).contains(*user))
        .map(|(user, used)| (user.join("::"), used.join("::")))
        .collect()
}

#[test]
fn a_circle_is_seen_and_a_root_that_composes_is_none() {
    let circles = |files: &[(&str, &str)]| {
        let files = files.iter();
        let files =
            files.map(|(module, code)| (module.split("::").map(str::to_owned).collect(), (*code).to_owned()));
        of(&files.collect()).into_iter().map(|(user, used)| format!("{user} > {used}")).collect::<Vec<_>>()
    };
    let siblings = ["a::b > a::c", "a::c > a::b"];
    let b = ("a::b", "use super::c::{self, Call}; pub(super) fn f() { c::g() }");
    for (root, c) in [
        ("mod b; mod c;", "fn g() { super::b::f(); }"),
        ("mod b; mod c; pub use b::f;", "use crate::a::f;"),
        ("mod b; mod c; pub use b::f as h;", "use crate::{x, a::{h, self}};"),
    ] {
        assert_eq!(circles(&[("a", root), b, ("a::c", c)]), siblings, "{root} {c}");
    }
    assert_eq!(circles(&[("a", "use b::f; struct T; fn g() { f() }"), ("a::b", "use super::T;")]), [""; 0]);
    assert_eq!(circles(&[("a", "pub use b::f; fn g() {}"), ("a::b", "use super::g;")]), [""; 0]);
    assert_eq!(circles(&[("a", "pub use b::F; fn g() -> X { X::F }"), ("a::b", "use super::g;")]), [""; 0]);
    let both = ["a > a::b", "a::b > a"];
    assert_eq!(circles(&[("a", "pub use b::F; fn g(f: F) {}"), ("a::b", "use super::g;")]), both);
}
