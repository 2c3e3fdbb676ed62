//! A file as a content.

use alloc::{format, vec::Vec};
use std::{
    fs::{File, Metadata},
    io::{self, Seek as _},
};

/// A part of a file that can be read from any place, as often as it is needed.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    start: u64,
    size: u64,
}

impl Extent {
    /// Returns the one from where a file is to be read to its end; `None` if only reading it to its end
    /// tells: a pipe or a device has no length, and files that a kernel makes up say 0 whatever is in them.
    pub fn of(mut file: &File) -> Option<Self> {
        let metadata = file.metadata().ok().filter(Metadata::is_file)?;
        let start = file.stream_position().ok()?;
        let size = metadata.len().checked_sub(start).filter(|&size| size > 0)?;
        Some(Self { start, size })
    }

    /// Returns how many bytes it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads what stands from an offset on, at most so many bytes, and returns whether it ends with them.
    ///
    /// # Errors
    ///
    /// Those of the file, one that has become shorter among them.
    pub fn read(
        &self,
        file: &File,
        offset: u64,
        most: usize,
        buffer: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let rest = self.size.saturating_sub(offset);
        let take = usize::try_from(rest).unwrap_or(most).min(most);
        buffer.resize(take, 0);
        let read = read_exact_at(file, buffer, self.start.saturating_add(offset));
        read.map_err(|error| self.explain(error))?;
        Ok(take as u64 == rest)
    }

    fn explain(&self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                let size = self.size;
                let words =
                    format!("the file has become shorter than the {size} bytes that it had");
                io::Error::new(error.kind(), words)
            }
            _ => error,
        }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn read_exact_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    file.seek(io::SeekFrom::Start(offset))?;
    io::Read::read_exact(&mut file, buffer)
}
