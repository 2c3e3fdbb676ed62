//! What is said about a message outside of its content: as the caller has it, and as it is written.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

use super::{
    aim::Aim,
    config::{Config, Unpermitted},
    event::NotSentReason,
    fitting::{exceeded_by, fit_mail, fit_recipient, recode, vital_of_mail},
    forwarding::Origin,
    recipient_list::RecipientList,
};
use crate::framing::{BareLineBreak, Inspection, LineBreaks};
use crate::machine::Misuse;
use crate::syntax::{
    Attribute, BodyType, Capabilities, Extension, ForwardPath, MailParameters, RcptParameters,
    ReversePath,
};

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
    sender: ReversePath<'a>,
    recipients: RecipientList<'a>,
    size: Option<u64>,
    body: Option<BodyType>,
    parameters: Option<Box<MailParameters<'a>>>,
    /// By the recipient's position; those without parameters are not in it.
    recipient_parameters: Vec<(usize, RcptParameters<'a>)>,
    origin: Vec<Attribute<'a>>,
    aim: Aim,
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
            recipients: RecipientList::Many(Vec::new()),
            size: None,
            body: None,
            parameters: None,
            recipient_parameters: Vec::new(),
            origin: Vec::new(),
            aim: Aim::default(),
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

    /// Declares what bytes the content holds (RFC 6152). The machine takes the caller's word, unless it
    /// sees bytes above 127 in a content that is presented whole before its message is begun.
    ///
    /// Content that needs an extension which the server does not offer is not sent, unless
    /// [`eight_bit`](super::Config::eight_bit) has it sent.
    #[must_use]
    pub fn body(mut self, body: BodyType) -> Self {
        self.body = Some(body);
        self
    }

    /// Tells the server whom the message is from, for its log: XFORWARD goes before MAIL, in its group,
    /// where the server offers it.
    ///
    /// Of the attributes that the server takes and that are not among these it is said that they are not
    /// known; but for SOURCE, which Postfix takes for LOCAL then. Where the server refuses to be told
    /// ([`ForwardingRefused`](super::Event::ForwardingRefused)) the message goes on, as Postfix's client
    /// has it. A server forgets it all with the message.
    ///
    /// ```
    /// use smtp_proto::{client::Envelope, syntax::{Attribute, AttributeName}};
    ///
    /// let envelope = Envelope::new("sender@example.org")?.to("one@example.net")?.xforward([
    ///     Attribute::address(AttributeName::Addr, "192.0.2.1".parse()?)?,
    ///     Attribute::new(AttributeName::Helo, "client.example")?,
    /// ]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn xforward(mut self, attributes: impl IntoIterator<Item = Attribute<'a>>) -> Self {
        self.origin = attributes.into_iter().collect();
        self
    }

    /// Has the message sent to all of its recipients or to none.
    ///
    /// Its content waits for the replies to every RCPT, which takes a round trip. If one is refused, 452
    /// included, or the server takes fewer recipients at once, nothing of the content leaves: whoever was
    /// refused has that for an outcome, and the others [`NotForAll`](NotSentReason::NotForAll). With LMTP
    /// the verdicts after the content may still differ.
    #[must_use]
    pub fn all_or_none(mut self) -> Self {
        self.aim = Aim::All;
        self
    }

    /// Has the recipients only tried: MAIL and RCPT are sent, and no content is asked for.
    ///
    /// Each reply comes as a [`RecipientAnswered`](super::Event::RecipientAnswered). Whoever is refused has
    /// that for an outcome, and the others [`OnlyVerified`](NotSentReason::OnlyVerified). RSET goes before
    /// the next message.
    ///
    /// ```
    /// use smtp_proto::client::Envelope;
    ///
    /// let envelope = Envelope::new("sender@example.org")?.to("one@example.net")?.to("two@example.net")?;
    /// let trial = envelope.clone().verify_only();
    /// let message = envelope.all_or_none();
    /// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
    /// ```
    #[must_use]
    pub fn verify_only(mut self) -> Self {
        self.aim = Aim::Replies;
        self
    }

    /// Returns what the message is sent for.
    pub(super) fn aim(&self) -> Aim {
        self.aim
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

    /// Returns whether it may travel over verified TLS only (RFC 8689 4.2.1).
    #[cfg(feature = "std")]
    pub(crate) fn needs_verified_tls(&self) -> bool {
        let parameters = self.parameters.as_deref();
        parameters.is_some_and(|given| given.require_tls)
    }

    /// Keeps only the recipients at these positions, in ascending order, which count from 0 on again: for
    /// those to whom a message has to be sent once more.
    #[must_use]
    pub fn narrowed(mut self, positions: &[usize]) -> Self {
        let all = self.recipients.as_slice();
        let kept = positions.iter().filter_map(|&at| all.get(at));
        let recipients = RecipientList::Many(kept.cloned().collect());
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
            recipients: self.recipients.into_owned(),
            size: self.size,
            body: self.body,
            parameters: self.parameters.map(|given| Box::new(given.into_owned())),
            recipient_parameters: self
                .recipient_parameters
                .into_iter()
                .map(|(recipient, given)| (recipient, given.into_owned()))
                .collect(),
            origin: self.origin.into_iter().map(Attribute::into_owned).collect(),
            aim: self.aim,
        }
    }
}

