//! What must hold whatever bytes a message of the plan topic has: a reason out of the closed list and answers that a broker
//! takes, or commands that touch the items of the arm and nothing else.

pub mod message;

use std::collections::HashSet;

use aura_executor::admissibility::{Admissible, Caps, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use aura_executor::answer::{dead_letter, key, receipt};
use aura_executor::job::{Applied, Job, Outcome, Report, Scope, Source, Work, job};
use aura_executor::{arm, plain};
use redis::{Arg, Cmd};

/// Key of a message for the arm.
pub const KEY: &[u8] = b"exp/aura/0";

const CAPS: Caps = Caps { max_evict: 20, max_prefetch: 20, ttl_min: 60, ttl_max: 3600 };
const PLAN_FAULTS: [&str; 4] = ["too_large", "not_json", "schema", "version"];
const ACTION_FAULTS: [&str; 6] = ["foreign_key", "bad_key", "repeated_key", "value_too_large", "over_cap", "policy_unsupported"];
/// What any broker takes: far below Kafka's default limit of a million bytes.
const MAX_ANSWER_BYTES: usize = 65_536;

/// Judges one message as an executor does, for both kinds of Redis.
///
/// # Panics
/// When a rule is broken.
pub fn check(key: Option<&[u8]>, payload: &[u8]) {
    for policies in [true, false] {
        let experiment = policies.then(|| "exp".to_owned());
        let scope = Scope { experiment, arm: "aura".to_owned(), shard: 0, run: None, caps: CAPS };
        let judged = job(Source::new(0, 7, key, payload), payload, &scope, policies);
        match &judged.work {
            Work::Skip(_) => assert!(arm::call(&judged).is_none()),
            Work::Refuse(refused) => {
                let (reason, detail) = (refused.fault.word(), refused.detail.clone());
                assert!(PLAN_FAULTS.contains(&reason) && !detail.is_empty());
                assert!(arm::call(&judged).is_none());
                answered(judged, Outcome::Refused { reason, detail }, Some(reason));
            }
            Work::Nothing(found) | Work::Apply(found) => {
                kept(found);
                if matches!(judged.work, Work::Apply(_)) {
                    arm_call(&judged, found);
                    transaction(&judged, found);
                }
                answered(judged, Outcome::Applied(Applied::default()), None);
            }
        }
    }
}

/// The rules that the actions of a plan were held to, and no action lost without a reason.
fn kept(found: &Admissible) {
    let keys: HashSet<&str> = keys_of(found).collect();
    assert!(keys.iter().all(|key| is_item(key.as_bytes())), "{keys:?}");
    assert_eq!(keys.len(), found.evict.len() + found.prefetch.len());
    assert!(found.evict.len() <= CAPS.max_evict && found.prefetch.len() <= CAPS.max_prefetch);
    assert!(found.prefetch.iter().all(|action| (CAPS.ttl_min..=CAPS.ttl_max).contains(&action.ttl)));
    assert!(found.prefetch.iter().all(|action| action.v.len() <= MAX_VALUE_BYTES));
    assert!(found.refused.keys().all(|reason| ACTION_FAULTS.contains(reason)));
    let policies = found.refused.get("policy_unsupported").copied().unwrap_or_default();
    let refused = found.refused.values().sum::<u64>() - policies;
    assert_eq!(found.requested.evict + found.requested.prefetch, keys.len() as u64 + refused);
}

fn keys_of(found: &Admissible) -> impl Iterator<Item = &str> {
    found.evict.iter().map(String::as_str).chain(found.prefetch.iter().map(|action| action.k.as_str()))
}

fn is_item(key: &[u8]) -> bool {
    let printable = key.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
    key.starts_with(b"item:") && (6..=MAX_KEY_BYTES).contains(&key.len()) && printable
}

/// The one call of an arm's function: its keys stand after the envelope, as many as it says.
fn arm_call(judged: &Job, found: &Admissible) {
    let call = arm::call(judged).expect("a plan with actions is a call");
    let words = words(&call);
    assert_eq!(&words[..3], [b"FCALL".as_slice(), b"aura_apply", b"0"]);
    assert_eq!(words[10], found.evict.len().to_string().as_bytes());
    assert_eq!(words[11], found.prefetch.len().to_string().as_bytes());
    let (evict, prefetch) = words[12..].split_at(found.evict.len());
    assert_eq!(prefetch.len(), 3 * found.prefetch.len());
    assert!(evict.iter().chain(prefetch.iter().step_by(3)).all(|key| is_item(key)));
}

/// The commands for a plain Redis: the mark of the plan, and items.
fn transaction(judged: &Job, found: &Admissible) {
    let mark = format!("aura:plan:{}", judged.plan_id);
    for command in plain::transaction(judged, found) {
        let words = words(&command);
        let keys = match words[0] {
            b"MULTI" | b"EXEC" => &[],
            b"SET" => {
                assert_eq!(words[1], mark.as_bytes());
                continue;
            }
            b"DEL" | b"EXISTS" => &words[1..],
            b"SETEX" => &words[1..2],
            other => panic!("{:?} is no command of a plan", String::from_utf8_lossy(other)),
        };
        assert!(keys.iter().all(|key| is_item(key)));
    }
}

fn words(command: &Cmd) -> Vec<&[u8]> {
    let word = |arg| match arg {
        Arg::Simple(word) => word,
        _ => panic!("an argument that is no text"),
    };
    command.args_iter().map(word).collect()
}

/// Every answer is JSON that a broker takes, and a refusal has its dead letter.
fn answered(judged: Job, outcome: Outcome, refused: Option<&str>) {
    let report = Report { job: judged, outcome, latency_ms: 0.5 };
    let receipt = receipt(&report, "aura", 0).expect("a plan of ours has a receipt");
    assert_eq!(receipt.reason.as_deref(), refused);
    let letter = dead_letter(&report, "aura-plan");
    assert_eq!(letter.as_ref().map(|letter| letter.reason.as_str()), refused);
    let key = key(&report).map_or(0, <[u8]>::len);
    let texts =
        [serde_json::to_vec(&receipt).expect("a receipt is JSON"), serde_json::to_vec(&letter).expect("a letter is JSON")];
    assert!(texts.iter().all(|text| text.len() + key <= MAX_ANSWER_BYTES), "an answer is too large");
}
