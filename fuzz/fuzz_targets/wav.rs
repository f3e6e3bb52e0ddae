#![no_main]
//! The libFuzzer binary of [`jiho_fuzz::wav`].

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jiho_fuzz::wav(bytes));
