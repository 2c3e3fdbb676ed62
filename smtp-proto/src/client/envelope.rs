//! What is said about a message outside of its content.

use alloc::{boxed::Box, vec::Vec};

use crate::syntax::{BodyType, ForwardPath, MailParameters, RcptParameters, ReversePath};

/// Holds the sender, the recipients and the parameters of one message.
///
/// ```
/// use smtp_proto::client::Envelope;
///
/// let envelope = Envelope::new("sender@example.org")?
///     .to("one@example.net")?
///     .to("two@example.net")?
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
    /// Creates an envelope without recipients. The sender is an address, or `<>` for nobody, as notifications have it.
    ///
    /// # Errors
    ///
    /// Fails if the sender is text and no address.
    pub fn new<S: TryInto<ReversePath<'a>>>(sender: S) -> Result<Self, S::Error> {
        Ok(Self {
            sender: sender.try_into()?,
            recipients: Recipients::Many(Vec::new()),
            size: None,
            body: None,
            parameters: None,
            recipient_parameters: Vec::new(),
        })
    }

    /// Adds a recipient by the address. Outcomes name recipients by their position, from 0 on.
    ///
    /// # Errors
    ///
    /// Fails if the recipient is text and no address.
    pub fn to<R: TryInto<ForwardPath<'a>>>(self, recipient: R) -> Result<Self, R::Error> {
        Ok(self.recipient(recipient.try_into()?))
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

    /// Returns how many bytes the content was declared to have.
    pub fn declared_size(&self) -> Option<u64> {
        self.size
    }

    /// Keeps only the recipients at these positions, in ascending order, which count from 0 on again: for
    /// those to whom a message has to be sent once more.
    #[must_use]
    pub fn narrowed(mut self, positions: &[usize]) -> Self {
        let all = self.recipients.as_slice();
        let kept = positions.iter().filter_map(|&at| all.get(at));
        let recipients = Recipients::Many(kept.cloned().collect());
        let given = core::mem::take(&mut self.recipient_parameters);
        self.recipient_parameters = given
            .into_iter()
            .filter_map(|(at, given)| {
                let at = positions.binary_search(&at).ok()?;
                Some((at, given))
            })
            .collect();
        self.recipients = recipients;
        self
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

impl<'a> From<&Self> for Envelope<'a> {
    fn from(envelope: &Self) -> Self {
        envelope.clone()
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
