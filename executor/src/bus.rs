//! Kafka: topics, plans in, the producer of answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::producer::FutureProducer;
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};

use crate::job::{Job, Scope, Source, job};
use crate::metrics::Metrics;
use crate::traces;

const RETRY_AFTER: Duration = Duration::from_millis(200);
const ADMIN_TIMEOUT: Duration = Duration::from_secs(5);
const RECEIVED_IN_ONE_GO: usize = 64;

/// Names of the topics that the executor reads and writes.
#[derive(Debug, Clone)]
pub struct Topics {
    pub plan: String,
    pub applied: String,
    pub dead_letters: String,
}

impl Topics {
    /// The topics of one experiment; on a shared broker each name begins with `prefix`.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self {
            plan: format!("{prefix}aura-plan"),
            applied: format!("{prefix}aura-applied"),
            dead_letters: format!("{prefix}aura-plan-dlq"),
        }
    }
}

/// How to reach the broker; `options` go to librdkafka as they are and win over ours.
#[derive(Clone)]
pub struct BusSettings {
    pub kafka: String,
    pub group: String,
    pub topics: Topics,
    pub partitions: i32,
    pub options: Vec<(String, String)>,
}

/// Takes librdkafka's events: one line when the broker goes, one when it is back.
#[derive(Clone)]
pub struct Events {
    kafka: String,
    metrics: Arc<Metrics>,
    down: Arc<AtomicBool>,
}

impl Events {
    fn broker_answered(&self) {
        if self.down.swap(false, Ordering::Relaxed) {
            info!("Kafka answers again");
        }
    }
}

impl ClientContext for Events {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        debug!(facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let gone = error
            .rdkafka_error_code()
            .is_some_and(|code| matches!(code, RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure));
        if let Some(advice) = advice(&error, reason) {
            warn!(kafka = %self.kafka, reason, "Kafka {advice}");
        } else if !gone {
            warn!(%error, reason, "Kafka");
        } else if !self.down.swap(true, Ordering::Relaxed) {
            warn!(%error, reason, "Kafka does not answer; trying until it does");
        }
    }
}

/// What to say when the broker refuses us or is not trusted.
fn advice(error: &KafkaError, reason: &str) -> Option<&'static str> {
    match error.rdkafka_error_code()? {
        RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
            Some("refuses user and password; correct AURA_KAFKA_USERNAME, AURA_KAFKA_PASSWORD and AURA_KAFKA_MECHANISM")
        }
        RDKafkaErrorCode::SSL if reason.contains("verify") => {
            Some("has a certificate that is not trusted; give its CA in AURA_KAFKA_CA, in Kubernetes ca.crt")
        }
        RDKafkaErrorCode::SSL => Some("does not take our TLS; correct AURA_KAFKA_TLS, AURA_KAFKA_CERT and AURA_KAFKA_KEY"),
        _ => None,
    }
}

impl ConsumerContext for Events {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) if partitions.count() > 0 => {
                self.broker_answered();
                self.metrics.assigned(true);
                info!(partitions = partitions.count(), "plan topic assigned");
            }
            Rebalance::Assign(_) | Rebalance::Revoke(_) => self.metrics.assigned(false),
            Rebalance::Error(error) => warn!(%error, "rebalance"),
        }
    }
}

pub type Producer = FutureProducer<Events>;

/// The clients of one executor.
pub struct Bus {
    pub arm: String,
    pub shard: i64,
    pub topics: Topics,
    pub consumer: StreamConsumer<Events>,
    pub producer: Producer,
    admin: AdminClient<Events>,
    partitions: i32,
    events: Events,
}

