//! A terminal for a process: what it prints on it, and what a person types.

use std::{
    ffi::OsStr,
    fs::File,
    io::{Read, Write},
    os::unix::ffi::OsStrExt,
    process::Stdio,
    thread,
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use tokio::sync::watch;

/// A pseudo-terminal. The process has the other end as its standard streams.
pub(super) struct Terminal {
    typed: File,
    other_end: Option<File>,
    printed: watch::Receiver<(String, bool)>,
}

impl Terminal {
    pub(super) fn open(columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize { ws_row: 30, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let other_end =
            File::options().read(true).write(true).open(OsStr::from_bytes(name.as_bytes())).unwrap();
        let typed = File::from(master);
        let mut reader = typed.try_clone().unwrap();
        let (sender, printed) = watch::channel((String::new(), false));
        thread::spawn(move || {
            let mut part = [0; 4_096];
            // Linux answers EIO once every other end is closed.
            while let Ok(count @ 1..) = reader.read(&mut part) {
                let text = String::from_utf8_lossy(&part[..count]).into_owned();
                sender.send_modify(|(all, _)| all.push_str(&text));
            }
            sender.send_modify(|(_, is_closed)| *is_closed = true);
        });
        Self { typed, other_end: Some(other_end), printed }
    }

    /// The end for one standard stream of a process.
    pub(super) fn end(&self) -> Stdio {
        self.other_end.as_ref().unwrap().try_clone().unwrap().into()
    }

    /// Types a text.
    pub(super) fn types(&mut self, text: &str) {
        self.typed.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until this is on the terminal.
    pub(super) async fn shows(&mut self, text: &str) {
        self.printed.wait_for(|(all, _)| all.contains(text)).await.unwrap();
    }

    /// All that was printed, once the process has closed its ends.
    pub(super) async fn printed(mut self) -> String {
        self.other_end = None;
        self.printed.wait_for(|(_, is_closed)| *is_closed).await.unwrap().0.clone()
    }
}

/// What a person sees at the end of each line: each carriage return begins it anew.
pub(super) fn seen(printed: &str) -> Vec<String> {
    let line = |line: &str| {
        let last = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
        last.replace("\u{1b}[2K", "").replace("\u{1b}[K", "")
    };
    printed.split('\n').map(line).collect()
}
