//! A wire that does as a test says.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice},
    mem,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use smtp_proto::{driver::Wire, machine::TlsInfo};

/// What a wire leads to.
#[derive(Debug, Default)]
pub(crate) struct Far {
    /// What it says, each once something was written.
    pub(crate) says: VecDeque<io::Result<&'static str>>,
    /// It says the next without waiting for that.
    pub(crate) may_speak: bool,
    /// It never waits for that.
    pub(crate) is_talkative: bool,
    /// It does not close when it has said everything.
    pub(crate) stays: bool,
    /// What it says in between, once it has heard so many bytes.
    pub(crate) interrupts: Option<(usize, &'static str)>,
    /// How many bytes it takes at a time, with a pause after each; 0 is all.
    pub(crate) gulp: usize,
    /// How many bytes it takes in all, if not any number.
    pub(crate) takes: Option<usize>,
    /// It takes any number once it has said that.
    pub(crate) resumes: bool,
    /// It never takes note that nothing more comes.
    pub(crate) ignores_shutdown: bool,
    pub(crate) now: Duration,
    pub(crate) heard: String,
    pub(crate) writes: usize,
    pub(crate) shutdowns: usize,
    pub(crate) has_hung_up: bool,
    pub(crate) is_paused: bool,
    pub(crate) unflushed: usize,
}

impl Far {
    fn say(&mut self) -> Option<io::Result<&'static str>> {
        if let Some((_, reply)) = self.interrupts.take_if(|it| self.heard.len() >= it.0) {
            self.takes.take_if(|_| self.resumes);
            return Some(Ok(reply));
        }
        if self.unflushed > 0 || !(mem::take(&mut self.may_speak) || self.is_talkative) {
            return None;
        }
        match self.says.pop_front() {
            None if self.stays => None,
            None => Some(Ok("")),
            said => said,
        }
    }
}

/// A wire over which nothing takes time.
#[derive(Debug)]
pub(crate) struct Fake(pub(crate) Rc<RefCell<Far>>);

impl Wire for Fake {
    type Tls = ();

    fn now(&self) -> Duration {
        self.0.borrow().now
    }

    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        buffer: &mut [u8],
        _: Duration,
    ) -> Poll<io::Result<usize>> {
        let mut far = self.0.borrow_mut();
        let Some(said) = far.say() else {
            return Poll::Pending;
        };
        Poll::Ready(said.map(|said| {
            buffer[..said.len()].copy_from_slice(said.as_bytes());
            said.len()
        }))
    }

    fn poll_write(
        &mut self,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut far = self.0.borrow_mut();
        assert!(!far.has_hung_up, "nothing passes any more");
        if far.gulp > 0 && !mem::replace(&mut far.is_paused, false) {
            far.is_paused = true;
            return Poll::Pending;
        }
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        let mut bytes = if far.gulp > 0 { far.gulp } else { all.len() }.min(all.len());
        if let Some(takes) = &mut far.takes {
            bytes = bytes.min(*takes);
            *takes -= bytes;
        }
        if bytes == 0 {
            return Poll::Pending;
        }
        far.heard
            .push_str(std::str::from_utf8(&all[..bytes]).unwrap());
        far.unflushed += bytes;
        far.writes += 1;
        Poll::Ready(Ok(bytes))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut far = self.0.borrow_mut();
        far.may_speak |= far.unflushed > 0;
        far.unflushed = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut far = self.0.borrow_mut();
        if far.ignores_shutdown {
            return Poll::Pending;
        }
        far.shutdowns += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_handshake(
        &mut self,
        (): &(),
        _: &mut Context<'_>,
        _: Duration,
    ) -> Poll<io::Result<TlsInfo>> {
        assert_eq!(
            self.0.borrow().unflushed,
            0,
            "all that goes before has left"
        );
        Poll::Ready(Err(ErrorKind::ConnectionAborted.into()))
    }

    fn hang_up(&mut self) {
        self.0.borrow_mut().has_hung_up = true;
    }

    fn poll_until(&mut self, _: &mut Context<'_>, until: Duration) -> Poll<()> {
        match self.0.borrow().now >= until {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}
