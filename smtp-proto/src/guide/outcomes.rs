//! Outcomes, and sending again.
//!
//! Every message that was submitted ends in exactly one outcome for each of its recipients, whatever
//! happens: a refusal, a cut at any byte, a timer, a server that talks nonsense. There are four.
//!
//! | [`Outcome`] | what is certain | send again? |
//! |---|---|---|
//! | `Delivered(reply)` | the server has taken it, and the duty with it (RFC 5321 4.2.5) | never |
//! | `Refused(answer)` | the server has not taken it, and said so | later if the reply is 4yz; never if it is 5yz |
//! | `NotSent(why)` | the server has not got it to its end | safe: at once or later, unless [`is_permanent`](crate::client::NotSent::is_permanent) |
//! | `InDoubt` | its end was handed to the transport, and no reply came | it may be delivered twice: yours to decide |
//!
//! A queue needs little more than this:
//!
//! ```
//! use smtp_proto::client::Outcome;
//! use smtp_proto::machine::Step;
//! use smtp_proto::syntax::Class;
//!
//! enum Next {
//!     Done,
//!     /// Report to the sender that it failed.
//!     Bounce,
//!     /// Another host of the domain may do better.
//!     NextHost,
//!     Later,
//!     /// Delivered perhaps.
//!     Ask,
//! }
//!
//! fn next(outcome: &Outcome<'_>) -> Next {
//!     match outcome {
//!         Outcome::Delivered(_) => Next::Done,
//!         Outcome::Refused(answer) => match (answer.reply.class(), answer.step) {
//!             (Class::Permanent, _) => Next::Bounce,
//!             // "Too many recipients" and greylisting are this recipient's; the rest the host's.
//!             (_, Step::Recipient) => Next::Later,
//!             _ => Next::NextHost,
//!         },
//!         Outcome::NotSent(why) if why.is_permanent() => Next::Bounce,
//!         Outcome::NotSent(_) => Next::NextHost,
//!         Outcome::InDoubt => Next::Ask,
//!     }
//! }
//! # assert!(matches!(next(&Outcome::InDoubt), Next::Ask));
//! ```
//!
//! # The step
//!
//! 550 to MAIL, to RCPT, to DATA and after the content are different things: the sender, one
//! recipient, the envelope, the message. A refusal carries the [`Step`] that it answered, and so do
//! `NotSent`, if a reply was its cause, and the machine's [`Error`]: log "550 5.7.1 … in reply to
//! RCPT", as their `Display` does.
//!
//! Where no reply but the content was the cause, as a file or a reader has failed, the `io::Error` is the
//! `source()` of `NotSent`.
//!
//! # In doubt
//!
//! The doubt begins when the last byte of a message's end is *offered* to the transport, and ends with
//! its reply. A short write takes the offer back; a write that failed does not, as bytes may have left
//! all the same. No protocol can do away with it (RFC 1047); it can be made small, and that is what the
//! [policy](crate::client::Pipelining) decides: one message at most, but for a stream, whose window it
//! is. RFC 5321 has a client send such messages again, so most mail programs do, and some recipients
//! get two. Here you choose:
//!
//! - send again: for what must arrive. With the same `Message-ID`, the second is easily recognised;
//! - ask: a server built on this crate is told which messages it accepted without a sign that the
//!   reply arrived (`Event::Acknowledged`), and can look for just those;
//! - leave it: for what must not come twice.
//!
//! # When replies no longer match
//!
//! A surplus reply, or one that cannot answer its command, ends the connection. Then no refusal that
//! was read for an unfinished transaction counts as a verdict, since it may be another's: its recipients
//! are `NotSent`, or `InDoubt` if the end was offered. Refusals that were read in step stay verdicts
//! when the connection then just ends.
//!
//! # All at once, or as they come
//!
//! [`Event::Finished`] has the outcome of a message, and `RecipientAnswered` and `RecipientFinished`
//! before it what differs from recipient to recipient. [`Reports`] puts them together: one [`Report`]
//! for each message with an outcome for each recipient. `RecipientAnswered` is *provisional*: a proxy
//! passes it on at once, and the outcome still follows.
//!
//! [`Error`]: crate::machine::Error
//! [`Event::Finished`]: crate::client::Event::Finished
//! [`NotSent`]: crate::client::NotSent
//! [`Outcome`]: crate::client::Outcome
//! [`Report`]: crate::delivery::Report
//! [`Reports`]: crate::delivery::Reports
//! [`Step`]: crate::machine::Step
