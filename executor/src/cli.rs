//! Flags, each with an environment variable.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;

use crate::admissibility::Caps;
use crate::applier::Mode;
use crate::bus::{BusSettings, Topics};
use crate::credentials::Credentials;
use crate::job::Scope;
use crate::redis_server::RedisServer;

const GROUP: &str = "policy-executor-group";

const EXAMPLES: &str = "Examples:
  aura-executor --kafka 127.0.0.1:9092 --redis redis://127.0.0.1:6379
  aura-executor --kafka kafka:9092 --redis redis://redis-random:6379 --arm random --run 2024-07-01 --listen 0.0.0.0:9101
  aura-executor --kafka 127.0.0.1:9092 --redis redis://127.0.0.1:6379 --mode plain --topic-prefix demo-
  AURA_KAFKA_USERNAME=aura AURA_KAFKA_PASSWORD=… AURA_KAFKA_CA=ca.crt aura-executor --kafka kafka:9093 --redis rediss://redis:6379

User, password and certificates come from AURA_KAFKA_… and AURA_REDIS_…: USERNAME, PASSWORD, TLS=true, CA, CERT, KEY, and
AURA_KAFKA_MECHANISM (SCRAM-SHA-512 by default).";

/// Applies cache plans from Kafka to one arm on Redis, and says what it did.
#[derive(Parser)]
#[command(version, about, after_help = EXAMPLES)]
pub struct Cli {
    /// Kafka broker
    #[arg(long, env = "AURA_KAFKA", value_name = "HOST:PORT")]
    kafka: String,
    /// Goes before each topic name
    #[arg(long, env = "AURA_TOPIC_PREFIX", default_value = "", value_name = "TEXT")]
    topic_prefix: String,
    /// Skip messages whose key names another experiment
    #[arg(long, env = "AURA_EXPERIMENT", value_name = "NAME")]
    experiment: Option<String>,
    /// The arm whose plans are applied; plans that name none are for `aura`
    #[arg(long, env = "AURA_ARM", default_value = "aura", value_name = "NAME")]
    arm: String,
    /// The shard of the log whose plans are applied; plans that name none are for shard 0
    #[arg(long, env = "AURA_SHARD", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..), value_name = "N")]
    shard: i64,
    /// Skip plans of another run
    #[arg(long, env = "AURA_RUN", value_name = "ID")]
    run: Option<String>,
    /// Consumer group [default: policy-executor-group, with .ARM for another arm, and .SHARD for another shard]
    #[arg(long, env = "AURA_GROUP", value_name = "NAME")]
    group: Option<String>,
    /// Redis of the arm, HOST:PORT or a url; a password in it is never shown
    #[arg(long, env = "AURA_REDIS", hide_env_values = true, value_name = "URL")]
    redis: String,
    /// How plans reach Redis
    #[arg(long, env = "AURA_MODE", value_enum, default_value_t = Mode::Arm)]
    mode: Mode,
    /// Evictions a plan
    #[arg(long, env = "AURA_MAX_EVICT", default_value_t = 20, value_parser = count_range(), value_name = "N")]
    max_evict: u64,
    /// Prefetches a plan
    #[arg(long, env = "AURA_MAX_PREFETCH", default_value_t = 20, value_parser = count_range(), value_name = "N")]
    max_prefetch: u64,
    /// Shortest TTL of a prefetch; shorter ones are raised
    #[arg(long, env = "AURA_TTL_MIN", default_value_t = 60, value_parser = seconds_range(), value_name = "SECONDS")]
    ttl_min: i64,
    /// Longest TTL of a prefetch; longer ones are lowered
    #[arg(long, env = "AURA_TTL_MAX", default_value_t = 3600, value_parser = seconds_range(), value_name = "SECONDS")]
    ttl_max: i64,
    /// How far a plan's time may lie ahead of the arm's clock; later plans wait behind it
    #[arg(long, env = "AURA_MAX_AHEAD", default_value_t = 3600, value_parser = seconds_range(), value_name = "SECONDS")]
    max_ahead: i64,
    /// Address of /metrics, /healthz and /readyz; port 0 takes a free one and logs it
    #[arg(long, env = "AURA_LISTEN", default_value = "127.0.0.1:9101", value_name = "HOST:PORT")]
    listen: SocketAddr,
    /// Partitions of the plan topic, if it is created
    #[arg(long, env = "AURA_PARTITIONS", default_value_t = 8, value_parser = clap::value_parser!(i32).range(1..=1000), value_name = "N")]
    partitions: i32,
    /// How long Redis may be away before the executor gives up
    #[arg(long, env = "AURA_REDIS_TIMEOUT", default_value_t = 30.0, value_name = "SECONDS")]
    redis_timeout: f64,
    /// Further librdkafka option, such as security.protocol=ssl; repeatable, in the environment separated by `;`
    #[arg(long, env = "AURA_KAFKA_OPTION", hide_env_values = true, value_delimiter = ';', value_name = "KEY=VALUE")]
    kafka_option: Vec<String>,
}

