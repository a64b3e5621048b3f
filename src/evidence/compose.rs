//! A file of evidence as it is written: what has changed since the one before, what Diskseal has sealed since, and the
//! report on everything in scope. It is written row by row.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    io::{self, BufReader, Write},
};

use serde::Serialize;
use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    document::{self, FORMAT, Head, Seen},
    fetched::Fetched,
};
use crate::report::{Report, Row, json_line};

/// What has become of a resource since the file before.
#[derive(Serialize)]
struct Change<'a> {
    /// `created`, `changed` or `deleted`.
    what: &'static str,
    id: &'a str,
    /// What the file before says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Seen>,
}

/// A resource that Diskseal has sealed, by its tags.
#[derive(Serialize)]
struct Sealed<'a> {
    id: &'a str,
    #[serde(rename = "sealedAt")]
    at: &'a str,
    #[serde(rename = "sealedBy")]
    by: Option<&'a str>,
}

/// The elements of a JSON array, written one by one.
struct List<'a, W> {
    to: &'a mut W,
    count: usize,
}

impl<'a, W: Write> List<'a, W> {
    fn begin(to: &'a mut W) -> io::Result<Self> {
        to.write_all(b"[")?;
        Ok(Self { to, count: 0 })
    }

    fn add(&mut self, element: &impl Serialize) -> io::Result<()> {
        if self.count > 0 {
            self.to.write_all(b",\n")?;
        }
        self.count += 1;
        Ok(serde_json::to_writer(&mut *self.to, element)?)
    }

    fn end(self) -> io::Result<usize> {
        self.to.write_all(b"]")?;
        Ok(self.count)
    }
}

/// Writes the file of a day.
///
/// # Errors
/// The rows of the report cannot be read, or `to` cannot be written.
pub(super) fn compose(
    report: &Report,
    day: Date,
    previous: Option<Fetched>,
    to: &mut impl Write,
) -> io::Result<()> {
    let taken_at = report.taken_at().format(&Rfc3339).map_err(io::Error::other)?;
    let link =
        previous.as_ref().map(|file| document::Link { name: file.name.clone(), sha256: file.sha256.clone() });
    write!(to, "{{\"format\":{FORMAT},\"day\":\"{day}\",\"takenAt\":\"{taken_at}\",\"version\":")?;
    serde_json::to_writer(&mut *to, env!("CARGO_PKG_VERSION"))?;
    to.write_all(b",\n\"previous\":")?;
    serde_json::to_writer(&mut *to, &link)?;

    to.write_all(b",\n\"changes\":")?;
    let head = if let Some(previous) = previous {
        // A file that cannot be read has a hash all the same, and the next day compares again.
        let (head, count) = changes(report, previous, to)?;
        write!(to, ",\n\"changeCount\":{count},\n\"changesError\":")?;
        serde_json::to_writer(&mut *to, &head.as_ref().err().map(ToString::to_string))?;
        head.ok()
    } else {
        to.write_all(b"null,\n\"changeCount\":0,\n\"changesError\":null")?;
        None
    };

    to.write_all(b",\n\"written\":")?;
    let since =
        head.map_or_else(|| report.taken_at().saturating_sub(time::Duration::days(1)), |head| head.taken_at);
    let count = written(report, since, to)?;
    write!(to, ",\n\"writtenCount\":{count},\n\"report\":")?;
    json_line(report, to)?;
    to.write_all(b"}\n")
}

/// What differs from the file before. In memory there are two numbers for each resource.
fn changes(
    report: &Report,
    previous: Fetched,
    to: &mut impl Write,
) -> io::Result<(serde_json::Result<Head>, usize)> {
    let hashes = RandomState::new();
    let key = |id: &str| hashes.hash_one(id.to_lowercase());
    // Of each resource of today, what is compared, until the file before shows it.
    let mut fresh = HashMap::<u64, u64>::new();
    for row in report.resources() {
        let row = row?;
        fresh.insert(key(&row.id), hashes.hash_one(compared(&row)));
    }
    let mut list = List::begin(to)?;
    let mut fault = None;
    let mut add = |change: &Change<'_>| {
        if fault.is_none()
            && let Err(why) = list.add(change)
        {
            fault = Some(why);
        }
    };
    let head = document::read(BufReader::with_capacity(64 * 1024, previous.file), |before| {
        let mut before = before;
        let id = std::mem::take(&mut before.id);
        match fresh.remove(&key(&id)) {
            None => add(&Change { what: "deleted", id: &id, before: Some(&before) }),
            Some(now) if now != hashes.hash_one(&before) => {
                add(&Change { what: "changed", id: &id, before: Some(&before) });
            }
            Some(_) => {}
        }
    });
    // Without all of the file before, nothing is known to be new.
    if head.is_ok() {
        for row in report.resources() {
            let row = row?;
            if fresh.contains_key(&key(&row.id)) {
                add(&Change { what: "created", id: &row.id, before: None });
            }
        }
    }
    if let Some(fault) = fault {
        return Err(fault);
    }
    Ok((head, list.end()?))
}

/// What is compared of a row, without its ID, whose case may change.
fn compared(row: &Row) -> Seen {
    Seen {
        id: String::new(),
        status: row.status.label().to_owned(),
        reason: row.reason.to_string(),
        until: row.until.clone(),
        data_access_auth_mode: row.data_access_auth_mode.clone(),
        network_access_policy: row.network_access_policy.clone(),
        public_network_access: row.public_network_access.clone(),
    }
}

/// What Diskseal has sealed since then, by the tags of its seal.
fn written(report: &Report, since: OffsetDateTime, to: &mut impl Write) -> io::Result<usize> {
    let mut list = List::begin(to)?;
    for row in report.resources() {
        let row = row?;
        let Some(sealed_at) = row.sealed_at.as_deref() else { continue };
        // The tag has whole seconds.
        let is_since = OffsetDateTime::parse(sealed_at, &Rfc3339)
            .is_ok_and(|at| at.unix_timestamp() >= since.unix_timestamp());
        if is_since {
            let sealed_by = row.sealed_by.as_ref().map(ToString::to_string);
            list.add(&Sealed { id: &row.id, at: sealed_at, by: sealed_by.as_deref() })?;
        }
    }
    list.end()
}
