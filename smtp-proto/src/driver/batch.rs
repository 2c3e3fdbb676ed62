//! Many messages, one after the other without waiting.

use core::task::{Context, Poll, ready};

use super::{
    client::{ClientDriver, Presents},
    wire::Wire,
};
use crate::delivery::{Error, IntoMessage, Report};

/// Messages of a source, which are taken as they can be sent.
#[derive(Debug)]
pub struct Batch<M> {
    /// Those that were not taken, until there are no more.
    messages: Option<M>,
    /// The session's error was yielded.
    has_failed: bool,
}

impl<M> Batch<M> {
    /// Takes a source.
    pub fn new(messages: M) -> Self {
        Self {
            messages: Some(messages),
            has_failed: false,
        }
    }

    /// Waits for the next report, and submits as many messages as keep the connection busy: `next` takes
    /// one from the source. `None` once every message has been reported, and whatever had been submitted
    /// before.
    pub fn poll_report<W: Wire, B: Presents, I: IntoMessage<B>>(
        &mut self,
        driver: &mut ClientDriver<W, B>,
        mut next: impl FnMut(&mut M, &mut Context<'_>) -> Poll<Option<I>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Report>, Error>> {
        let report = self.poll_submit_and_report(driver, &mut next, cx);
        driver.set_supplied(false);
        report
    }

    fn poll_submit_and_report<W: Wire, B: Presents, I: IntoMessage<B>>(
        &mut self,
        driver: &mut ClientDriver<W, B>,
        next: &mut impl FnMut(&mut M, &mut Context<'_>) -> Poll<Option<I>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Report>, Error>> {
        while !self.has_failed {
            let is_late = self.poll_submit(driver, next, cx)?.is_pending();
            driver.set_supplied(self.messages.is_some() && !is_late);
            match driver.courier_mut().next_report() {
                // The source is only late: the server may take its leave meanwhile.
                Poll::Ready(Ok(None)) if is_late => {}
                Poll::Ready(report) => {
                    self.has_failed = report.is_err();
                    let explained = report.map_err(|error| driver.endpoint().explain(error));
                    return Poll::Ready(explained);
                }
                Poll::Pending => {}
            }
            ready!(driver.poll_turn(cx));
        }
        Poll::Ready(Ok(None))
    }

    /// Submits messages as long as any are wanted. Is pending while the source is.
    fn poll_submit<W: Wire, B: Presents, I: IntoMessage<B>>(
        &mut self,
        driver: &mut ClientDriver<W, B>,
        next: &mut impl FnMut(&mut M, &mut Context<'_>) -> Poll<Option<I>>,
        cx: &mut Context<'_>,
    ) -> Result<Poll<()>, Error> {
        while let Some(messages) = &mut self.messages
            && driver.courier().wants_message()
        {
            match next(messages, cx) {
                Poll::Ready(Some(message)) => {
                    message.submit_to(|envelope, body| driver.submit(envelope, body))??;
                }
                Poll::Ready(None) => self.messages = None,
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
        Ok(Poll::Ready(()))
    }
}
