//! Many messages, one after the other without waiting.

/// Defines an adapter's `SendAll`, which yields reports in the adapter's way.
///
/// The adapter's is `Client`.
#[doc(hidden)]
#[macro_export]
macro_rules! send_all {
    () => {
        use $crate::{
            delivery::{IntoMessage, Report},
            driver::Batch,
        };

        /// Sends messages and yields their [`Report`]s; see [`Client::send_all`].
        ///
        /// Nothing is lost when it is dropped: messages that were taken from the source stay submitted, and
        /// [`Client::next_report`] has their reports.
        #[must_use = "nothing is sent unless the reports are asked for"]
        #[derive(Debug)]
        pub struct SendAll<'c, M> {
            client: &'c mut Client,
            batch: Batch<M>,
        }

        impl<'c, M> SendAll<'c, M> {
            fn new(client: &'c mut Client, messages: M) -> Self {
                let batch = Batch::new(messages);
                Self { client, batch }
            }

            /// Returns the client, for its trace and what else it can tell meanwhile.
            pub fn client(&mut self) -> &mut Client {
                self.client
            }
        }
    };
}
