//! The `jiho` binary. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    jiho::cli::main()
}
