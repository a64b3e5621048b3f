//! The bounds of a small instance around each process of the handler: open files, memory, its clock, and standard output.
//!
//! The Functions host starts a script in place of the handler, which sets the bounds and becomes the handler.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// The limit of the memory of one process, in bytes: half of what the smallest instance has left beside its host.
const MEMORY: u64 = 64 * 1_024 * 1_024;
/// The limit where there is only one on address space for data: each of seven threads has a stack of 2 MiB there, of
/// which it uses a few KiB, and the allocator reserves 1 MiB a thread.
const DATA: u64 = 96 * 1_024 * 1_024;
const OPEN_FILES: u32 = 1_024;

/// Where Debian's package `faketime` has its library, by architecture.
const FAKETIME: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

/// How memory is limited.
#[derive(Clone, Debug)]
enum Memory {
    /// A control group of version 1 for each process, below this folder.
    GroupV1(PathBuf),
    /// One of version 2.
    GroupV2(PathBuf),
    /// `RLIMIT_DATA`, where no control group can be made.
    Data,
}

/// The bounds, and their switches.
#[derive(Debug)]
pub(crate) struct Confinement {
    folder: TempDir,
    memory: Memory,
    faketime: Option<&'static str>,
}

impl Confinement {
    /// Finds out what this machine allows, and writes the script that starts `binary`.
    pub(crate) fn new(binary: &Path) -> io::Result<Self> {
        let binary = binary.canonicalize()?;
        let folder = tempfile::tempdir()?;
        let faketime = FAKETIME.into_iter().find(|file| Path::new(file).is_file());
        let this = Self { folder, memory: memory(), faketime };
        fs::write(this.script(), this.text(&binary))?;
        Ok(this)
    }

    /// The script that the host starts.
    pub(crate) fn script(&self) -> PathBuf {
        self.folder.path().join("handler")
    }

    /// What limits what, for people.
    pub(crate) fn describe(&self) -> Vec<String> {
        let mib = |bytes: u64| bytes / 1_024 / 1_024;
        let memory = match self.memory {
            Memory::GroupV1(_) => format!("{} MiB of memory a process, by a control group (v1)", mib(MEMORY)),
            Memory::GroupV2(_) => format!("{} MiB of memory a process, by a control group (v2)", mib(MEMORY)),
            Memory::Data => format!(
                "{} MiB of data a process, by RLIMIT_DATA: no control group can be made here",
                mib(DATA)
            ),
        };
        let clock = match self.faketime {
            Some(_) => "the clock steps, by libfaketime".to_owned(),
            None => "skip the clock's steps: the package faketime is not installed".to_owned(),
        };
        vec![memory, format!("{OPEN_FILES} open files a process"), clock]
    }

    /// Sets the clock of processes that start from now on, and of those that have it already: an offset such as `+600s`.
    pub(crate) fn set_clock(&self, offset: &str) -> io::Result<()> {
        if self.faketime.is_none() {
            return Ok(());
        }
        // A reader must not see half of it.
        let new = self.folder.path().join("clock.new");
        fs::write(&new, offset)?;
        fs::rename(new, self.folder.path().join("clock"))
    }

    /// Whether standard output and standard error of processes that start from now on are full.
    pub(crate) fn fill_output(&self, full: bool) -> io::Result<()> {
        let mark = self.folder.path().join("full");
        if full {
            return fs::write(mark, "");
        }
        match fs::remove_file(mark) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// How many processes were started: all, with a clock of their own, and with full standard output.
    pub(crate) fn starts(&self) -> (usize, usize, usize) {
        let text = fs::read_to_string(self.folder.path().join("starts")).unwrap_or_default();
        let with = |word: &str| text.lines().filter(|line| line.split(' ').any(|one| one == word)).count();
        (text.lines().count(), with("clock"), with("full"))
    }

    /// The most memory that the kernel has counted for a process, in bytes, where a control group counts.
    pub(crate) fn memory_peak(&self, pid: u32) -> Option<u64> {
        let (folder, file) = match &self.memory {
            Memory::GroupV1(folder) => (folder, "memory.max_usage_in_bytes"),
            Memory::GroupV2(folder) => (folder, "memory.peak"),
            Memory::Data => return None,
        };
        fs::read_to_string(folder.join(pid.to_string()).join(file)).ok()?.trim().parse().ok()
    }

    fn text(&self, binary: &Path) -> String {
        let folder = self.folder.path().display();
        let mut text = format!("#!/bin/sh\nulimit -n {OPEN_FILES}\nhow=\n");
        let group = |groups: &Path, limit: &str| {
            let groups = groups.display();
            format!(
                "mkdir -p {groups}/$$ && echo {MEMORY} >{groups}/$$/{limit} && echo $$ >{groups}/$$/cgroup.procs\n"
            )
        };
        let _ = match &self.memory {
            Memory::GroupV1(groups) => text.write_str(&group(groups, "memory.limit_in_bytes")),
            Memory::GroupV2(groups) => text.write_str(&group(groups, "memory.max")),
            Memory::Data => writeln!(text, "ulimit -d {}", DATA / 1_024),
        };
        if let Some(library) = self.faketime {
            // Deadlines run on the monotonic clock, which does not step.
            let _ = write!(
                text,
                "if [ -e {folder}/clock ]; then how=clock\nexport LD_PRELOAD={library} \
                 FAKETIME_TIMESTAMP_FILE={folder}/clock FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1\nfi\n"
            );
        }
        let binary = binary.display();
        let _ = write!(
            text,
            "if [ -e {folder}/full ]; then\necho $$ $how full >>{folder}/starts\nexec {binary} \"$@\" >/dev/full 2>/dev/full\nfi\n\
             echo $$ $how >>{folder}/starts\nexec {binary} \"$@\"\n"
        );
        text
    }
}

impl Drop for Confinement {
    fn drop(&mut self) {
        let (Memory::GroupV1(folder) | Memory::GroupV2(folder)) = &self.memory else { return };
        for group in fs::read_dir(folder).into_iter().flatten().flatten() {
            // A file of a control group is no obstacle, and one with a process stays.
            let _ = fs::remove_dir(group.path());
        }
        let _ = fs::remove_dir(folder);
    }
}

/// A control group if one can be made. In version 2 the controller must be handed down to it.
fn memory() -> Memory {
    let name = format!("diskseal-chaos-{}", std::process::id());
    let v1 = Path::new("/sys/fs/cgroup/memory").join(&name);
    if fs::create_dir(&v1).is_ok() {
        if v1.join("memory.limit_in_bytes").exists() {
            return Memory::GroupV1(v1);
        }
        let _ = fs::remove_dir(&v1);
    }
    let v2 = Path::new("/sys/fs/cgroup").join(&name);
    if fs::create_dir(&v2).is_ok() {
        if fs::write(v2.join("cgroup.subtree_control"), "+memory").is_ok() {
            return Memory::GroupV2(v2);
        }
        let _ = fs::remove_dir(&v2);
    }
    Memory::Data
}
