//! Plans for an unmodified Redis: one transaction each, which also sets the mark that the plan was applied.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult, Value};

use crate::admissibility::Admissible;
use crate::job::{Applied, Job, Reply, Source, Work};
use crate::redis_link::Answer;

const MARK_SECONDS: u64 = 86_400;

/// Applies `jobs` in their order and returns an answer for each job that has work for Redis.
///
/// The marks are read first and the transactions follow: only one executor may serve an arm, and only one batch may be
/// under way.
///
/// # Errors
/// When the connection failed: nobody knows then which transactions were carried out.
pub async fn send(connection: &mut MultiplexedConnection, jobs: &[Job]) -> RedisResult<Vec<Answer>> {
    let wanted: Vec<(&Job, &Admissible)> = jobs.iter().filter_map(|job| Some((job, admitted(job)?))).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut marks = redis::cmd("MGET");
    for (job, _) in &wanted {
        marks.arg(mark_of(job));
    }
    let marks: Vec<Option<String>> = marks.query_async(connection).await?;
    let mut first: HashMap<&str, String> = HashMap::new();
    let mut pipeline = Pipeline::new();
    let steps: Vec<Step> = wanted
        .iter()
        .zip(marks)
        .map(|((job, found), mark)| {
            let ours = source_text(&job.source);
            if let Some(mark) = mark.or_else(|| first.get(job.plan_id.as_str()).cloned()) {
                return Step::Done { same_source: mark == ours };
            }
            first.insert(&job.plan_id, ours.clone());
            sent(&mut pipeline, job, found)
        })
        .collect();
    let values = match pipeline.len() {
        0 => Vec::new(),
        count => connection.send_packed_commands(&pipeline, 0, count).await?,
    };
    Ok(steps.iter().map(|step| step.answer(&values)).collect())
}

/// What a job waits for: its transaction's replies, or nothing because it was applied before.
enum Step {
    Done { same_source: bool },
    Sent { begin: usize, exec: usize, evicts: bool, prefetches: usize },
}

impl Step {
    fn answer(&self, values: &[Value]) -> Answer {
        match *self {
            Self::Done { same_source } => {
                Answer::Reply(Reply::Duplicate { before: Applied::default(), same_source: Some(same_source) })
            }
            Self::Sent { begin, exec, evicts, prefetches } => {
                // The reason stands in the command that was not queued; EXEC only says that one was not.
                let error = values[begin..=exec].iter().find_map(|value| match value {
                    Value::ServerError(error) => Some(error.clone().into()),
                    _ => None,
                });
                match error {
                    Some(error) => Answer::from_error(&error),
                    None => outcome(&values[exec], evicts, prefetches),
                }
            }
        }
    }
}

fn sent(pipeline: &mut Pipeline, job: &Job, found: &Admissible) -> Step {
    let begin = pipeline.len();
    for command in transaction(job, found) {
        pipeline.add_command(command);
    }
    Step::Sent { begin, exec: pipeline.len() - 1, evicts: !found.evict.is_empty(), prefetches: found.prefetch.len() }
}

/// The commands that apply the actions `found` in a job's plan and set its mark.
#[must_use]
pub fn transaction(job: &Job, found: &Admissible) -> Vec<Cmd> {
    let mut mark = redis::cmd("SET");
    mark.arg(mark_of(job)).arg(source_text(&job.source)).arg("EX").arg(MARK_SECONDS);
    let mut commands = vec![redis::cmd("MULTI"), mark];
    if !found.evict.is_empty() {
        let mut delete = redis::cmd("DEL");
        delete.arg(&found.evict);
        commands.push(delete);
    }
    if !found.prefetch.is_empty() {
        let mut present = redis::cmd("EXISTS");
        for action in &found.prefetch {
            present.arg(&action.k);
        }
        commands.push(present);
    }
    for action in &found.prefetch {
        let mut put = redis::cmd("SETEX");
        put.arg(&action.k).arg(action.ttl).arg(&action.v);
        commands.push(put);
    }
    commands.push(redis::cmd("EXEC"));
    commands
}

/// Reads the replies of one transaction: mark, keys deleted, keys that were there, and one per value.
fn outcome(exec: &Value, evicts: bool, prefetches: usize) -> Answer {
    let Value::Array(replies) = exec else {
        return Answer::Refused(format!("EXEC answered {exec:?}"));
    };
    let mut counts = replies.iter().filter_map(|reply| match reply {
        Value::Int(count) => u64::try_from(*count).ok(),
        _ => None,
    });
    if let Some(Value::ServerError(error)) = replies.iter().find(|reply| matches!(reply, Value::ServerError(_))) {
        return Answer::Refused(error.to_string());
    }
    let evicted = if evicts { counts.next().unwrap_or(0) } else { 0 };
    let present = if prefetches > 0 { counts.next().unwrap_or(0) } else { 0 };
    let new = (prefetches as u64).saturating_sub(present);
    Answer::Reply(Reply::Applied(Applied { evicted, prefetched: new, ..Applied::default() }))
}

fn admitted(job: &Job) -> Option<&Admissible> {
    match &job.work {
        Work::Apply(found) => Some(found),
        _ => None,
    }
}

/// Key of the mark, outside the items.
fn mark_of(job: &Job) -> String {
    format!("aura:plan:{}", job.plan_id)
}

fn source_text(source: &Source) -> String {
    format!("{}:{}", source.partition, source.offset)
}
