//! A file that was read, the name of a day's file, and its hash.

use std::fs::File;

use ring::digest;
use time::{Date, format_description::BorrowedFormatItem, macros::format_description};

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// The name of a day's file.
pub fn file_name(day: Date) -> String {
    format!("{day}.json")
}

/// The day of a file's name; none of any other file.
pub(super) fn day_of(name: &str) -> Option<Date> {
    Date::parse(name.strip_suffix(".json")?, DATE).ok()
}

/// A file that was read once, for its hash.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) name: String,
    /// In lower-case hexadecimal.
    pub(super) sha256: String,
    /// At its beginning.
    pub(super) file: File,
}

/// The SHA-256 of what is written, in lower-case hexadecimal.
pub(super) struct Sha256(digest::Context);

impl Sha256 {
    pub(super) fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn finish(self) -> String {
        self.0.finish().as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
            hex.extend(
                [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])),
            );
            hex
        })
    }
}

#[test]
fn only_the_files_of_days_count() {
    let day = day_of("2026-11-27.json");
    assert_eq!(day.map(file_name).as_deref(), Some("2026-11-27.json"));
    for name in
        ["2026-11-27", "2026-11-27.json.tmp", "2026-13-01.json", "x/2026-11-27.json", "2026-11-7.json"]
    {
        assert_eq!(day_of(name), None, "{name}");
    }
}

#[test]
fn a_hash_is_the_one_that_sha256sum_prints() {
    let mut hash = Sha256::new();
    hash.add(b"a");
    hash.add(b"bc");
    // FIPS 180-4, example of one block.
    assert_eq!(hash.finish(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
