//! The lines a client program prints for `main.ts`: README.md says what they mean.

use std::error::Error;
use std::fmt::Debug;
use std::time::{Duration, Instant};

pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// How long an event is waited for.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The facts printed so far.
#[derive(Default)]
pub struct Facts {
    pub failed: bool,
}

impl Facts {
    /// Prints that `check` was shown, or that it FAILED and why, and goes on.
    pub fn shown(&mut self, what: &str, check: impl FnOnce() -> Outcome) {
        match check() {
            Ok(()) => println!("ok {what}"),
            Err(error) => {
                self.failed = true;
                let text = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
                println!("FAILED {what}: {}", text.chars().take(600).collect::<String>());
            }
        }
    }
}

/// The client has no such thing.
pub fn absent(what: &str, why: &str) {
    println!("absent {what}: {why}");
}

/// An error that shows both when they differ.
pub fn equal<T: PartialEq + Debug>(actual: T, expected: T, what: &str) -> Outcome {
    if actual == expected {
        return Ok(());
    }
    let short = |value: T| format!("{value:?}").chars().take(250).collect::<String>();
    Err(format!("{what}: {} is not {}", short(actual), short(expected)).into())
}

/// Calls `step` until it answers true, or fails at the deadline.
pub fn until(what: &str, mut step: impl FnMut() -> Outcome<bool>) -> Outcome {
    let end = Instant::now() + DEADLINE;
    while !step()? {
        if Instant::now() > end {
            return Err(format!("not within {DEADLINE:?}: {what}").into());
        }
    }
    Ok(())
}
