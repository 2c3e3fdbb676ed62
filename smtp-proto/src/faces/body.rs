//! Where a message's content comes from.

/// Defines an adapter's `Body` and `BodySender`, with the documentation that is given.
///
/// The adapter's are `Supply`, which has a `Channel`, and the two ends of that: a `Sender`, a `Receiver`,
/// and `channel`, which makes them.
#[doc(hidden)]
#[macro_export]
macro_rules! body {
    ($($async:ident . $await:ident)? $(#[$docs:meta])*) => {
        use $crate::delivery::Content;

        /// How many bytes of a content that is not in memory are read ahead, and so the size of its chunks.
        const CHUNK: usize = 64 * 1024;

        /// Holds the content of a message, or whatever it is read from.
        ///
        /// Lines end in CR LF, dots are not stuffed. Memory of any kind converts into it, and so does a
        /// file; what is only lent is copied. Where its size is known it is declared to the server (RFC
        /// 1870), and a content that turns out shorter or longer is not sent.
        ///
        $(#[$docs])*
        #[derive(Debug)]
        pub struct Body(pub(super) Content<Supply>);

        impl Body {
            /// Takes memory of any kind, which is never copied.
            pub fn shared(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
                Self(Content::shared(bytes))
            }

            /// Creates a content that comes in pieces from elsewhere, which has to say that it is complete:
            /// see [`BodySender`].
            pub fn channel() -> (BodySender, Self) {
                let (sender, receiver) = channel(PIECES);
                let content = Content::supplied(Supply::Channel(receiver));
                (BodySender { sender }, Self(content))
            }

            /// Puts contents together, one after the other. They are never joined in memory.
            pub fn from_parts(parts: impl IntoIterator<Item = Self>) -> Self {
                Self(Content::from_parts(parts.into_iter().map(|part| part.0)))
            }

            /// Declares how many bytes it has.
            #[must_use]
            pub fn with_size(self, bytes: u64) -> Self {
                Self(self.0.with_size(bytes))
            }

            /// Returns how many bytes it has, if that is known.
            pub fn size(&self) -> Option<u64> {
                self.0.size()
            }
        }

        impl $crate::driver::Presents for Body {
            fn size(&self) -> Option<u64> {
                self.0.size()
            }

            fn present(
                &mut self,
                offset: u64,
                cx: &mut Context<'_>,
            ) -> Option<$crate::client::Body<'_>> {
                self.0.poll(offset, cx)
            }
        }

        /// Of memory of any kind, and of a file from where it is to its end.
        impl<T: Into<Content<Supply>>> From<T> for Body {
            fn from(content: T) -> Self {
                Self(content.into())
            }
        }

        /// Returns what a content has come to whose sender was dropped, and has not finished it.
        fn unfinished() -> std::io::Error {
            let words = "its sender was dropped before it was finished";
            std::io::Error::new(std::io::ErrorKind::UnexpectedEof, words)
        }

        /// How many pieces a channel holds.
        const PIECES: usize = 4;

        /// What goes through a channel.
        pub(super) enum Piece {
            Bytes(Vec<u8>),
            End,
        }

        /// Supplies the content of a [`Body::channel`], while the client sends it elsewhere.
        ///
        /// [`finish`](Self::finish) says that it is complete. A sender that is dropped without it, by a
        /// panic or by a `?`, keeps the message from being sent.
        #[derive(Debug)]
        pub struct BodySender {
            sender: Sender<Piece>,
        }

        impl BodySender {
            /// Sends the next bytes. Waits while the client has not used up what was sent before.
            ///
            /// # Errors
            ///
            /// [`BrokenPipe`](std::io::ErrorKind::BrokenPipe) if the message is not being sent any more.
            pub $($async)? fn send(&mut self, bytes: impl Into<Vec<u8>>) -> std::io::Result<()> {
                match bytes.into() {
                    bytes if bytes.is_empty() => Ok(()),
                    bytes => self.send_piece(Piece::Bytes(bytes))$(.$await)?,
                }
            }

            /// Says that the content is complete.
            ///
            /// # Errors
            ///
            /// [`BrokenPipe`](std::io::ErrorKind::BrokenPipe) if the message is not being sent any more.
            pub $($async)? fn finish(self) -> std::io::Result<()> {
                self.send_piece(Piece::End)$(.$await)?
            }

            $($async)? fn send_piece(&self, piece: Piece) -> std::io::Result<()> {
                let sent = self.sender.send(piece)$(.$await)?;
                sent.map_err(|_| std::io::ErrorKind::BrokenPipe.into())
            }
        }
    };
}
