//! How a room is served: an architecture for the stage, and one for the audience.

/// How sound reaches the stage, or the audience.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Serving {
    /// Every speaker sends to each hearer directly; the relay carries signalling only.
    Mesh,
    /// The relay passes on each packet as it is (an SFU).
    #[default]
    Forward,
}
