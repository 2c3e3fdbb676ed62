//! The folder tree that the peers are installed in, and how programs are run in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use anyhow::{Context, Result};

/// Mounts the work folder at `/mnt`, then goes on within the tree; `$1` is the tree, `$2` the folder, `$3` what
/// to run.
const ENTER: &str = r#"
set -e
mount --bind "$2" "$1/mnt"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
cd /
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 chroot "$1" sh -c "$3"
"#;

/// The tree, and a folder for this run.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    work: PathBuf,
}

impl Tree {
    /// Takes what `install` left in `home`, maybe nothing.
    pub(crate) fn new(home: &Path) -> Result<Self> {
        let work = home.join("work").join(process::id().to_string());
        fs::create_dir_all(&work).with_context(|| work.display().to_string())?;
        let home = home.canonicalize()?;
        Ok(Self {
            root: home.join("tree"),
            work: work.canonicalize()?,
        })
    }

    /// Returns a folder that is gone at the end.
    pub(crate) fn work(&self) -> &Path {
        &self.work
    }

    /// Tells whether a program is installed, by its path within the tree.
    pub(crate) fn has(&self, program: &str) -> bool {
        self.file(program).exists()
    }

    /// Returns where a file of the tree is.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Prepares to run a shell script within the tree, with `work` at `/mnt`, in namespaces of its
    /// own: mounts end with it, and so does every process that it started.
    ///
    /// The network is that of the machine.
    pub(crate) fn command(&self, work: &Path, script: &str) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "private"])
            .args(["--pid", "--fork", "--kill-child"])
            .args(["sh", "-c", ENTER, "enter"])
            .args([&self.root, work])
            .arg(script);
        command
    }

    /// Runs a short script and returns what it prints.
    pub(crate) fn output(&self, script: &str) -> Result<String> {
        let output = self.command(&self.work, script).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.work); // what is left is in the target folder
    }
}
