//! The paths that a file of Rust names, as far as its text shows them.

use std::collections::BTreeMap;

/// What a file names.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// By the name that it has in the file, what the file imports for itself.
    pub(super) imported: BTreeMap<String, Vec<String>>,
    /// The same for what it exports again.
    pub(super) exported: BTreeMap<String, Vec<String>>,
    /// What it names by a path outside of its imports.
    pub(super) inline: Vec<Vec<String>>,
    /// Every identifier outside of its imports that is no part of another's path.
    pub(super) words: Vec<String>,
}

impl Paths {
    /// Reads code without tests and comments.
    pub(super) fn of(code: &str) -> Self {
        let tokens = tokens(code);
        let (mut paths, mut at) = (Self::default(), 0);
        while at < tokens.len() {
            let mut named = vec![];
            if tokens[at] == "use" {
                let is_public = at > 0 && ["pub", ")"].contains(&tokens[at - 1]);
                at = tree(&tokens, at + 1, &[], &mut named);
                if is_public { &mut paths.exported } else { &mut paths.imported }.extend(named);
            } else if tokens[at] == "mod" {
                // A part's name is no use of it.
                at += 2;
            } else if is_word(tokens[at]) {
                let start = at;
                at = tree(&tokens, at, &[], &mut named);
                paths.words.push(tokens[start].to_owned());
                paths.inline.extend(named.into_iter().map(|(_, path)| path).filter(|path| path.len() > 1));
            } else {
                at += 1;
            }
        }
        paths
    }

    /// All that it names by a path.
    pub(super) fn all(&self) -> impl Iterator<Item = &Vec<String>> {
        self.imported.values().chain(self.exported.values()).chain(&self.inline)
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn tokens(code: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (vec![], code);
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let end = match word {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            word => word,
        };
        let (token, after) = rest.split_at(end);
        if !token.trim().is_empty() {
            tokens.push(token);
        }
        rest = after;
    }
    tokens
}

/// Reads one path or tree of paths; gives where it ends.
fn tree(tokens: &[&str], mut at: usize, parent: &[String], named: &mut Vec<(String, Vec<String>)>) -> usize {
    let mut path = parent.to_vec();
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    at = if tokens[at] == "," { at + 1 } else { tree(tokens, at, &path, named) };
                }
                return at + 1;
            }
            Some(&"self") if !path.is_empty() => {}
            Some(word) if is_word(word) => path.push((*word).to_owned()),
            // A glob, or the type parameters of a path.
            _ => {
                named.push(("*".to_owned(), path));
                return at + 1;
            }
        }
        at += 1;
        if tokens.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    let mut name = path.last().cloned().unwrap_or_default();
    if tokens.get(at) == Some(&"as") && tokens.get(at + 1).is_some_and(|alias| is_word(alias)) {
        tokens[at + 1].clone_into(&mut name);
        at += 2;
    }
    named.push((name, path));
    at
}