impl<'a> From<&Self> for Envelope<'a> {
    fn from(envelope: &Self) -> Self {
        envelope.clone()
    }
}

/// An envelope as it is written, in memory that is used again.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The paths in angle brackets, the sender's first.
    paths: Vec<u8>,
    /// Where the sender's path ends, and then each recipient's.
    ends: Vec<usize>,
    size: Option<u64>,
    body: Option<BodyType>,
    is_internationalized: bool,
    parameters: Option<Box<MailParameters<'static>>>,
    /// By the recipient's position; those without parameters are not in it.
    recipient_parameters: Vec<(usize, RcptParameters<'static>)>,
    origin: Option<Box<Origin>>,
}

impl Written {
    /// Takes over an envelope, in the memory of an earlier one.
    pub(super) fn fill(&mut self, envelope: &Envelope<'_>) {
        self.paths.clear();
        self.ends.clear();
        self.recipient_parameters.clear();
        envelope.sender.write_to(&mut self.paths);
        self.ends.push(self.paths.len());
        for recipient in envelope.recipients() {
            recipient.write_to(&mut self.paths);
            self.ends.push(self.paths.len());
        }
        (self.size, self.body) = (envelope.size, envelope.body);
        let given = envelope.parameters.as_deref();
        self.is_internationalized =
            given.is_some_and(|given| given.smtp_utf8) || !is_ascii(&self.paths);
        self.parameters = given.map(|given| Box::new(given.clone().into_owned()));
        let given = envelope.recipient_parameters.iter();
        self.recipient_parameters
            .extend(given.map(|(position, given)| (*position, given.clone().into_owned())));
        let is_told = !envelope.origin.is_empty();
        self.origin = is_told.then(|| Box::new(Origin::new(&envelope.origin)));
    }

    /// Adds a recipient, and returns its position. `offered` is what the server offers, once that is
    /// known; what the sender was said without cannot be added any more.
    pub(super) fn add(
        &mut self,
        recipient: &ForwardPath<'_>,
        parameters: Option<&RcptParameters<'_>>,
        offered: Option<&Capabilities>,
        is_sender_said: bool,
    ) -> Result<usize, Misuse> {
        let mut parameters = parameters.map(|given| given.clone().into_owned());
        let (position, start) = (self.recipients(), self.paths.len());
        recipient.write_to(&mut self.paths);
        let is_ascii = self.paths.get(start..).is_none_or(is_ascii);
        let mut needed = parameters
            .as_mut()
            .and_then(|given| offered.and_then(|offered| fit_recipient(given, offered)));
        if !is_ascii && !self.is_internationalized {
            needed = needed.or(Some(Extension::SmtpUtf8));
        } else if !self.is_internationalized
            && let Some(given) = &mut parameters
        {
            recode(given);
        }
        let is_late = !is_ascii && !self.is_internationalized && is_sender_said;
        let is_missing = |extension| offered.is_some_and(|offered| !offered.has(extension));
        if is_late || needed.is_some_and(is_missing) {
            self.paths.truncate(start);
            return Err(Misuse::NotOffered);
        }
        let limit = offered.map(Capabilities::rcpt_line_limit);
        self.is_internationalized |= !is_ascii;
        self.ends.push(self.paths.len());
        self.recipient_parameters
            .extend(parameters.map(|given| (position, given)));
        if limit.is_some_and(|limit| self.is_too_long(position, limit)) {
            self.remove_last();
            return Err(Misuse::CommandTooLong);
        }
        Ok(position)
    }

