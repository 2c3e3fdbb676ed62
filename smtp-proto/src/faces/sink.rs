//! Where the content of messages goes.

/// Defines an adapter's trait `Sink`, its methods `async` or not, and `InMemory`, which decides by what
/// returns the adapter's `Decision`.
#[doc(hidden)]
#[macro_export]
macro_rules! sink {
    ($($async:ident . $await:ident)?) => {
        $crate::sink! { @trait [$($async)?]
            /// Looks at the header of the message, once, before any of the content is
            /// [written](Self::write), of which it is a part: as soon as all of it has come, the empty line
            /// apart. One that is longer than [`limits::HEADER`](smtp_proto::machine::limits::HEADER) is cut
            /// off there. Takes any unless written.
            ///
            /// # Errors
            ///
            /// Refuses the message; the rest of it is swallowed.
            [&mut self] header(header: &[u8]) -> Result<(), Refusal>
                = Ok(());

            /// Takes more of the content, dots unstuffed, up to some 64 KiB at a time.
            ///
            /// While it waits, no more is read of the content than a buffer holds.
            ///
            /// # Errors
            ///
            /// Refuses the message; the rest of it is swallowed.
            [&mut self] write(bytes: &[u8]) -> Result<(), Refusal>;

            /// Decides about the complete message. Accepting it means to be responsible for it (RFC 5321
            /// 2.1): store it durably first. If the client is gone by then, the acceptance has
            /// [expired](smtp_proto::reception::Notice::Expired).
            [self] finish() -> Verdict;

            /// Decides about the complete message for each recipient, which is asked in LMTP in place of
            /// [`finish`](Self::finish). Unless written, `finish` decides for all.
            [self] deliver(deliveries: Deliveries) -> ()
                = deliveries.decide_rest(&self.finish()$(.$await)?);
        }

        /// Keeps the content of one message in memory, up to the largest message that is taken, and hands it
        /// over when it is complete.
        pub struct InMemory {
            content: Vec<u8>,
            then: Box<dyn FnOnce(Vec<u8>) -> Decision + Send>,
        }

        impl Sink for InMemory {
            $($async)? fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
                self.content.extend_from_slice(bytes);
                Ok(())
            }

            $($async)? fn finish(self) -> Verdict {
                (self.then)(self.content)$(.$await)?
            }
        }

        impl std::fmt::Debug for InMemory {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct("InMemory")
                    .field("bytes", &self.content.len())
                    .finish_non_exhaustive()
            }
        }
    };

    (@trait $spelling:tt $(
        $(#[$attribute:meta])*
        [$($receiver:tt)*] $name:ident($($argument:ident: $kind:ty),*) -> $output:ty
        $(= $default:expr)?;
    )*) => {
        /// Takes in the content of one message.
        ///
        /// Dropped before [`finish`](Self::finish) it means that there is no message: the client reset the
        /// transaction, or is gone.
        ///
        /// A handler has sinks of one type: where they differ, it is an enum.
        pub trait Sink: Send + Sized + 'static {
            $($crate::handler! { @method $spelling [$(#[$attribute])*]
                [$($receiver)*] $name($($argument: $kind),*) -> $output $(= $default)?
            })*
        }
    };
}
