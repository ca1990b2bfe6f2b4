//! Only the child, so that tests and benches have a program to start.

fn main() -> std::process::ExitCode {
    plyr_probe::child()
}
