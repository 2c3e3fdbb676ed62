//! What is said about a message outside of its content.

use smallvec::SmallVec;

use crate::syntax::{BodyType, ForwardPath, ReversePath};

/// Holds the sender, the recipients and the parameters of one message.
///
/// ```
/// use smtp_proto::client::Envelope;
/// use smtp_proto::syntax::{ForwardPath, ReversePath};
///
/// let envelope = Envelope::new(ReversePath::parse("<sender@example.org>")?)
///     .recipient(ForwardPath::parse("<one@example.net>")?)
///     .recipient(ForwardPath::parse("<two@example.net>")?)
///     .size(5_120);
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    pub(super) sender: ReversePath<'a>,
    pub(super) recipients: SmallVec<[ForwardPath<'a>; 4]>,
    pub(super) size: Option<u64>,
    pub(super) body: Option<BodyType>,
}

impl<'a> Envelope<'a> {
    /// Creates an envelope without recipients.
    pub fn new(sender: ReversePath<'a>) -> Self {
        Self {
            sender,
            recipients: SmallVec::new(),
            size: None,
            body: None,
        }
    }

    /// Adds a recipient. Outcomes name recipients by their position, from 0 on.
    #[must_use]
    pub fn recipient(mut self, recipient: ForwardPath<'a>) -> Self {
        self.recipients.push(recipient);
        self
    }

    /// Declares how many octets the content has, line ends counted as CR LF (RFC 1870 5).
    ///
    /// Sent where the server offers SIZE; a message over the server's maximum is then not sent.
    #[must_use]
    pub fn size(mut self, octets: u64) -> Self {
        self.size = Some(octets);
        self
    }

    /// Declares what octets the content holds (RFC 6152). The machine takes the caller's word.
    ///
    /// Content that needs an extension which the server does not offer is not sent.
    #[must_use]
    pub fn body(mut self, body: BodyType) -> Self {
        self.body = Some(body);
        self
    }

    /// Returns the sender.
    pub fn sender(&self) -> &ReversePath<'a> {
        &self.sender
    }

    /// Returns the recipients in the order in which they were added.
    pub fn recipients(&self) -> &[ForwardPath<'a>] {
        &self.recipients
    }

    /// Copies what is borrowed, so that the envelope can live on.
    pub fn into_owned(self) -> Envelope<'static> {
        Envelope {
            sender: self.sender.into_owned(),
            recipients: self
                .recipients
                .into_iter()
                .map(ForwardPath::into_owned)
                .collect(),
            size: self.size,
            body: self.body,
        }
    }
}