    /// Takes the last recipient back.
    pub(super) fn remove_last(&mut self) {
        let position = self.recipients().saturating_sub(1);
        self.recipient_parameters.retain(|(of, _)| *of < position);
        self.ends.pop();
        self.paths
            .truncate(self.ends.last().copied().unwrap_or_default());
    }

    /// Returns how many recipients there are.
    fn recipients(&self) -> usize {
        self.ends.len().saturating_sub(1)
    }

    /// Returns whether its content goes by BDAT, at whatever level (RFC 3030 3).
    pub(super) fn is_binary(&self) -> bool {
        self.body == Some(BodyType::BinaryMime)
    }

    pub(super) fn has_size(&self) -> bool {
        self.size.is_some()
    }

    /// Returns the domain of a recipient, with its `@`; those that the server alone knows have none.
    pub(super) fn domain(&self, position: usize) -> Option<&[u8]> {
        let path = self.recipient(position);
        let path = path.strip_suffix(b">").unwrap_or(path);
        // What is quoted to its end has no domain, and may have an `@`.
        let path = path.strip_suffix(b"\"").map_or(path, |_| b"");
        memchr::memrchr(b'@', path).and_then(|at| path.get(at..))
    }

    fn recipient(&self, position: usize) -> &[u8] {
        let path = || {
            let end = *self.ends.get(position.checked_add(1)?)?;
            self.paths.get(*self.ends.get(position)?..end)
        };
        path().unwrap_or_default()
    }

    /// Returns the line at this place of those that go before MAIL, if there are so many.
    pub(super) fn origin_line(&self, at: usize) -> Option<&[u8]> {
        self.origin.as_ref()?.lines().get(at)
    }

