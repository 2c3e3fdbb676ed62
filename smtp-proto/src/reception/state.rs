//! What an application remembers.

/// Names the types of what an application remembers of a connection, of a transaction and of each
/// recipient.
///
/// `()` remembers nothing; three types, `(Session, Transaction, Recipient)`, are remembered each for
/// as long as what they are about: a recipient's and a transaction's come back with the
/// [`Envelope`](super::Envelope), or are dropped when the transaction ends without a message.
///
/// ```
/// struct Mailbox(u64);
///
/// /// Nothing is remembered of connections and transactions.
/// type Mailboxes = ((), (), Mailbox);
/// # fn is_state<S: smtp_proto::reception::State>() {}
/// # is_state::<Mailboxes>();
/// ```
pub trait State: 'static {
    /// What is remembered of a connection; its default where the application says nothing.
    type Session: Default + Send + Sync + 'static;
    /// What is remembered of a transaction; its default where the application says nothing.
    type Transaction: Default + Send + Sync + 'static;
    /// What is remembered of a recipient.
    type Recipient: Send + Sync + 'static;
}

impl State for () {
    type Session = ();
    type Transaction = ();
    type Recipient = ();
}

impl<S, T, R> State for (S, T, R)
where
    S: Default + Send + Sync + 'static,
    T: Default + Send + Sync + 'static,
    R: Send + Sync + 'static,
{
    type Session = S;
    type Transaction = T;
    type Recipient = R;
}
