//! What all values have that keep the text they were parsed from.

/// Gives a tuple struct around a checked `Cow<'a, str>` its text, its copy and its display.
macro_rules! kept_text {
    ($name:ident) => {
        impl $name<'_> {
            /// Returns the value as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Copies the text, so that the value outlives the line it came from.
            pub fn into_owned(self) -> $name<'static> {
                $name(alloc::borrow::Cow::Owned(self.0.into_owned()))
            }
        }

        impl core::fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl core::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

pub(super) use kept_text;
