//! Which actions of a plan may be carried out: the rules of the contract's `admissibility.py`, held to the same golden
//! vectors. Pure: nothing here touches a network.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::json;
use crate::plan::{ActionCounts, CONTRACT_VERSION, Plan, Prefetch};
use crate::text;

/// Keys of an arm's items begin with this; no other key is ever touched.
pub const KEY_PREFIX: &str = "item:";
/// Longest key in bytes.
pub const MAX_KEY_BYTES: usize = 250;
/// Longest value in bytes.
pub const MAX_VALUE_BYTES: usize = 65_000;
/// Longest plan in bytes.
pub const MAX_PLAN_BYTES: usize = 1_048_576;

/// What one plan may at most ask for; TTLs in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    pub max_evict: usize,
    pub max_prefetch: usize,
    pub ttl_min: i64,
    pub ttl_max: i64,
}

/// What is left of a plan. The actions are taken out of `plan`; `requested` counts what it asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Admissible {
    pub plan: Plan,
    pub requested: ActionCounts,
    pub evict: Vec<String>,
    pub prefetch: Vec<Prefetch>,
    pub clamped: u64,
    pub refused: BTreeMap<&'static str, u64>,
}

/// Why a message is no plan at all, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanFault {
    TooLarge,
    NotJson,
    Schema,
    Version,
}

impl PlanFault {
    /// The word that goes into receipts, dead letters and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::Schema => "schema",
            Self::Version => "version",
        }
    }
}

/// A message that is no plan; `plan` holds what could be read of its envelope, so that its sender recognises the answer, and
/// `requested` what it asked for as far as that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    pub fault: PlanFault,
    pub detail: String,
    pub plan: Plan,
    pub requested: ActionCounts,
}

/// Checks one message of the plan topic.
///
/// # Errors
/// [`Refused`] when the whole message is unusable; single actions that are refused are counted in [`Admissible`].
pub fn admissible(payload: &[u8], caps: &Caps) -> Result<Admissible, Box<Refused>> {
    let refuse = |fault, detail: String, mut plan: Plan| {
        let requested = asked_for(&plan);
        (plan.evict, plan.prefetch) = (Vec::new(), Vec::new());
        // Parsers quote what they do not understand, however long it is.
        Err(Box::new(Refused { fault, detail: text::cut(&detail, text::DETAIL_CHARS).to_owned(), plan, requested }))
    };
    if payload.len() > MAX_PLAN_BYTES {
        let detail = format!("{} bytes, at most {MAX_PLAN_BYTES}", payload.len());
        return refuse(PlanFault::TooLarge, detail, Plan::default());
    }
    let payload = match json::check(payload) {
        Ok(payload) => payload,
        Err(detail) => return refuse(PlanFault::NotJson, detail, Plan::default()),
    };
    let plan = match Plan::from_json(payload) {
        Ok(plan) => plan,
        Err(detail) => return refuse(PlanFault::Schema, detail, envelope_of(payload)),
    };
    if ![CONTRACT_VERSION, CONTRACT_VERSION - 1].contains(&plan.version.0) {
        let detail = format!("version {}, this executor reads {CONTRACT_VERSION}", plan.version.0);
        return refuse(PlanFault::Version, detail, plan);
    }
    Ok(actions(plan, caps))
}

fn actions(mut plan: Plan, caps: &Caps) -> Admissible {
    let requested = asked_for(&plan);
    let evict = std::mem::take(&mut plan.evict);
    let prefetch = std::mem::take(&mut plan.prefetch);
    let mut refused = BTreeMap::new();
    let (keep_evict, keep_prefetch) = {
        let mut seen = HashSet::new();
        let mut left = caps.max_evict;
        let keep_evict = kept(&evict, &mut refused, |key| evict_fault(key, &mut seen, &mut left));
        let mut left = caps.max_prefetch;
        let keep_prefetch = kept(&prefetch, &mut refused, |action| prefetch_fault(action, &mut seen, &mut left));
        (keep_evict, keep_prefetch)
    };
    let mut prefetch = chosen(prefetch, &keep_prefetch);
    let mut clamped = 0;
    for action in &mut prefetch {
        // Not i64::clamp, which panics when the caps cross.
        let ttl = action.ttl.max(caps.ttl_min).min(caps.ttl_max);
        clamped += u64::from(ttl != action.ttl);
        action.ttl = ttl;
    }
    Admissible { plan, requested, evict: chosen(evict, &keep_evict), prefetch, clamped, refused }
}

fn asked_for(plan: &Plan) -> ActionCounts {
    ActionCounts { evict: plan.evict.len() as u64, prefetch: plan.prefetch.len() as u64 }
}

fn kept<'a, T>(
    actions: &'a [T],
    refused: &mut BTreeMap<&'static str, u64>,
    mut fault: impl FnMut(&'a T) -> Option<&'static str>,
) -> Vec<bool> {
    let mut keep = Vec::with_capacity(actions.len());
    for action in actions {
        let found = fault(action);
        if let Some(reason) = found {
            *refused.entry(reason).or_default() += 1;
        }
        keep.push(found.is_none());
    }
    keep
}

fn chosen<T>(actions: Vec<T>, keep: &[bool]) -> Vec<T> {
    actions.into_iter().zip(keep).filter_map(|(action, keep)| keep.then_some(action)).collect()
}

fn evict_fault<'a>(key: &'a str, seen: &mut HashSet<&'a str>, left: &mut usize) -> Option<&'static str> {
    key_fault(key, seen).or_else(|| take_one(key, seen, left))
}

fn prefetch_fault<'a>(action: &'a Prefetch, seen: &mut HashSet<&'a str>, left: &mut usize) -> Option<&'static str> {
    key_fault(&action.k, seen)
        .or_else(|| (action.v.len() > MAX_VALUE_BYTES).then_some("value_too_large"))
        .or_else(|| take_one(&action.k, seen, left))
}

fn take_one<'a>(key: &'a str, seen: &mut HashSet<&'a str>, left: &mut usize) -> Option<&'static str> {
    if *left == 0 {
        return Some("over_cap");
    }
    *left -= 1;
    seen.insert(key);
    None
}

fn key_fault(key: &str, seen: &HashSet<&str>) -> Option<&'static str> {
    if !key.starts_with(KEY_PREFIX) {
        return Some("foreign_key");
    }
    let out_of_bounds = key.len() == KEY_PREFIX.len() || key.len() > MAX_KEY_BYTES;
    if out_of_bounds || key.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Some("bad_key");
    }
    seen.contains(key).then_some("repeated_key")
}

/// What can be read of the envelope of a message that breaks the schema.
fn envelope_of(payload: &str) -> Plan {
    let Ok(Value::Object(fields)) = serde_json::from_str(payload) else {
        return Plan::default();
    };
    let word = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    Plan {
        plan_id: word("plan_id").filter(|id| (1..=200).contains(&id.chars().count())),
        run: word("run"),
        arm: word("arm"),
        planner: word("planner"),
        window: fields.get("window").and_then(Value::as_i64).filter(|window| *window >= 0),
        shard: fields.get("shard").and_then(Value::as_i64).filter(|shard| *shard >= 0).unwrap_or_default(),
        ..Plan::default()
    }
}
