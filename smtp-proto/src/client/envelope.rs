//! What is said about a message outside of its content.

use alloc::{boxed::Box, vec::Vec};

use crate::syntax::{BodyType, ForwardPath, MailParameters, RcptParameters, ReversePath};

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
    recipients: Recipients<'a>,
    pub(super) size: Option<u64>,
    pub(super) body: Option<BodyType>,
    pub(super) parameters: Option<Box<MailParameters<'a>>>,
    /// By the recipient's position; those without parameters are not in it.
    pub(super) recipient_parameters: Vec<(usize, RcptParameters<'a>)>,
}

impl<'a> Envelope<'a> {
    /// Creates an envelope without recipients.
    pub fn new(sender: ReversePath<'a>) -> Self {
        Self {
            sender,
            recipients: Recipients::Many(Vec::new()),
            size: None,
            body: None,
            parameters: None,
            recipient_parameters: Vec::new(),
        }
    }

    /// Adds a recipient. Outcomes name recipients by their position, from 0 on.
    #[must_use]
    pub fn recipient(mut self, recipient: ForwardPath<'a>) -> Self {
        self.recipients.push(recipient);
        self
    }

    /// Adds a recipient with parameters of its own, as those of DSN (RFC 3461).
    #[must_use]
    pub fn recipient_with(
        mut self,
        recipient: ForwardPath<'a>,
        parameters: RcptParameters<'a>,
    ) -> Self {
        self.recipient_parameters
            .push((self.recipients.as_slice().len(), parameters));
        self.recipient(recipient)
    }

    /// Sets what else is asked of the server for this message.
    ///
    /// A parameter is sent only where its extension is offered. Where it is not, those that must
    /// not be dropped keep the message from being sent: REQUIRETLS, BY with R, CONPERM; and of
    /// recipients, RRVS unless it ends in `;C`. The others are left out: RET, ENVID, NOTIFY and
    /// ORCPT, AUTH, MT-PRIORITY, MTRK, SOLICIT, BY with N. What is not known here is sent in any
    /// case: the caller vouches for it. SIZE and BODY count if [`size`](Self::size) and
    /// [`body`](Self::body) are not set.
    #[must_use]
    pub fn parameters(mut self, parameters: MailParameters<'a>) -> Self {
        self.size = self.size.or(parameters.size);
        self.body = self.body.or(parameters.body);
        self.parameters = Some(Box::new(parameters));
        self
    }

    /// Declares how many bytes the content has, line ends counted as CR LF (RFC 1870 5).
    ///
    /// Sent where the server offers SIZE; a message over the server's maximum is then not sent.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// Declares what bytes the content holds (RFC 6152). The machine takes the caller's word.
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
        self.recipients.as_slice()
    }

    /// Copies what is borrowed, so that the envelope can live on.
    pub fn into_owned(self) -> Envelope<'static> {
        Envelope {
            sender: self.sender.into_owned(),
            recipients: match self.recipients {
                Recipients::One(only) => Recipients::One(only.into_owned()),
                Recipients::Many(all) => {
                    Recipients::Many(all.into_iter().map(ForwardPath::into_owned).collect())
                }
            },
            size: self.size,
            body: self.body,
            parameters: self.parameters.map(|given| Box::new(given.into_owned())),
            recipient_parameters: self
                .recipient_parameters
                .into_iter()
                .map(|(recipient, given)| (recipient, given.into_owned()))
                .collect(),
        }
    }
}

/// Recipients, of which one alone needs no allocation. Covariant, as [`smallvec::SmallVec`] is not.
#[derive(Clone, Debug)]
enum Recipients<'a> {
    One(ForwardPath<'a>),
    Many(Vec<ForwardPath<'a>>),
}

impl<'a> Recipients<'a> {
    fn push(&mut self, recipient: ForwardPath<'a>) {
        *self = match core::mem::replace(self, Self::Many(Vec::new())) {
            Self::Many(all) if all.is_empty() => Self::One(recipient),
            Self::Many(mut all) => {
                all.push(recipient);
                Self::Many(all)
            }
            Self::One(first) => Self::Many([first, recipient].into()),
        };
    }

    fn as_slice(&self) -> &[ForwardPath<'a>] {
        match self {
            Self::One(only) => core::slice::from_ref(only),
            Self::Many(all) => all,
        }
    }
}
