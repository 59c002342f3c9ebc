//! One message on its way through the executor, and what came of it.

use std::borrow::Cow;
use std::time::Instant;

use crate::admissibility::{Admissible, Caps, Refused, admissible};
use crate::plan::Policy;

/// Payload kept for a dead letter: enough for 4096 characters of four bytes.
const KEPT_BYTES: usize = 4 * DEAD_LETTER_CHARS;
/// Characters of a payload that a dead letter shows.
pub const DEAD_LETTER_CHARS: usize = 4096;

/// Which plans are ours.
#[derive(Debug, Clone)]
pub struct Scope {
    pub experiment: Option<String>,
    pub arm: String,
    pub shard: i64,
    pub run: Option<String>,
    pub caps: Caps,
}

/// Where a message came from; `received` is the start of its latency.
#[derive(Debug, Clone)]
pub struct Source {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub payload: Vec<u8>,
    pub received: Instant,
    /// The trace that the message came in.
    pub traceparent: Option<String>,
}

impl Source {
    /// A source that keeps as much of `payload` as a dead letter needs.
    #[must_use]
    pub fn new(partition: i32, offset: i64, key: Option<&[u8]>, payload: &[u8]) -> Self {
        Self {
            partition,
            offset,
            key: key.map(<[u8]>::to_vec),
            payload: payload[..payload.len().min(KEPT_BYTES)].to_vec(),
            received: Instant::now(),
            traceparent: None,
        }
    }

    /// The payload as a dead letter shows it.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).chars().take(DEAD_LETTER_CHARS).collect()
    }
}

/// Why a message is somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    OtherExperiment,
    OtherArm,
    OtherShard,
    OtherRun,
    /// Delivered a second time by the broker, answered the first time.
    Redelivered,
}

impl Skip {
    /// The word that goes into metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::OtherExperiment => "other_experiment",
            Self::OtherArm => "other_arm",
            Self::OtherShard => "other_shard",
            Self::OtherRun => "other_run",
            Self::Redelivered => "redelivered",
        }
    }
}

/// What is to be done about a message.
#[derive(Debug)]
pub enum Work {
    Skip(Skip),
    Refuse(Box<Refused>),
    /// Nothing to send to Redis: the plan asks for nothing that Redis could do.
    Nothing(Box<Admissible>),
    Apply(Box<Admissible>),
}

impl Work {
    /// Lets go of what only Redis needed: a report may have to wait for the broker, together with many others.
    pub fn lighten(&mut self) {
        if let Self::Apply(found) | Self::Nothing(found) = self {
            for action in &mut found.prefetch {
                action.v = String::new();
            }
            found.plan.policy = found.plan.policy.take().map(|_| Policy::default());
        }
    }
}

/// One message with what is to be done about it. `plan_id` is the plan's own or made from the payload.
#[derive(Debug)]
pub struct Job {
    pub source: Source,
    pub plan_id: String,
    pub work: Work,
}

/// How an attempt to apply a plan ended, as Redis tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Applied(Applied),
    /// The arm's clock, in ms, has not reached the plan's `apply_at`; nothing was done.
    Early {
        now_ms: i64,
    },
    Expired {
        now_ms: i64,
    },
    /// Applied before. `same_source`: from this very message, when that is known.
    Duplicate {
        before: Applied,
        same_source: Option<bool>,
    },
    /// The guard of the run refused the plan before it came.
    Vetoed,
    ForeignRun,
}

/// Counts of an applied plan; `now_ms` is the arm's event clock, None on a plain Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    pub now_ms: Option<i64>,
    pub evicted: u64,
    pub prefetched: u64,
    pub held_out_evict: u64,
    pub held_out_prefetch: u64,
    pub over_budget: u64,
}

