//! What a proxy or a filter says of a client.

use alloc::vec::Vec;

use crate::syntax::{Attribute, AttributeName, Attributes};

/// Holds the attributes of XCLIENT or XFORWARD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAttributes(Vec<Attribute<'static>>);

impl ClientAttributes {
    pub(super) fn new(attributes: Attributes<'_>) -> Self {
        Self(attributes.iter().map(Attribute::into_owned).collect())
    }

    /// Returns the attributes in the order in which they were given, at least one.
    pub fn iter(&self) -> impl Iterator<Item = &Attribute<'static>> {
        self.0.iter()
    }

    /// Returns the attribute of that name, if it is given.
    pub fn get(&self, name: AttributeName) -> Option<&Attribute<'static>> {
        self.iter().find(|attribute| attribute.name() == name)
    }
}
