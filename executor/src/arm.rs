//! Plans for an arm: one call of the arm's function `aura_apply` each.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult, Value};

use crate::job::{Applied, Job, Reply, Work};
use crate::redis_link::Answer;

/// Sends the calls of `jobs` in one write and returns an answer for each job that has work for Redis.
///
/// # Errors
/// When the connection failed: nobody knows then which calls were carried out.
pub async fn send(connection: &mut MultiplexedConnection, jobs: &[Job]) -> RedisResult<Vec<Answer>> {
    let mut pipeline = Pipeline::with_capacity(jobs.len());
    for job in jobs {
        if let Some(call) = call(job) {
            pipeline.add_command(call);
        }
    }
    if pipeline.is_empty() {
        return Ok(Vec::new());
    }
    let values = connection.send_packed_commands(&pipeline, 0, pipeline.len()).await?;
    Ok(values.into_iter().map(answer).collect())
}

/// The call that applies a job's plan; None for a job that has no work for Redis.
#[must_use]
pub fn call(job: &Job) -> Option<Cmd> {
    let Work::Apply(found) = &job.work else {
        return None;
    };
    let plan = &found.plan;
    let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
    let policy = plan.policy.as_ref().map(|policy| serde_json::to_string(policy).unwrap_or_default());
    let mut cmd = redis::cmd("FCALL");
    cmd.arg("aura_apply").arg(0).arg(plan.run.as_deref().unwrap_or("")).arg(&job.plan_id);
    cmd.arg(number(plan.window)).arg(plan.planner.as_deref().unwrap_or(""));
    cmd.arg(number(plan.apply_at)).arg(number(plan.expires_at)).arg(policy.unwrap_or_default());
    cmd.arg(found.evict.len()).arg(found.prefetch.len());
    for key in &found.evict {
        cmd.arg(key);
    }
    for action in &found.prefetch {
        cmd.arg(&action.k).arg(&action.v).arg(action.ttl);
    }
    Some(cmd)
}

fn answer(value: Value) -> Answer {
    if let Value::ServerError(error) = value {
        return Answer::from_error(&error.into());
    }
    match reply(&value) {
        Some(reply) => Answer::Reply(reply),
        None => Answer::Refused(format!("aura_apply answered {value:?}")),
    }
}

/// Reads `[status, now_ms, evicted, prefetched, held_out_evict, held_out_prefetch, over_budget]`.
fn reply(value: &Value) -> Option<Reply> {
    type Fields = (String, i64, u64, u64, u64, u64, u64);
    let (status, now_ms, evicted, prefetched, held_out_evict, held_out_prefetch, over_budget): Fields =
        redis::from_redis_value_ref(value).ok()?;
    let counts = Applied { now_ms: Some(now_ms), evicted, prefetched, held_out_evict, held_out_prefetch, over_budget };
    Some(match status.as_str() {
        "applied" => Reply::Applied(counts),
        "early" => Reply::Early { now_ms },
        "expired" => Reply::Expired { now_ms },
        "duplicate" => Reply::Duplicate { before: counts, same_source: None },
        "vetoed" => Reply::Vetoed,
        "foreign_run" => Reply::ForeignRun,
        _ => return None,
    })
}
