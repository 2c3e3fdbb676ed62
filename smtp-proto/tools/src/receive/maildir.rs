//! A Maildir that holds a message durably once it is delivered.
//!
//! The crates that write Maildirs take a message as a whole, and do not sync the directory.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use crate::arguments::about;

/// A directory with `tmp`, `new` and `cur`.
///
/// Whoever takes a message promises not to lose it (RFC 5321 6.1), so a delivery returns only when
/// the file and its name are on the disk.
#[derive(Debug)]
pub struct Maildir {
    root: PathBuf,
    /// `new`, open to be synced.
    new: File,
    delivered: AtomicU64,
}

/// One message on its way into a [`Maildir`]. Dropped unfinished, it leaves nothing behind.
#[derive(Debug)]
pub struct Delivery {
    maildir: Arc<Maildir>,
    file: File,
    name: String,
    finished: bool,
}

impl Maildir {
    /// Opens a Maildir, and creates what is missing of it.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn open(root: &Path) -> io::Result<Arc<Self>> {
        for directory in ["tmp", "new", "cur"] {
            about(root.display(), fs::create_dir_all(root.join(directory)))?;
        }
        Ok(Arc::new(Self {
            root: root.to_owned(),
            new: about(root.display(), File::open(root.join("new")))?,
            delivered: AtomicU64::new(0),
        }))
    }

    /// Begins to write a message.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn begin(self: &Arc<Self>) -> io::Result<Delivery> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        // Unique, and in the order in which the messages began.
        let name = format!(
            "{}.M{:06}P{}Q{:08}.localhost",
            now.as_secs(),
            now.subsec_micros(),
            process::id(),
            self.delivered.fetch_add(1, Ordering::Relaxed),
        );
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(self.root.join("tmp").join(&name))?;
        Ok(Delivery {
            maildir: Arc::clone(self),
            file,
            name,
            finished: false,
        })
    }

    /// Returns the contents of all new messages, in the order in which they began to come.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn messages(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut paths = fs::read_dir(self.root.join("new"))?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        paths.iter().map(fs::read).collect()
    }
}

impl Delivery {
    /// Returns what the message is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Appends to the message.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Delivers the message: when it returns, the message outlives a loss of power.
    ///
    /// # Errors
    ///
    /// Those of the file system; the message is then not delivered.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let root = &self.maildir.root;
        let (from, to) = (root.join("tmp"), root.join("new"));
        fs::rename(from.join(&self.name), to.join(&self.name))?;
        self.finished = true;
        self.maildir.new.sync_all()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if !self.finished {
            // There is nobody to tell; a reader of the Maildir cleans `tmp`.
            let _ = fs::remove_file(self.maildir.root.join("tmp").join(&self.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_there_once_it_is_finished_and_not_before() {
        let directory = tempfile::tempdir().unwrap();
        let maildir = Maildir::open(directory.path()).unwrap();
        let mut first = maildir.begin().unwrap();
        let mut second = maildir.begin().unwrap();
        first.write(b"1").unwrap();
        second.write(b"2").unwrap();
        assert_eq!(maildir.messages().unwrap(), [[0; 0]; 0]);
        second.finish().unwrap();
        first.finish().unwrap();
        maildir.begin().unwrap().write(b"lost").unwrap();
        assert_eq!(maildir.messages().unwrap(), [b"1", b"2"]);
        let left = fs::read_dir(directory.path().join("tmp")).unwrap().count();
        assert_eq!(left, 0);
    }
}
