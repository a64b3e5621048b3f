//! The rows of a report, in a file that the caller gives: in memory there is only what their order needs.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use parking_lot::Mutex;
use serde_json::value::RawValue;

use super::{Row, Status};

/// Where rows are kept.
pub trait Store: Read + Write + Seek + Send {}

impl<T: Read + Write + Seek + Send> Store for T {}

/// The size of what is written and read at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// The rows, worst first, then by subscription, resource group and name.
pub(super) struct Rows(Mutex<Inner>);

struct Inner {
    store: Box<dyn Store>,
    /// What is not in the store yet.
    buffer: Vec<u8>,
    stored: u64,
    index: Vec<Place>,
    is_sorted: bool,
    /// The first failure of the store, after which nothing more is kept.
    fault: Option<io::Error>,
}

struct Place {
    status: Status,
    is_exception: bool,
    len: u32,
    at: u64,
    /// The ID without case.
    key: Box<str>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

impl Default for Rows {
    fn default() -> Self {
        Self::new(Box::new(Cursor::new(vec![])))
    }
}

impl Rows {
    pub(super) fn new(store: Box<dyn Store>) -> Self {
        let (buffer, index) = (vec![], vec![]);
        Self(Mutex::new(Inner { store, buffer, stored: 0, index, is_sorted: true, fault: None }))
    }

    /// Adds a row. A failure of the store shows when the rows are read.
    pub(super) fn push(&self, row: &Row) {
        let mut inner = self.0.lock();
        if inner.fault.is_none()
            && let Err(fault) = inner.push(row)
        {
            inner.fault = Some(fault);
        }
    }

    /// The JSON of each row, in order.
    pub(super) fn json(&self, exceptions_only: bool) -> impl Iterator<Item = io::Result<Box<RawValue>>> + '_ {
        self.0.lock().sort();
        let count = self.0.lock().index.len();
        (0..count).filter_map(move |number| self.0.lock().read(number, exceptions_only).transpose())
    }

    /// Each row, in order.
    pub(super) fn iter(&self, exceptions_only: bool) -> impl Iterator<Item = io::Result<Row>> + '_ {
        let row = |json: Box<RawValue>| serde_json::from_str(json.get()).map_err(io::Error::from);
        self.json(exceptions_only).map(move |json| json.and_then(row))
    }
}

impl Inner {
    fn push(&mut self, row: &Row) -> io::Result<()> {
        let json = serde_json::to_vec(row)?;
        let at = self.stored + self.buffer.len() as u64;
        self.buffer.extend(&json);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        self.is_sorted = false;
        self.index.push(Place {
            status: row.status,
            is_exception: row.is_exception(),
            len: u32::try_from(json.len()).map_err(io::Error::other)?,
            at,
            key: row.id.to_lowercase().into_boxed_str(),
        });
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.store.seek(SeekFrom::Start(self.stored))?;
        self.store.write_all(&self.buffer)?;
        self.stored += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn sort(&mut self) {
        if !self.is_sorted {
            self.index.sort_unstable_by(|one, other| (one.status, &one.key).cmp(&(other.status, &other.key)));
            self.is_sorted = true;
        }
    }

    /// The row of this number; none if it is not wanted.
    fn read(&mut self, number: usize, exceptions_only: bool) -> io::Result<Option<Box<RawValue>>> {
        if let Some(fault) = &self.fault {
            return Err(io::Error::new(fault.kind(), fault.to_string()));
        }
        let Some(place) = self.index.get(number) else { return Ok(None) };
        if exceptions_only && !place.is_exception {
            return Ok(None);
        }
        let (at, len) = (place.at, place.len as usize);
        if !self.buffer.is_empty() {
            self.flush()?;
        }
        let mut json = vec![0; len];
        self.store.seek(SeekFrom::Start(at))?;
        self.store.read_exact(&mut json)?;
        let json = String::from_utf8(json).map_err(io::Error::other)?;
        Ok(Some(RawValue::from_string(json)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails once, as a disk that was full for a moment.
    #[derive(Default)]
    struct FullOnce {
        has_failed: bool,
        bytes: Cursor<Vec<u8>>,
    }

    impl Read for FullOnce {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.bytes.read(bytes)
        }
    }

    impl Write for FullOnce {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.has_failed, true) {
                return self.bytes.write(bytes);
            }
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for FullOnce {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.bytes.seek(to)
        }
    }

    #[test]
    fn a_store_that_was_full_is_a_fault_and_no_short_report() {
        let report = crate::report::tests::mixed();
        let row = report.exceptions().next().unwrap().unwrap();
        let rows = Rows::new(Box::new(FullOnce::default()));
        for _ in 0..200 {
            rows.push(&row);
        }
        let fault = rows.iter(false).next().unwrap().unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn rows_come_out_of_the_store_as_they_went_in() {
        let report = crate::report::tests::mixed();
        let all: Vec<_> = report.exceptions().map(Result::unwrap).collect();
        let rows = Rows::new(Box::new(Cursor::new(vec![])));
        for row in all.iter().rev().cycle().take(all.len() * 50) {
            rows.push(row);
        }
        let read: Vec<_> = rows.iter(true).map(Result::unwrap).step_by(50).collect();
        assert_eq!(read, all);
    }
}
