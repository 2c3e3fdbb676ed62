//! What a server's application has to say.

#[cfg(feature = "auth")]
use super::exchange::Exchange;
use super::sink::Sink;

smtp_proto::handler! {
    /// Decides about commands and takes in messages, for all connections of a server, and of any number
    /// of servers: `Arc<H>` is a handler.
    ///
    /// Two methods must be written; those that are not, accept what does no harm, and refuse what does:
    /// credentials, relaying, proxies. A method that panics has failed: its command is answered 451, the
    /// greeting 421, and the session goes on as far as it can.
    ///
    /// There is no `dyn Handler`: what is chosen when the program runs, a handler holds, as a `Box<dyn ...>`
    /// of a trait of yours.
    ///
    /// `S` is what the application [remembers](State): nothing unless said otherwise.
    ///
    /// Each connection has a thread, which waits while a method works; no other one does.
    ///
    /// ```
    /// use smtp_proto_blocking::server::{
    ///     Envelope, Handler, InMemory, Recipient, Refusal, Session, Transaction, Verdict, accept, refuse,
    /// };
    ///
    /// struct Mailboxes;
    ///
    /// /// Remembers each recipient's mailbox.
    /// impl Handler<((), (), u64)> for Mailboxes {
    ///     type Sink = InMemory;
    ///
    ///     fn recipient(
    ///         &self,
    ///         _: &Session<((), (), u64)>,
    ///         _: &Transaction<((), (), u64)>,
    ///         recipient: &Recipient,
    ///     ) -> Verdict<u64> {
    ///         match recipient.path.to_string().as_str() {
    ///             "<b@example.net>" => Ok(17.into()),
    ///             _ => Err(refuse!("550 5.1.1 No such mailbox here")),
    ///         }
    ///     }
    ///
    ///     fn content(
    ///         &self,
    ///         _: &Session<((), (), u64)>,
    ///         envelope: Envelope<((), (), u64)>,
    ///     ) -> Result<InMemory, Refusal> {
    ///         Ok(InMemory::then(move |content| {
    ///             for accepted in &envelope.recipients {
    ///                 println!("{} bytes for mailbox {}", content.len(), accepted.state);
    ///             }
    ///             accept()
    ///         }))
    ///     }
    /// }
    /// ```
}
