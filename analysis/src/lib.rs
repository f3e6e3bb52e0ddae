//! From samples to findings. Touches no clock, file, socket or device.

pub mod align;
pub mod arrivals;
pub mod device;
pub mod hear;
pub mod metrics;
pub mod roles;
pub mod signal;
pub mod stats;
pub mod track;
pub mod units;
