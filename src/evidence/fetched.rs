//! The files of a container or a folder, one for each day.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};

use ring::digest;
use time::{Date, format_description::BorrowedFormatItem, macros::format_description};

use super::{Container, Error};
use crate::azure::Terms;

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

/// A folder with the files of a container.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    fn days(&self) -> io::Result<Vec<Date>> {
        let names = fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let names = names.collect::<io::Result<Vec<_>>>()?;
        let mut days: Vec<_> = names.iter().filter_map(|name| day_of(name)).collect();
        days.sort_unstable();
        Ok(days)
    }

    fn fetch(&self, name: &str) -> io::Result<Fetched> {
        let mut file = File::open(self.0.join(name))?;
        let (mut hash, mut part) = (Sha256::new(), vec![0; 64 * 1024]);
        loop {
            match file.read(&mut part)? {
                0 => break,
                read => hash.add(part.get(..read).unwrap_or_default()),
            }
        }
        file.seek(SeekFrom::Start(0))?;
        Ok(Fetched { name: name.to_owned(), sha256: hash.finish(), file })
    }
}

/// Where the files are.
#[derive(Debug)]
pub enum Days {
    /// In a container.
    Container(Container),
    /// In a folder.
    Folder(Folder),
}

impl Days {
    /// The days that have a file, in order.
    pub(super) async fn list(&self, terms: Terms) -> Result<Vec<Date>, Error> {
        match self {
            Self::Container(container) => container.days(terms).await,
            Self::Folder(folder) => Ok(folder.days()?),
        }
    }

    pub(super) async fn fetch(&self, name: &str, terms: Terms) -> Result<Fetched, Error> {
        match self {
            Self::Container(container) => container.fetch(name, terms).await,
            Self::Folder(folder) => Ok(folder.fetch(name)?),
        }
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
