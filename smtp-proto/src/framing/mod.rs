//! Streams to units and back, without SMTP meaning.
mod buffer;
mod chunk;
mod dot;
mod line;
mod transmit;
pub(crate) mod work;

pub use buffer::{ReadBuffer, WriteBuffer};
pub use chunk::ChunkReader;
pub use dot::{
    BareByte, BareLineBreak, Content, DotStuffer, DotUnstuffer, Inspection, LineBreaks, Stuffed,
};
pub(crate) use line::find_control;
pub use line::{Line, LineReader};
pub use transmit::Transmit;
pub(crate) use transmit::{Progress, Slices};
