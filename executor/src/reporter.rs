//! Receipts and dead letters out, then the offset: a plan is committed when the broker has its answer.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::answer::{dead_letter, key, receipt};
use crate::bus::{Bus, Producer};
use crate::job::{Outcome, Report, Work};
use crate::metrics::Metrics;
use crate::text::{NAME_CHARS, cut};

const COMMIT_EVERY: Duration = Duration::from_millis(50);
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// A message with the answers that must arrive before it is committed.
pub struct Pending {
    partition: i32,
    offset: i64,
    answers: Vec<DeliveryFuture>,
}

/// Answers every report, in order, until no more come.
pub async fn answer_all(
    bus: Arc<Bus>,
    metrics: Arc<Metrics>,
    mut reports: mpsc::Receiver<Report>,
    pending: mpsc::Sender<Pending>,
) {
    while let Some(report) = reports.recv().await {
        count(&metrics, &report);
        note(&report);
        let source = &report.job.source;
        let mut answers = Vec::new();
        if let Some(receipt) = receipt(&report, &bus.arm, bus.shard) {
            answers.push(publish(&bus.producer, &bus.topics.applied, key(&report), &receipt).await);
        }
        if let Some(letter) = dead_letter(&report, &bus.topics.plan) {
            answers.push(publish(&bus.producer, &bus.topics.dead_letters, key(&report), &letter).await);
        }
        let answers = answers.into_iter().flatten().collect();
        let done = Pending { partition: source.partition, offset: source.offset, answers };
        if pending.send(done).await.is_err() {
            return;
        }
    }
}

fn count(metrics: &Metrics, report: &Report) {
    match &report.outcome {
        Outcome::Skipped(skip) => metrics.plan(skip.word()),
        Outcome::Applied(_) => metrics.plan("applied"),
        Outcome::Refused { reason, .. } => {
            metrics.plan("refused");
            metrics.plan_refused(reason);
        }
    }
    let tally = crate::answer::tally(report);
    metrics.actions(tally.applied.evict, tally.applied.prefetch);
    for (reason, number) in tally.refused {
        metrics.actions_refused(reason, number);
    }
}

/// One line for each plan that was answered.
fn note(report: &Report) {
    let (plan_id, latency_s) = (&report.job.plan_id, report.latency_ms / 1e3);
    let plan = match &report.job.work {
        Work::Skip(_) => return,
        Work::Refuse(refused) => &refused.plan,
        Work::Nothing(found) | Work::Apply(found) => &found.plan,
    };
    let name = |said: Option<&'_ str>| said.map(|name| cut(name, NAME_CHARS).to_owned());
    let (run, window, planner) = (name(plan.run.as_deref()), plan.window, name(plan.planner.as_deref()));
    match &report.outcome {
        Outcome::Skipped(_) => {}
        Outcome::Applied(_) => info!(run, window, plan_id, planner, latency_s, "plan applied"),
        Outcome::Refused { reason, detail } => {
            warn!(run, window, plan_id, planner, latency_s, reason, detail, "plan refused");
        }
    }
}

async fn publish<T: serde::Serialize>(
    producer: &Producer,
    topic: &str,
    key: Option<&[u8]>,
    message: &T,
) -> Option<DeliveryFuture> {
    let payload = match serde_json::to_vec(message) {
        Ok(payload) => payload,
        Err(error) => {
            error!(%error, topic, "an answer could not be written as JSON");
            return None;
        }
    };
    send(producer, topic, key, &payload).await
}

/// Queues one message; waits while the queue is full.
async fn send(producer: &Producer, topic: &str, key: Option<&[u8]>, payload: &[u8]) -> Option<DeliveryFuture> {
    loop {
        let mut record = FutureRecord::<[u8], [u8]>::to(topic).payload(payload);
        if let Some(key) = key {
            record = record.key(key);
        }
        match producer.send_result(record) {
            Ok(delivery) => return Some(delivery),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err((error, _)) => {
                error!(%error, topic, "an answer could not be sent");
                return None;
            }
        }
    }
}

/// Waits for the answers of each message in order, commits at most every few milliseconds, and once more at the end.
pub async fn commit_all(bus: Arc<Bus>, mut pending: mpsc::Receiver<Pending>) {
    let mut done = TopicPartitionList::new();
    let mut due = Instant::now();
    loop {
        let next = if done.count() == 0 {
            pending.recv().await
        } else {
            let Ok(next) = tokio::time::timeout_at(due, pending.recv()).await else {
                commit(&bus, &mut done, CommitMode::Async);
                continue;
            };
            next
        };
        let Some(message) = next else { break };
        for answer in message.answers {
            deliver(&bus, answer).await;
        }
        if done.count() == 0 {
            due = Instant::now() + COMMIT_EVERY;
        }
        mark(&mut done, &bus.topics.plan, message.partition, message.offset + 1);
    }
    commit(&bus, &mut done, CommitMode::Sync);
}

fn mark(done: &mut TopicPartitionList, topic: &str, partition: i32, next: i64) {
    let noted = match done.find_partition(topic, partition) {
        Some(mut element) => element.set_offset(Offset::Offset(next)),
        None => done.add_partition_offset(topic, partition, Offset::Offset(next)),
    };
    if let Err(error) = noted {
        debug!(%error, partition, next, "offset not noted");
    }
}

fn commit(bus: &Bus, done: &mut TopicPartitionList, mode: CommitMode) {
    if done.count() > 0 {
        // Lost after a rebalance: the partition's new owner gets the messages again and Redis knows their plans.
        if let Err(error) = bus.consumer.commit(done, mode) {
            debug!(%error, "offsets not committed");
        }
        *done = TopicPartitionList::new();
    }
}

/// Waits until the broker has an answer, sending it again as often as it takes.
async fn deliver(bus: &Bus, mut answer: DeliveryFuture) {
    let mut told = false;
    loop {
        let Ok(Err((error, message))) = answer.await else { return };
        if !told {
            warn!(%error, topic = message.topic(), "an answer was not taken; sending it until it is");
            told = true;
        }
        tokio::time::sleep(RETRY_AFTER).await;
        bus.create_topics().await;
        match resend(&bus.producer, &message).await {
            Some(again) => answer = again,
            None => return,
        }
    }
}

async fn resend(producer: &FutureProducer<crate::bus::Events>, message: &OwnedMessage) -> Option<DeliveryFuture> {
    send(producer, message.topic(), message.key(), message.payload().unwrap_or_default()).await
}
