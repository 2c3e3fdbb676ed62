//! What a server's application has to say.

#[cfg(feature = "auth")]
use super::exchange::Exchange;
use super::sink::Sink;

smtp_proto::handler! {
    async.await
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
    /// The futures run while the connection goes on: the recipients of one group are checked side by
    /// side, and messages are being stored while the next ones arrive. One whose answer is of no use any
    /// more is dropped; [`Sink::finish`] is not.
    ///
    /// ```
    /// use smtp_proto_tokio::server::{
    ///     Envelope, Handler, InMemory, Recipient, Refusal, Session, Transaction, Verdict, accept, refuse,
    /// };
    ///
    /// struct Mailboxes;
    ///
    /// /// Remembers each recipient's mailbox.
    /// impl Handler<((), (), u64)> for Mailboxes {
    ///     type Sink = InMemory;
    ///
    ///     async fn recipient(
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
    ///     async fn content(
    ///         &self,
    ///         _: &Session<((), (), u64)>,
    ///         envelope: Envelope<((), (), u64)>,
    ///     ) -> Result<InMemory, Refusal> {
    ///         Ok(InMemory::then(async move |content| {
    ///             for accepted in &envelope.recipients {
    ///                 println!("{} bytes for mailbox {}", content.len(), accepted.state);
    ///             }
    ///             accept()
    ///         }))
    ///     }
    /// }
    /// ```
}
