#![no_main]
//! The libFuzzer binary of [`jiho_fuzz::pilot`].

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jiho_fuzz::pilot(bytes));
