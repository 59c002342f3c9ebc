//! What `/metrics` shows and what `/readyz` asks.

use std::sync::atomic::{AtomicBool, Ordering};

use prometheus::{Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

const DURATION_BUCKETS: [f64; 13] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Words that are shown from the start, so that the first refusal is a rise from 0.
const OUTCOMES: [&str; 2] = ["applied", "refused"];
const PLAN_FAULTS: [&str; 10] =
    ["too_large", "not_json", "schema", "version", "duplicate", "expired", "foreign_run", "redis_error", "too_early", "vetoed"];
const ACTION_FAULTS: [&str; 8] =
    ["foreign_key", "bad_key", "repeated_key", "value_too_large", "over_cap", "held_out", "over_budget", "policy_unsupported"];

/// Counters of one executor; every label has a small fixed set of values.
pub struct Metrics {
    registry: Registry,
    evictions: IntCounter,
    prefetches: IntCounter,
    plans: IntCounterVec,
    plan_refusals: IntCounterVec,
    action_refusals: IntCounterVec,
    duration: Histogram,
    redis: IntGauge,
    assigned: AtomicBool,
}

impl Metrics {
    /// All counters at zero.
    ///
    /// # Errors
    /// When two metrics have one name.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let evictions = IntCounter::new("aura_executor_evictions_total", "Evictions that were carried out")?;
        let prefetches = IntCounter::new("aura_executor_prefetches_total", "Prefetches that were carried out")?;
        let plans = Opts::new("aura_executor_plans_total", "Plans by what came of them");
        let plans = IntCounterVec::new(plans, &["outcome"])?;
        let refusals = Opts::new("aura_executor_plan_refusals_total", "Plans that were refused as a whole, by reason");
        let plan_refusals = IntCounterVec::new(refusals, &["reason"])?;
        let refusals = Opts::new("aura_executor_action_refusals_total", "Refused actions of plans that were applied, by reason");
        let action_refusals = IntCounterVec::new(refusals, &["reason"])?;
        let duration = HistogramOpts::new(
            "aura_executor_plan_duration_seconds",
            "Seconds from receiving a plan to Redis' answer, without the wait for its time",
        );
        let duration = Histogram::with_opts(duration.buckets(DURATION_BUCKETS.to_vec()))?;
        let redis = IntGauge::new("aura_executor_redis_up", "1 when Redis answered last time")?;
        registry.register(Box::new(evictions.clone()))?;
        registry.register(Box::new(prefetches.clone()))?;
        registry.register(Box::new(plans.clone()))?;
        registry.register(Box::new(plan_refusals.clone()))?;
        registry.register(Box::new(action_refusals.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        registry.register(Box::new(redis.clone()))?;
        for (counters, words) in [(&plans, &OUTCOMES[..]), (&plan_refusals, &PLAN_FAULTS), (&action_refusals, &ACTION_FAULTS)] {
            for word in words {
                counters.with_label_values(&[*word]);
            }
        }
        let assigned = AtomicBool::new(false);
        Ok(Self { registry, evictions, prefetches, plans, plan_refusals, action_refusals, duration, redis, assigned })
    }

    /// Counts one plan by outcome: applied, refused or why it was skipped.
    pub fn plan(&self, outcome: &'static str) {
        self.plans.with_label_values(&[outcome]).inc();
    }

    /// Counts what was carried out.
    pub fn actions(&self, evictions: u64, prefetches: u64) {
        self.evictions.inc_by(evictions);
        self.prefetches.inc_by(prefetches);
    }

    /// Counts one plan that was refused as a whole.
    pub fn plan_refused(&self, reason: &'static str) {
        self.plan_refusals.with_label_values(&[reason]).inc();
    }

    /// Counts refused actions by reason.
    pub fn actions_refused(&self, reason: &'static str, count: u64) {
        self.action_refusals.with_label_values(&[reason]).inc_by(count);
    }

    /// Notes how long a plan took, in seconds.
    pub fn took(&self, seconds: f64) {
        self.duration.observe(seconds);
    }

    /// Notes whether Redis answers.
    pub fn redis_up(&self, up: bool) {
        self.redis.set(i64::from(up));
    }

    /// Notes whether the plan topic is assigned to this executor.
    pub fn assigned(&self, assigned: bool) {
        self.assigned.store(assigned, Ordering::Relaxed);
    }

    /// Why this executor does not serve plans now, or None when it does.
    #[must_use]
    pub fn unready(&self) -> Option<&'static str> {
        if self.redis.get() == 0 {
            Some("Redis does not answer or has no arm")
        } else if !self.assigned.load(Ordering::Relaxed) {
            Some("the plan topic is not assigned yet")
        } else {
            None
        }
    }

    /// All metrics in Prometheus' text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        // Writing into a Vec fails only on a metric without a name.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}
