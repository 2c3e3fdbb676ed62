//! What is done with a connection before anything is said.

/// Defines an adapter's trait `Prepare`, its method `async` or not, with the documentation that is given,
/// and `Arrival`, which has these fields besides.
///
/// The adapter's are `Socket` and `Options`.
#[doc(hidden)]
#[macro_export]
macro_rules! prepare {
    ($($async:ident . await)? { $($field:ident: $kind:ty),* } $(#[$docs:meta])*) => {
        use std::io;

        use $crate::reception::Refusal;

        $(#[$docs])*
        pub trait Prepare: Send + Sync + 'static {
            $crate::handler! { @method [$($async)?] [
                /// Prepares a connection, within the time that the server [has](super::Server::prepare) for
                /// it.
                ///
                /// # Errors
                ///
                /// Turns the client away: with that reply in place of the greeting, or
                /// [without a word](Refusal::closing), before any TLS.
            ] [&self] prepare(arrival: &mut Arrival) -> Result<(), Refusal> }
        }

        /// A connection that was accepted, and is not served yet. What is read from it is read in clear, and
        /// is no part of the session.
        #[derive(Debug)]
        pub struct Arrival {
            socket: Socket,
            options: Options,
            $($field: $kind,)*
        }

        impl Arrival {
            pub(super) fn new(socket: Socket, options: Options $(, $field: $kind)*) -> Self {
                Self { socket, options $(, $field)* }
            }

            /// Returns the socket.
            pub fn socket(&self) -> &Socket {
                &self.socket
            }

            /// Returns how the connection is to be served, and its addresses.
            pub fn options(&self) -> &Options {
                &self.options
            }

            /// Changes how the connection is to be served. Limits per address count the client's that it
            /// has then.
            pub fn configure(&mut self, configure: impl FnOnce(Options) -> Options) {
                self.options = configure(self.options.clone());
            }

            pub(super) fn into_parts(self) -> (Socket, Options) {
                (self.socket, self.options)
            }
        }
    };
}
