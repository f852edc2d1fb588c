// SPDX-License-Identifier: GPL-2.0-or-later
// Rust panics: caught by catch_unwind near and far, resumed, from closures and threads, with drops.
use std::panic::{catch_unwind, panic_any, resume_unwind, set_hook, AssertUnwindSafe};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

static ALIVE: AtomicI64 = AtomicI64::new(0);
static DESCENTS: AtomicU64 = AtomicU64::new(0);
static THROWS: AtomicU64 = AtomicU64::new(0);

struct Guard(u64);

impl Guard {
    fn new(value: u64) -> Guard {
        ALIVE.fetch_add(1, Relaxed);
        Guard(value)
    }
}

impl Drop for Guard {
    #[inline(never)]
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Relaxed);
    }
}

#[inline(never)]
fn thrower(value: u64) -> u64 {
    let _guard = Guard::new(value);
    THROWS.fetch_add(1, Relaxed);
    match value % 5 {
        0 => panic!("message {}", value),
        1 => panic_any(value),
        2 => vec![1u64][value as usize], // out of bounds
        3 => None::<u64>.unwrap(),
        _ => value * 3,
    }
}

#[inline(never)]
fn descend(depth: u64, value: u64) -> u64 {
    let guard = Guard::new(depth);
    DESCENTS.fetch_add(1, Relaxed);
    if depth == 0 {
        return thrower(value);
    }
    descend(depth - 1, value) + guard.0
}

/// Without a call instruction where it is optimised, yet unwound through.
#[inline(never)]
fn tail(value: u64) -> u64 {
    thrower(value)
}

#[inline(never)]
fn catch(depth: u64, value: u64) -> u64 {
    match catch_unwind(|| descend(depth, value) + tail(value)) {
        Ok(result) => result,
        Err(cause) => match cause.downcast_ref::<u64>() {
            Some(number) => *number,
            None => depth,
        },
    }
}

#[inline(never)]
fn resume(value: u64) -> u64 {
    let outer = catch_unwind(|| match catch_unwind(|| descend(3, value)) {
        Ok(result) => result,
        Err(cause) => resume_unwind(cause),
    });
    outer.unwrap_or(7)
}

#[inline(never)]
fn apply<F: FnMut(u64) -> u64>(times: u64, mut function: F) -> u64 {
    (0..times).map(|at| function(at)).sum()
}

#[inline(never)]
fn closures(value: u64) -> u64 {
    let mut seen = 0;
    let result = catch_unwind(AssertUnwindSafe(|| {
        apply(9, |at| {
            seen += at;
            if at == 7 {
                thrower(value)
            } else {
                at
            }
        })
    }));
    seen + result.unwrap_or(1)
}

#[inline(never)]
fn threads(value: u64) -> u64 {
    let workers: Vec<_> = (0..3)
        .map(|at| std::thread::spawn(move || descend(at, value + at)))
        .collect();
    workers.into_iter().map(|worker| worker.join().unwrap_or(11)).sum()
}

fn main() {
    let scale: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    let rounds = scale * 60;
    let mut sum: u64 = 0xcbf29ce484222325;
    set_hook(Box::new(|_| {}));
    for round in 0..rounds {
        let value = round % 1000;
        for result in [catch(round % 30, value), resume(value), closures(value)] {
            sum = (sum ^ result).wrapping_mul(0x100000001b3);
        }
        if round % 10 == 0 {
            sum = (sum ^ threads(value)).wrapping_mul(0x100000001b3);
        }
    }
    println!("calls panics::descend {}", DESCENTS.load(Relaxed));
    println!("calls panics::thrower {}", THROWS.load(Relaxed));
    println!("calls panics::catch {}", rounds);
    let failures = ALIVE.load(Relaxed);
    println!("sum {:016x}, {} failures", sum, failures);
    std::process::exit(if failures == 0 { 42 } else { 1 });
}
