//! Bare CR and bare LF, and what becomes of them.

/// Says what becomes of a CR that no LF follows and of an LF that no CR precedes.
///
/// RFC 5321 section 2.3.8 forbids both in what a client sends. A server may choose
/// (5321-4.1.1.4-g), but must not take either for the end of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineBreaks {
    /// Refuses the content.
    #[default]
    Refuse,
    /// Turns each of them into CR LF.
    Normalize,
    /// Leaves them as they are. For content that is no text (BINARYMIME, RFC 3030 section 3).
    Keep,
}

/// A byte that occurs only as half of CR LF in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BareByte {
    /// A CR without an LF after it.
    Cr,
    /// An LF without a CR before it.
    Lf,
}

impl core::fmt::Display for BareByte {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Cr => "CR",
            Self::Lf => "LF",
        })
    }
}

/// Reports that content cannot be sent under [`LineBreaks::Refuse`] (5321-2.3.8-b).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bare {byte} in content")]
pub struct BareLineBreak {
    /// Which of the two it is.
    pub byte: BareByte,
    /// Where it is in the content, counted from 0.
    pub at: u64,
}
