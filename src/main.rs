//! The `diskseal` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    diskseal::cli::run()
}
