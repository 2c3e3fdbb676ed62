//! How servers end.

/// Defines an adapter's `Shutdown`: a `Shared`, which it can `change`, and the time since it was made by
/// `Instant`.
#[doc(hidden)]
#[macro_export]
macro_rules! shutdown {
    () => {
        use std::{sync::Arc, time::Duration};

        use $crate::reception::{Ending, Phase};

        /// Ends servers, and connections that are served by themselves, from elsewhere.
        ///
        /// Clones end the same ones. One is enough for servers at several ports.
        #[derive(Clone, Debug)]
        pub struct Shutdown {
            shared: Arc<Shared>,
            origin: Instant,
        }

        impl Default for Shutdown {
            fn default() -> Self {
                Self::new()
            }
        }

        impl Shutdown {
            /// Makes one that transactions have half a minute in.
            pub fn new() -> Self {
                Self {
                    shared: Arc::default(),
                    origin: Instant::now(),
                }
            }

            /// Sets how long transactions may take to end, once it has begun.
            #[must_use]
            pub fn grace(self, grace: Duration) -> Self {
                self.change(|ending, _| ending.set_grace(grace));
                self
            }

            /// Begins: no connection is accepted any more, each session is told 421 (RFC 5321 3.8) as soon
            /// as its transaction has ended, and those that are left when the grace is over are ended.
            /// Does not wait for it.
            pub fn begin(&self) {
                self.change(Ending::begin);
            }

            /// Ends all at once: transactions are dropped, and what a handler is busy with is not waited
            /// for.
            pub fn abort(&self) {
                self.change(Ending::abort);
            }
        }
    };
}
