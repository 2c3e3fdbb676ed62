//! One line or value to one typed value, and back.