    /// Writes MAIL, with each parameter only where it was offered (RFC 5321 4.1.1.3).
    pub(super) fn write_mail(&self, offered: &Capabilities, out: &mut Vec<u8>) {
        let sender = self.ends.first().and_then(|&end| self.paths.get(..end));
        out.extend_from_slice(b"MAIL FROM:");
        out.extend_from_slice(sender.unwrap_or_default());
        if let Some(size) = self.size
            && offered.has(Extension::Size)
        {
            out.extend_from_slice(b" SIZE=");
            write_decimal(size, out);
        }
        // BINARYMIME is only asked for where it is offered, which has been checked.
        if let Some(body) = self.body
            && (self.is_binary() || offered.has(Extension::EightBitMime))
        {
            out.extend_from_slice(b" BODY=");
            out.extend_from_slice(body.as_str().as_bytes());
        }
        if self.is_internationalized {
            out.extend_from_slice(b" SMTPUTF8");
        }
        if let Some(given) = &self.parameters {
            given.write_to(out);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Writes RCPT for the recipient at this position.
    pub(super) fn write_recipient(&self, position: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(b"RCPT TO:");
        out.extend_from_slice(self.recipient(position));
        if let Some(given) = self.parameters_of(position) {
            given.write_to(out);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Returns whether the RCPT of the recipient at this position has more bytes than this.
    fn is_too_long(&self, position: usize, limit: usize) -> bool {
        // A path alone is never that long.
        self.parameters_of(position).is_some() && {
            let mut line = Vec::new();
            self.write_recipient(position, &mut line);
            line.len() > limit
        }
    }

    fn parameters_of(&self, position: usize) -> Option<&RcptParameters<'static>> {
        let given = &self.recipient_parameters;
        let at = given.binary_search_by_key(&position, |(of, _)| *of).ok()?;
        given.get(at).map(|(_, given)| given)
    }

    /// Leaves out what may be left out where the server does not offer it. Returns the positions of the
    /// recipients who need what is not offered, with that.
    ///
    /// # Errors
    ///
    /// Fails if the message itself needs what is not offered.
    pub(super) fn fit(
        &mut self,
        offered: &Capabilities,
        is_verified: bool,
        config: &Config,
    ) -> Result<BTreeMap<usize, Extension>, NotSentReason> {
        if let Some(origin) = &mut self.origin {
            origin.fit(offered);
        }
        if let (Some(size), Some(maximum)) = (self.size, offered.max_size())
            && size > maximum
        {
            return Err(NotSentReason::TooLarge { maximum }); // RFC 1870 7
        }
        let body = match self.body {
            // 6152-3-f, 3030-3-e: none of these may be sent unasked.
            Some(BodyType::EightBitMime) if config.eight_bit == Unpermitted::Send => None,
            Some(BodyType::EightBitMime) => Some(Extension::EightBitMime),
            Some(BodyType::BinaryMime) => Some(Extension::BinaryMime),
            Some(BodyType::SevenBit) | None => None,
        };
        let mut unfit = self.leave_out_utf8(offered); // 6531-3.2-d
        let utf8 = self.is_internationalized.then_some(Extension::SmtpUtf8);
        let (mut vital, mut exceeded, mut needs_verified_tls) = ([None; 4], None, false);
        if let Some(given) = self.parameters.as_deref_mut() {
            (vital, exceeded) = (vital_of_mail(given), exceeded_by(given, offered));
            needs_verified_tls = given.require_tls; // RFC 8689 4.2.1
            fit_mail(given, offered);
        }
        let is_ascii = !self.is_internationalized;
        for (position, given) in &mut self.recipient_parameters {
            if is_ascii {
                recode(given);
            }
            let needed = fit_recipient(given, offered);
            if let Some(extension) = needed.filter(|&extension| !offered.has(extension)) {
                unfit.insert(*position, extension);
            }
        }
        let needed = vital.into_iter().chain([body, utf8]);
        let missing = needed.flatten().find(|&extension| !offered.has(extension));
        match missing.or(exceeded) {
            Some(extension) => Err(NotSentReason::ExtensionMissing(extension)),
            None if needs_verified_tls && !is_verified => Err(NotSentReason::ServerUnverified),
            None => Ok(unfit),
        }
    }

    /// Returns the positions of the recipients who need SMTPUTF8, where it is not offered and the message
    /// does without.
    fn leave_out_utf8(&mut self, offered: &Capabilities) -> BTreeMap<usize, Extension> {
        if !self.is_internationalized || offered.has(Extension::SmtpUtf8) {
            return BTreeMap::new();
        }
        let sender = self.ends.first().and_then(|&end| self.paths.get(..end));
        let is_asked_for = self.parameters.as_ref().is_some_and(|it| it.smtp_utf8);
        if is_asked_for || !sender.is_none_or(is_ascii) {
            return BTreeMap::new();
        }
        self.is_internationalized = false;
        let is_unfit = |position: &usize| !is_ascii(self.recipient(*position));
        let unfit = (0..self.recipients()).filter(is_unfit);
        unfit
            .map(|position| (position, Extension::SmtpUtf8))
            .collect()
    }

    /// Declares what was seen of a content that is text.
    ///
    /// # Errors
    ///
    /// Fails if it must not be sent.
    pub(super) fn fit_content(
        &mut self,
        seen: &Inspection<'_>,
        offered: &Capabilities,
        config: &Config,
    ) -> Result<(), NotSentReason> {
        if let Some(BareLineBreak { at, .. }) = seen.bare_line_break()
            && config.line_breaks_of_text() == LineBreaks::Refuse
        {
            return Err(NotSentReason::BareLineBreak { at }); // 5321-2.3.8-b
        }
        if config.long_lines == Unpermitted::Refuse && seen.has_long_line() {
            return Err(NotSentReason::LongLine);
        }
        if seen.is_eight_bit() && offered.has(Extension::EightBitMime) {
            self.body = Some(BodyType::EightBitMime);
        } else if seen.is_eight_bit() && config.eight_bit == Unpermitted::Refuse {
            return Err(NotSentReason::ExtensionMissing(Extension::EightBitMime)); // 5321-2.4-e
        }
        Ok(())
    }

    /// Returns why it is for nobody, if the server takes no recipient's RCPT.
    pub(super) fn is_for_nobody(&self, offered: &Capabilities) -> Option<NotSentReason> {
        let recipients = self.recipients();
        if self.recipient_parameters.len() < recipients {
            return None;
        }
        let limit = offered.rcpt_line_limit();
        let is_for_nobody = (0..recipients).all(|position| self.is_too_long(position, limit));
        is_for_nobody.then_some(NotSentReason::CommandTooLong { limit })
    }
}

/// Returns whether there is no byte above 127.
fn is_ascii(bytes: &[u8]) -> bool {
    // To look for the first such byte takes longer, with so few.
    bytes.iter().fold(0, |all, byte| all | byte) <= 0x7f
}

/// Appends a number in decimal digits.
pub(super) fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut unused = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        (number, unused) = (number / 10, unused - 1);
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(unused..).unwrap_or_default());
}
