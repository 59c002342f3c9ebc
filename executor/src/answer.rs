//! Reports as the messages of the contract.

use std::collections::BTreeMap;

use crate::job::{Outcome, Report, Work};
use crate::plan::{ActionCounts, CONTRACT_VERSION, DeadLetter, Plan, Receipt};
use crate::text::{NAME_CHARS, cut};

/// Longest message key that answers repeat.
pub const MAX_KEY_BYTES: usize = 1024;

/// What was carried out and what was not, by reason; a plan refused as a whole has neither.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub applied: ActionCounts,
    pub refused: BTreeMap<&'static str, u64>,
}

/// The actions of a report.
#[must_use]
pub fn tally(report: &Report) -> Tally {
    let (Outcome::Applied(counts), Work::Apply(found) | Work::Nothing(found)) = (&report.outcome, &report.job.work) else {
        return Tally::default();
    };
    let mut refused = found.refused.clone();
    let held_out = counts.held_out_evict + counts.held_out_prefetch;
    if held_out > 0 {
        refused.insert("held_out", held_out);
    }
    if counts.over_budget > 0 {
        refused.insert("over_budget", counts.over_budget);
    }
    let evict = (found.evict.len() as u64).saturating_sub(counts.held_out_evict);
    let prefetch = (found.prefetch.len() as u64).saturating_sub(counts.held_out_prefetch + counts.over_budget);
    Tally { applied: ActionCounts { evict, prefetch }, refused }
}

/// The receipt of a report, or None for a message that is somebody else's.
#[must_use]
pub fn receipt(report: &Report, our_arm: &str, our_shard: i64) -> Option<Receipt> {
    let job = &report.job;
    let (plan, requested, clamped): (&Plan, _, _) = match &job.work {
        Work::Skip(_) => return None,
        Work::Refuse(refused) => (&refused.plan, refused.requested, 0),
        Work::Nothing(found) | Work::Apply(found) => (&found.plan, found.requested, found.clamped),
    };
    let (outcome, reason, counts) = match &report.outcome {
        Outcome::Skipped(_) => return None,
        Outcome::Applied(counts) => ("applied", None, *counts),
        Outcome::Refused { reason, .. } => ("refused", Some((*reason).to_owned()), crate::job::Applied::default()),
    };
    let tally = tally(report);
    let applied = reason.is_none();
    Some(Receipt {
        version: CONTRACT_VERSION,
        plan_id: Some(job.plan_id.clone()),
        run: name(plan.run.as_deref()),
        arm: name(plan.arm.as_deref()).or_else(|| Some(our_arm.to_owned())),
        window: plan.window,
        // A message that names another one is not answered, and one that cannot be read names none.
        shard: our_shard,
        planner: name(plan.planner.as_deref()),
        outcome: outcome.to_owned(),
        reason,
        requested,
        applied: tally.applied,
        effective: ActionCounts { evict: counts.evicted, prefetch: counts.prefetched },
        policy: applied && plan.policy.is_some(),
        clamped: if applied { clamped } else { 0 },
        refused: tally.refused.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
        applied_at: counts.now_ms,
        latency_ms: (report.latency_ms * 1e3).round() / 1e3,
    })
}

/// The dead letter of a report, or None when the plan was not refused as a whole.
#[must_use]
pub fn dead_letter(report: &Report, topic: &str) -> Option<DeadLetter> {
    let Outcome::Refused { reason, detail } = &report.outcome else {
        return None;
    };
    let source = &report.job.source;
    Some(DeadLetter {
        version: CONTRACT_VERSION,
        reason: (*reason).to_owned(),
        detail: detail.clone(),
        plan_id: Some(report.job.plan_id.clone()),
        topic: topic.to_owned(),
        partition: source.partition,
        offset: source.offset,
        payload: source.text(),
    })
}

/// The message key of a report's answers: that of the plan, which keeps them in order, unless it is none that we make.
#[must_use]
pub fn key(report: &Report) -> Option<&[u8]> {
    report.job.source.key.as_deref().filter(|key| key.len() <= MAX_KEY_BYTES)
}

fn name(said: Option<&str>) -> Option<String> {
    said.map(|name| cut(name, NAME_CHARS).to_owned())
}
