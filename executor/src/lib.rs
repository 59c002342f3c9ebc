//! Aura's executor: reads cache plans from Kafka, carries them out on one arm's Redis, and answers each with a receipt.
//!
//! A plan takes this way: [`bus`] reads the message, [`job`] and [`admissibility`] judge it, [`applier`] sends it to Redis in
//! order ([`arm`] or [`plain`]), [`reporter`] publishes the [`answer`] and commits the offset. [`traces`] tells a collector of it.

pub mod admissibility;
pub mod answer;
pub mod applier;
pub mod arm;
pub mod bus;
pub mod cli;
pub mod credentials;
pub mod http;
pub mod job;
pub mod json;
pub mod logs;
pub mod memory;
pub mod metrics;
pub mod plain;
pub mod plan;
pub mod redis_link;
pub mod redis_server;
pub mod reporter;
pub mod service;
pub mod text;
pub mod traces;
