//! The files of a container or a folder, one for each day.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};

use time::Date;

use super::{
    Container, Error,
    fetched::{Fetched, Sha256, day_of},
};
use crate::azure::Terms;

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
