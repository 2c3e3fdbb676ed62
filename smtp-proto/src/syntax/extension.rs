//! The extensions that this library knows.

macro_rules! extensions {
    ($($(#[$documentation:meta])* $name:ident = $keyword:literal,)*) => {
        /// An extension that a server may announce.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Extension {
            $($(#[$documentation])* $name,)*
        }

        impl Extension {
            /// All extensions that this library knows.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
            const BEGINNINGS: &[u64] = &[$(beginning($keyword),)*];

            /// Returns the keyword that announces the extension.
            pub const fn keyword(self) -> &'static str {
                match self {
                    $(Self::$name => $keyword,)*
                }
            }
        }
    };
}

extensions! {
    /// Content with any bytes (RFC 6152).
    EightBitMime = "8BITMIME",
    /// Mail on demand, with the roles reversed (RFC 2645).
    Atrn = "ATRN",
    /// Authentication (RFC 4954).
    Auth = "AUTH",
    /// Content that is not lines (RFC 3030).
    BinaryMime = "BINARYMIME",
    /// Content from an IMAP server (RFC 4468).
    Burl = "BURL",
    /// Transactions that resume (RFC 1845).
    Checkpoint = "CHECKPOINT",
    /// Content in chunks, BDAT (RFC 3030).
    Chunking = "CHUNKING",
    /// What the recipients can display (RFC 4141).
    Conneg = "CONNEG",
    /// Content that may be converted (RFC 4141).
    Conperm = "CONPERM",
    /// Delivery in time or not at all (RFC 2852).
    DeliverBy = "DELIVERBY",
    /// Notifications on demand (RFC 3461).
    Dsn = "DSN",
    /// Enhanced status codes in replies (RFC 2034).
    EnhancedStatusCodes = "ENHANCEDSTATUSCODES",
    /// Remote start of a queue (RFC 1985).
    Etrn = "ETRN",
    /// The command EXPN (RFC 5321 3.5).
    Expn = "EXPN",
    /// Delivery not before a time (RFC 4865).
    FutureRelease = "FUTURERELEASE",
    /// The command HELP (RFC 5321 4.1.1.8).
    Help = "HELP",
    /// Limits on what a session may do (RFC 9422).
    Limits = "LIMITS",
    /// Priorities (RFC 6710).
    MtPriority = "MT-PRIORITY",
    /// Tracking (RFC 3885).
    Mtrk = "MTRK",
    /// Labels for unsolicited mail (RFC 3865).
    NoSoliciting = "NO-SOLICITING",
    /// Commands without waiting for replies (RFC 2920).
    Pipelining = "PIPELINING",
    /// TLS all the way (RFC 8689).
    RequireTls = "REQUIRETLS",
    /// Recipients that exist since a time (RFC 7293).
    Rrvs = "RRVS",
    /// Declared sizes, and a maximum (RFC 1870).
    Size = "SIZE",
    /// Addresses and headers in UTF-8 (RFC 6531).
    SmtpUtf8 = "SMTPUTF8",
    /// TLS (RFC 3207).
    StartTls = "STARTTLS",
    /// The command VRFY (RFC 5321 3.5).
    Vrfy = "VRFY",
    /// Speaking for another client (Postfix).
    XClient = "XCLIENT",
    /// Telling about another client (Postfix).
    XForward = "XFORWARD",
}

/// Returns the first eight bytes of `keyword` as a number, the same for every case and greater for
/// what comes later in the alphabet.
pub(super) const fn beginning(keyword: &str) -> u64 {
    let number = if let Some(bytes) = keyword.as_bytes().first_chunk::<8>() {
        u64::from_be_bytes(*bytes)
    } else {
        let mut rest = keyword.as_bytes();
        let mut number = 0;
        let mut place = u64::BITS;
        while let [byte, tail @ ..] = rest {
            place -= 8;
            number |= (*byte as u64) << place;
            rest = tail;
        }
        number
    };
    // Clearing this bit makes capitals of small letters, and parts no two other bytes of keywords.
    number & 0xDFDF_DFDF_DFDF_DFDF
}

impl Extension {
    pub(super) const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// Returns whether the arguments are a list, of which each line that announces the extension has
    /// a part.
    pub(super) const fn is_list(self) -> bool {
        matches!(
            self,
            Self::Auth | Self::Limits | Self::XClient | Self::XForward
        )
    }

    /// Recognises a keyword in any case.
    pub(super) fn recognise(keyword: &str) -> Option<Self> {
        let at = Self::BEGINNINGS.binary_search(&beginning(keyword)).ok()?;
        let extension = *Self::ALL.get(at)?;
        let rest = keyword.get(8..).unwrap_or_default();
        let expected = extension.keyword().get(8..).unwrap_or_default();
        expected.eq_ignore_ascii_case(rest).then_some(extension)
    }
}

/// Writes the keyword.
#[cfg(feature = "serde")]
impl serde::Serialize for Extension {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.keyword())
    }
}

/// Takes the keyword in any case.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Extension {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keyword = alloc::string::String::deserialize(deserializer)?;
        // Not `recognise`, which is for what is a keyword.
        let mut all = Self::ALL.iter().copied();
        all.find(|extension| extension.keyword().eq_ignore_ascii_case(&keyword))
            .ok_or_else(|| serde::de::Error::custom("not the keyword of a known extension"))
    }
}
