//! How clients behave, and how connections are served. `Tls` is the adapter's.

/// Defines an adapter's `Options` of clients, which dial to what is given, with further documentation.
#[doc(hidden)]
#[macro_export]
macro_rules! client_options {
    ($dialled:ty; $(#[$docs:meta])*) => {
        /// Says how clients are to behave, where their server is, and as whom they come.
        ///
        $(#[$docs])*
        pub type Options = $crate::delivery::Options<Tls, $dialled>;
    };
}

/// Defines an adapter's `Options` of servers, with further documentation.
#[doc(hidden)]
#[macro_export]
macro_rules! server_options {
    ($(#[$docs:meta])*) => {
        /// Says how connections are served: a [`Config`](super::Config), and with what to do TLS.
        ///
        /// A configuration alone is enough where there is no TLS. What does it is a `TlsAcceptor`, or any
        /// other [`Handshake`](crate::tls::Handshake).
        ///
        $(#[$docs])*
        pub type Options = $crate::reception::Options<Tls>;
    };
}
