//! Messages that are nearly plans: fields of the contract with hostile values, and any key.
#![no_main]

use aura_executor_fuzz::check;
use aura_executor_fuzz::message::Message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: Message| check(message.key.as_deref(), message.payload().as_bytes()));
