//! A client that sends what it is told, right or wrong.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Result, ensure};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
#[derive(Debug)]
pub(crate) struct Raw {
    stream: BufReader<TcpStream>,
}

impl Raw {
    /// Connects, and reads the greeting and the answer to EHLO.
    pub(crate) fn connect(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut raw = Self {
            stream: BufReader::new(stream),
        };
        raw.say("EHLO client.test\r\n")?;
        let replies = raw.hear(2)?;
        ensure!(replies.len() == 2, "no session: {replies:?}");
        Ok(raw)
    }

    /// Sends bytes in one flight.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.stream.get_mut().write_all(bytes.as_ref())?)
    }

    /// Returns the last lines of so many replies, of fewer if the server closes the connection.
    pub(crate) fn hear(&mut self, replies: usize) -> Result<Vec<String>> {
        let mut heard = Vec::new();
        while heard.len() < replies {
            let mut line = Vec::new();
            // A reset is an end, too.
            if self.stream.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                break;
            }
            if line.get(3) != Some(&b'-') {
                heard.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
        }
        Ok(heard)
    }

    /// Says that nothing more comes, and returns the replies until the server's end.
    pub(crate) fn hear_rest(mut self) -> Result<Vec<String>> {
        let _ = self.stream.get_ref().shutdown(Shutdown::Write); // the server may have ended already
        self.hear(usize::MAX)
    }
}

/// Returns the codes of replies.
pub(crate) fn codes(replies: &[String]) -> String {
    let codes: Vec<&str> = replies
        .iter()
        .map(|reply| reply.get(..3).unwrap_or(reply))
        .collect();
    codes.join(" ")
}
