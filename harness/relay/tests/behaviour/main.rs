//! What the relay does, seen from outside: one file per subject, one statement per test.

mod admission;
mod announcements;
mod desk;
mod forwarding;
mod holding;
mod meshing;
mod mixing;
mod sealing;
mod trunks;
