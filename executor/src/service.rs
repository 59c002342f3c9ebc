//! One executor from start to stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use crate::applier::{Applier, Mode};
use crate::bus::Bus;
use crate::cli::Settings;
use crate::metrics::Metrics;
use crate::redis_link::RedisLink;
use crate::{http, reporter};

/// Judged plans that wait for Redis; few, because a plan's latency counts from its arrival.
const JOBS: usize = 2;
const REPORTS: usize = 64;
const PENDING: usize = 512;
/// Time for the last answers and the last commit; the whole stop stays within five seconds.
const LAST_DELIVERIES: Duration = Duration::from_secs(2);
const LEAVE: Duration = Duration::from_millis(800);

/// Serves plans until `stop` is true.
///
/// # Errors
/// One sentence that says what to do: the address is taken, Kafka's options are wrong, Redis stayed away.
pub async fn run(settings: Settings, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::new()?);
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("--listen {} cannot be used; choose another address or port", settings.listen))?;
    let address = listener.local_addr()?.to_string();
    info!(address, redis = settings.redis.name, kafka = settings.bus.kafka, "listening");
    let endpoints = tokio::spawn(axum::serve(listener, http::routes(metrics.clone())).into_future());
    let bus = Bus::new(&settings.bus, &settings.scope, &metrics)
        .map_err(|error| anyhow!("Kafka's client does not start ({error}); correct --kafka or --kafka-option"))?;
    let ended = serve(settings, Arc::new(bus), metrics, stop).await;
    endpoints.abort();
    ended
}

async fn serve(settings: Settings, bus: Arc<Bus>, metrics: Arc<Metrics>, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    let (jobs, jobs_in) = mpsc::channel(JOBS);
    let (reports, reports_in) = mpsc::channel(REPORTS);
    let (pending, pending_in) = mpsc::channel(PENDING);
    let link = RedisLink::new(settings.redis, settings.redis_timeout, metrics.clone(), stop.clone());
    let applier = Applier::new(settings.mode, settings.max_ahead_ms, link, jobs_in, reports, metrics.clone(), stop.clone());
    let applier = tokio::spawn(applier.run());
    let answering = tokio::spawn(reporter::answer_all(bus.clone(), metrics, reports_in, pending));
    let committing = tokio::spawn(reporter::commit_all(bus.clone(), pending_in));
    let reading = {
        let (bus, scope, policies) = (bus.clone(), settings.scope, settings.mode == Mode::Arm);
        tokio::spawn(async move { bus.read(&scope, policies, jobs, stop).await })
    };
    let ended = applier.await?;
    reading.abort();
    let _ = reading.await;
    let last = async { (answering.await, committing.await) };
    if tokio::time::timeout(LAST_DELIVERIES, last).await.is_err() {
        warn!("Kafka did not take the last answers; their plans come again after the next start");
    }
    // Leaving the group lets the next executor begin at once; a broker that is gone does not hold the stop.
    let _ = tokio::time::timeout(LEAVE, tokio::task::spawn_blocking(move || drop(bus))).await;
    ended.map_err(|sentence| anyhow!(sentence))
}
