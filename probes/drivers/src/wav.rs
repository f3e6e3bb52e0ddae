//! Recordings on disk: what jiho writes, and what anybody may bring.
//!
//! Writing is hound's. Reading is our own, because recordings of crashed recorders and of pipes carry lengths that
//! hound takes at their word, and because an error should name the file and the command that mends it.

mod decode;
mod growing;
mod header;
mod reader;
mod recorder;

pub use growing::Growing;
pub use header::Truncated;
pub use reader::{ReadError, ReadFault, Reader, Recording, read};
pub use recorder::{RecordError, Recorded, Recorder};

#[cfg(test)]
mod tests;