/// What came of a message.
#[derive(Debug)]
pub enum Outcome {
    Skipped(Skip),
    Applied(Applied),
    Refused { reason: &'static str, detail: String },
}

/// A job with its outcome, ready to be answered; `latency_ms` is without the wait for `apply_at`.
#[derive(Debug)]
pub struct Report {
    pub job: Job,
    pub outcome: Outcome,
    pub latency_ms: f64,
}

/// Decides what is to be done about one message. `policies`: whether the Redis behind can keep a policy.
#[must_use]
pub fn job(source: Source, payload: &[u8], scope: &Scope, policies: bool) -> Job {
    let named = source.key.as_deref().and_then(key_parts);
    let id = || format!("sha-{}", hex16(payload));
    if let (Some(ours), Some(key)) = (scope.experiment.as_deref(), named) {
        if ours.as_bytes() != key.experiment {
            return Job { plan_id: String::new(), work: Work::Skip(Skip::OtherExperiment), source };
        }
    }
    let (plan_id, work) = match admissible(payload, &scope.caps) {
        Err(refused) => {
            let arm = refused.plan.arm.as_deref().map(|arm| Cow::Borrowed(arm.as_bytes()));
            let arm = arm.or_else(|| named.map(|key| Cow::Borrowed(key.arm)));
            // What cannot be read says nothing of its shard, but its key does.
            let shard = named.and_then(|key| key.shard).unwrap_or(refused.plan.shard);
            let id = refused.plan.plan_id.clone().unwrap_or_else(id);
            let skip = foreign(scope, arm.as_deref(), shard, refused.plan.run.as_deref());
            (id, skip.map_or_else(|| Work::Refuse(refused), Work::Skip))
        }
        Ok(found) => {
            let id = found.plan.plan_id.clone().unwrap_or_else(id);
            let arm = found.plan.arm.as_deref().map(str::as_bytes);
            let skip = foreign(scope, arm, found.plan.shard, found.plan.run.as_deref());
            (id, skip.map_or_else(|| wanted(found, policies), Work::Skip))
        }
    };
    Job { source, plan_id, work }
}

/// Why a plan whose time has not come is refused at once, as a reason and a sentence, or None when it may wait: all later plans of
/// the arm wait with it.
#[must_use]
pub fn not_worth_waiting_for(job: &Job, now_ms: i64, max_ahead_ms: i64) -> Option<(&'static str, String)> {
    let Work::Apply(found) = &job.work else {
        return None;
    };
    let apply_at = found.plan.apply_at?;
    if let Some(expires_at) = found.plan.expires_at.filter(|expires_at| *expires_at < apply_at) {
        return Some(("expired", format!("the plan's apply_at, {apply_at} ms, is after its expires_at, {expires_at} ms")));
    }
    let ahead = apply_at.saturating_sub(now_ms);
    (ahead > max_ahead_ms).then(|| {
        let bound = max_ahead_ms / 1000;
        (
            "too_early",
            format!("the arm's clock stands at {now_ms} ms, more than {bound} s before the plan's apply_at, {apply_at} ms"),
        )
    })
}

fn wanted(mut found: Admissible, policies: bool) -> Work {
    if !policies && found.plan.policy.take().is_some() {
        *found.refused.entry("policy_unsupported").or_default() += 1;
    }
    let asked = found.requested.evict + found.requested.prefetch > 0 || found.plan.policy.is_some();
    if asked { Work::Apply(Box::new(found)) } else { Work::Nothing(Box::new(found)) }
}

/// A plan that names no arm is one for the arm `aura`, one that names no shard for shard 0; one that names no run is for any.
fn foreign(scope: &Scope, arm: Option<&[u8]>, shard: i64, run: Option<&str>) -> Option<Skip> {
    if arm.unwrap_or(b"aura") != scope.arm.as_bytes() {
        return Some(Skip::OtherArm);
    }
    if shard != scope.shard {
        return Some(Skip::OtherShard);
    }
    let other_run = matches!((scope.run.as_deref(), run), (Some(ours), Some(theirs)) if ours != theirs);
    other_run.then_some(Skip::OtherRun)
}

/// A message key `EXPERIMENT/ARM/SHARD`; a shard that is no number is not known.
#[derive(Clone, Copy)]
struct Key<'a> {
    experiment: &'a [u8],
    arm: &'a [u8],
    shard: Option<i64>,
}

fn key_parts(key: &[u8]) -> Option<Key<'_>> {
    let mut parts = key.split(|byte| *byte == b'/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(experiment), Some(arm), Some(shard), None) => {
            let shard = std::str::from_utf8(shard).ok().and_then(|shard| shard.parse().ok());
            Some(Key { experiment, arm, shard })
        }
        _ => None,
    }
}

fn hex16(payload: &[u8]) -> String {
    use sha2::Digest;
    use std::fmt::Write;

    sha2::Sha256::digest(payload)[..8].iter().fold(String::with_capacity(16), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
