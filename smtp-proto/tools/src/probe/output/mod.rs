//! A report as text and as JSON.

mod json;
mod table;

pub use self::{json::json, table::table};
