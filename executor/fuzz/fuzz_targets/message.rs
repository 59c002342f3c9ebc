//! Any bytes as a message of the plan topic.
#![no_main]

use aura_executor_fuzz::{KEY, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| check(Some(KEY), payload));