fn count_range() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(0..=5000)
}

fn seconds_range() -> clap::builder::RangedI64ValueParser {
    clap::value_parser!(i64).range(1..=i64::from(u32::MAX))
}

/// Checked settings.
pub struct Settings {
    pub scope: Scope,
    pub bus: BusSettings,
    pub mode: Mode,
    pub max_ahead_ms: i64,
    pub redis: RedisServer,
    pub redis_timeout: Duration,
    pub listen: SocketAddr,
}

impl Cli {
    /// Checks what clap cannot.
    ///
    /// # Errors
    /// One sentence that names the flag and never a secret.
    pub fn settings(self) -> Result<Settings, String> {
        if self.ttl_min > self.ttl_max {
            return Err(format!("--ttl-min {} is above --ttl-max {}; lower it", self.ttl_min, self.ttl_max));
        }
        let redis_timeout = Duration::try_from_secs_f64(self.redis_timeout)
            .map_err(|_| format!("--redis-timeout {} is no number of seconds", self.redis_timeout))?;
        let environment = |name: &str| std::env::var(name).ok();
        let redis = RedisServer::new(&self.redis, &Credentials::of("REDIS", environment)?)?;
        let mut options = Credentials::of("KAFKA", environment)?.kafka_options();
        for option in &self.kafka_option {
            let (key, value) = option.split_once('=').ok_or("--kafka-option needs KEY=VALUE")?;
            options.push((key.trim().to_owned(), value.to_owned()));
        }
        let group = self.group.unwrap_or_else(|| group_of(&self.arm, self.shard));
        let topics = Topics::new(&self.topic_prefix);
        Ok(Settings {
            scope: Scope {
                experiment: self.experiment,
                arm: self.arm,
                shard: self.shard,
                run: self.run,
                caps: Caps {
                    max_evict: usize::try_from(self.max_evict).unwrap_or(usize::MAX),
                    max_prefetch: usize::try_from(self.max_prefetch).unwrap_or(usize::MAX),
                    ttl_min: self.ttl_min,
                    ttl_max: self.ttl_max,
                },
            },
            bus: BusSettings { kafka: self.kafka, group, topics, partitions: self.partitions, options },
            mode: self.mode,
            max_ahead_ms: self.max_ahead * 1000,
            redis,
            redis_timeout,
            listen: self.listen,
        })
    }
}

fn group_of(arm: &str, shard: i64) -> String {
    let group = if arm == "aura" { GROUP.to_owned() } else { format!("{GROUP}.{arm}") };
    if shard == 0 { group } else { format!("{group}.{shard}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_redis_url_is_named_without_its_password() {
        let cli = Cli::parse_from(["x", "--kafka", "k:1", "--redis", "rediss+x://:secret@host"]);
        let error = cli.settings().err().unwrap_or_default();
        assert!(error.contains("--redis") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn caps_are_what_one_call_of_the_arm_can_hold() {
        let taken = |flag: &str| Cli::try_parse_from(["x", "--kafka", "k:1", "--redis", "r:1", flag]).is_ok();
        assert!(taken("--max-evict=5000") && taken("--max-prefetch=5000"));
        assert!(!taken("--max-evict=5001") && !taken("--max-prefetch=5001"));
    }

    #[test]
    fn other_arms_and_shards_have_their_own_group() {
        assert_eq!(group_of("aura", 0), "policy-executor-group");
        assert_eq!(group_of("random", 0), "policy-executor-group.random");
        assert_eq!(group_of("aura", 3), "policy-executor-group.3");
        assert_eq!(group_of("random", 12), "policy-executor-group.random.12");
    }
}
