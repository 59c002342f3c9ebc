//! The connection to Redis: made again when it is lost, given up when Redis stays away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, ServerErrorKind};
use thiserror::Error;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::job::Reply;
use crate::metrics::Metrics;
use crate::redis_server::{RedisServer, explained};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Why work on plans ends.
#[derive(Debug, Error)]
pub enum Stop {
    #[error("asked to stop")]
    Asked,
    #[error("{0}")]
    Fatal(String),
}

/// What Redis said to one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Reply(Reply),
    /// Not now: the server loads, is busy, or takes no writes.
    Unready(String),
    /// The arm has no function `aura_apply` yet.
    NoFunction(String),
    /// This plan never.
    Refused(String),
}

impl Answer {
    /// Sorts an error that the server returned.
    #[must_use]
    pub fn from_error(error: &RedisError) -> Self {
        use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, NoPerm, ReadOnly, TryAgain};

        let text = error.to_string();
        let passing =
            matches!(error.kind(), ErrorKind::Server(BusyLoading | ClusterDown | MasterDown | NoPerm | ReadOnly | TryAgain));
        if passing || matches!(error.code(), Some("BUSY" | "NOAUTH" | "MISCONF")) {
            Self::Unready(explained(error))
        } else if text.to_ascii_lowercase().contains("function not found") {
            Self::NoFunction(text)
        } else {
            Self::Refused(text)
        }
    }
}

/// The one connection, with its history of failures.
pub struct RedisLink {
    server: RedisServer,
    patience: Duration,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
    connection: Option<MultiplexedConnection>,
    trouble: Option<Trouble>,
}

struct Trouble {
    since: Instant,
    pause: Duration,
    counted: bool,
}

impl RedisLink {
    /// A link to `server`; `patience` is how long it may be away.
    #[must_use]
    pub fn new(server: RedisServer, patience: Duration, metrics: Arc<Metrics>, stop: watch::Receiver<bool>) -> Self {
        Self { server, patience, metrics, stop, connection: None, trouble: None }
    }

    /// The connection, made if there is none.
    ///
    /// # Errors
    /// [`Stop`] when asked to stop or when Redis stayed away for longer than the link's patience.
    pub async fn connection(&mut self) -> Result<MultiplexedConnection, Stop> {
        loop {
            if let Some(connection) = &self.connection {
                return Ok(connection.clone());
            }
            let made = tokio::select! {
                made = self.server.connect() => made,
                _ = self.stop.wait_for(|stop| *stop) => return Err(Stop::Asked),
            };
            match made {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => self.failed(&error).await?,
            }
        }
    }

    /// Notes that Redis answered.
    pub fn answered(&mut self) {
        self.metrics.redis_up(true);
        if let Some(trouble) = self.trouble.take() {
            info!(redis = %self.server.name, seconds = trouble.since.elapsed().as_secs_f64(), "Redis answers again");
        }
    }

    /// Notes that Redis failed, drops the connection and waits a little.
    ///
    /// # Errors
    /// As [`Self::connection`].
    pub async fn failed(&mut self, error: &str) -> Result<(), Stop> {
        self.connection = None;
        self.pause(error, true).await
    }

    /// Notes that the arm has no functions yet and waits a little; patience is without end, since the arm's owner may come.
    ///
    /// # Errors
    /// [`Stop::Asked`].
    pub async fn no_function(&mut self, error: &str) -> Result<(), Stop> {
        self.pause(error, false).await
    }

    async fn pause(&mut self, error: &str, counted: bool) -> Result<(), Stop> {
        self.metrics.redis_up(false);
        if self.trouble.as_ref().is_none_or(|trouble| trouble.counted != counted) {
            let advice = if counted { "waiting for Redis" } else { "waiting for the arm's function library" };
            warn!(redis = %self.server.name, error, "{advice}");
            self.trouble = Some(Trouble { since: Instant::now(), pause: FIRST_PAUSE, counted });
        }
        let Some(trouble) = &mut self.trouble else {
            return Ok(());
        };
        if counted && trouble.since.elapsed() >= self.patience {
            return Err(Stop::Fatal(format!(
                "Redis at {} did not serve plans for {} s: {error}",
                self.server.name,
                self.patience.as_secs_f64()
            )));
        }
        let pause = trouble.pause;
        trouble.pause = (pause * 2).min(LONGEST_PAUSE);
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            _ = self.stop.wait_for(|stop| *stop) => Err(Stop::Asked),
        }
    }
}
