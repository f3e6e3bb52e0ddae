#![no_main]
//! The libFuzzer binary of [`jiho_fuzz::rtp`].

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jiho_fuzz::rtp(bytes));