impl Bus {
    /// Clients for `settings`; nothing is connected yet.
    ///
    /// # Errors
    /// When librdkafka does not take an option.
    pub fn new(settings: &BusSettings, scope: &Scope, metrics: &Arc<Metrics>) -> KafkaResult<Self> {
        let events = Events { kafka: settings.kafka.clone(), metrics: metrics.clone(), down: Arc::new(AtomicBool::new(false)) };
        let consumer = with_options(consumer_config(settings), settings).create_with_context(events.clone())?;
        let producer = with_options(producer_config(settings), settings).create_with_context(events.clone())?;
        let admin = with_options(base_config(settings), settings).create_with_context(events.clone())?;
        let (topics, partitions) = (settings.topics.clone(), settings.partitions);
        Ok(Self { arm: scope.arm.clone(), shard: scope.shard, topics, consumer, producer, admin, partitions, events })
    }

    /// Creates the topics that are missing and tells whether all are there.
    pub async fn create_topics(&self) -> bool {
        let topics = [(&self.topics.plan, self.partitions), (&self.topics.applied, 1), (&self.topics.dead_letters, 1)];
        let wanted = topics.map(|(name, partitions)| NewTopic::new(name, partitions, TopicReplication::Fixed(-1)));
        let options = AdminOptions::new().request_timeout(Some(ADMIN_TIMEOUT));
        match self.admin.create_topics(&wanted, &options).await {
            Ok(results) => {
                self.events.broker_answered();
                results.into_iter().all(|result| match result {
                    Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => true,
                    Err((topic, code)) => {
                        debug!(topic, %code, "topic not created");
                        false
                    }
                })
            }
            Err(error) => {
                debug!(%error, "topics not created");
                false
            }
        }
    }

    /// Subscribes to the plan topic, once it is there.
    async fn subscribe(&self) {
        while !self.create_topics().await {
            tokio::time::sleep(RETRY_AFTER).await;
        }
        if let Err(error) = self.consumer.subscribe(&[&self.topics.plan]) {
            warn!(%error, "not subscribed");
        }
    }

    /// Reads plans and passes them on, judged, until asked to stop or until nobody takes them.
    pub async fn read(&self, scope: &Scope, policies: bool, jobs: mpsc::Sender<Job>, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.read_on(scope, policies, jobs) => {}
        }
    }

    async fn read_on(&self, scope: &Scope, policies: bool, jobs: mpsc::Sender<Job>) {
        self.subscribe().await;
        let mut received = 0_usize;
        loop {
            match self.consumer.recv().await {
                Ok(message) => {
                    self.events.broker_answered();
                    let payload = message.payload().unwrap_or_default();
                    let mut source = Source::new(message.partition(), message.offset(), message.key(), payload);
                    source.traceparent = traceparent(&message);
                    if jobs.send(job(source, payload, scope, policies)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    debug!(%error, "no message");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
            received += 1;
            if received % RECEIVED_IN_ONE_GO == 0 {
                tokio::task::yield_now().await;
            }
        }
    }
}

fn traceparent(message: &BorrowedMessage<'_>) -> Option<String> {
    let header = message.headers()?.iter().find(|header| header.key == traces::HEADER)?;
    String::from_utf8(header.value?.to_vec()).ok()
}

fn base_config(settings: &BusSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.kafka)
        .set("client.id", "aura-executor")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "2000");
    config
}

fn consumer_config(settings: &BusSettings) -> ClientConfig {
    let mut config = base_config(settings);
    config
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        // A plan may wait for its time far longer than the five minutes after which a group would drop us.
        .set("max.poll.interval.ms", "86400000")
        // The embedded broker waits half of this before a group's first assignment (docs/decisions/0001-embedded-broker.md).
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "2000")
        // It looks for new messages every half of this.
        .set("fetch.wait.max.ms", "20")
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.max.messages.kbytes", "16384");
    config
}

fn producer_config(settings: &BusSettings) -> ClientConfig {
    let mut config = base_config(settings);
    config.set("linger.ms", "1").set("acks", "all");
    config
}

fn with_options(mut config: ClientConfig, settings: &BusSettings) -> ClientConfig {
    for (key, value) in &settings.options {
        config.set(key, value);
    }
    config
}
