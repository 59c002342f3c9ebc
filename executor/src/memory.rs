//! Which plans this process answered: to tell a plan that was sent twice from a message that the broker delivers again.

use std::collections::{HashMap, VecDeque};

use crate::job::{Applied, Job, Outcome, Skip};

/// Plans remembered.
const REMEMBERED: usize = 4096;

/// Messages that an earlier process may have applied without committing them: more than all queues together hold.
pub const UNCOMMITTED: i64 = 1024;

/// Plan ids with the message they came in, the oldest forgotten first; and where each partition began.
#[derive(Default)]
pub struct Memory {
    sources: HashMap<String, (i32, i64)>,
    order: VecDeque<String>,
    begins: HashMap<i32, i64>,
}

impl Memory {
    /// Remembers that a plan was answered.
    pub fn note(&mut self, job: &Job) {
        let source = (job.source.partition, job.source.offset);
        self.begins.entry(source.0).or_insert(source.1);
        if self.sources.contains_key(&job.plan_id) {
            return;
        }
        if self.order.len() == REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.sources.remove(&oldest);
            }
        }
        self.order.push_back(job.plan_id.clone());
        self.sources.insert(job.plan_id.clone(), source);
    }

    /// What it means that Redis has seen the plan before; `same_source` when Redis knows the message it came in.
    #[must_use]
    pub fn judge(&self, job: &Job, before: Applied, same_source: Option<bool>) -> Outcome {
        let source = (job.source.partition, job.source.offset);
        let ours = self.sources.get(&job.plan_id);
        if ours == Some(&source) {
            return Outcome::Skipped(Skip::Redelivered);
        }
        // A process that died after Redis' answer and before the commit left this message unanswered.
        let begin = self.begins.get(&source.0).copied().unwrap_or(source.1);
        let unanswered = same_source.unwrap_or(source.1 - begin < UNCOMMITTED);
        if ours.is_none() && unanswered {
            return Outcome::Applied(before);
        }
        Outcome::Refused { reason: "duplicate", detail: "a plan with this id was applied before".to_owned() }
    }
}
