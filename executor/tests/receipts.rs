//! Receipts and dead letters as the contract's Python models read them. `AURA_WRITE_GOLDEN=1` writes the file anew.

use std::path::PathBuf;

use aura_executor::admissibility::Caps;
use aura_executor::answer::{MAX_KEY_BYTES, dead_letter, key, receipt};
use aura_executor::job::{Applied, Job, Outcome, Report, Scope, Skip, Source, Work, job};
use aura_executor::plan::Policy;
use serde_json::{Value, json};

const PLAN: &str = r#"{"evict":["item:1","user:2"],"prefetch":[{"k":"item:é","v":"…","ttl":5}],"policy":{"frequency":"low"},
"plan_id":"p-1","run":"r-1","arm":"aura","window":4,"planner":"heuristic","apply_at":100}"#;

fn judged(payload: &[u8], policies: bool) -> Job {
    let caps = Caps { max_evict: 20, max_prefetch: 20, ttl_min: 60, ttl_max: 3600 };
    let scope = Scope { experiment: Some("exp".to_owned()), arm: "aura".to_owned(), shard: 0, run: None, caps };
    job(Source::new(0, 7, Some(b"exp/aura/0"), payload), payload, &scope, policies)
}

fn report(payload: &[u8], policies: bool, outcome: Outcome) -> Report {
    Report { job: judged(payload, policies), outcome, latency_ms: 1.234_567 }
}

fn refused(reason: &'static str) -> Outcome {
    Outcome::Refused { reason, detail: "so it is".to_owned() }
}

fn reports() -> Vec<Report> {
    let counts =
        Applied { now_ms: Some(120), evicted: 1, prefetched: 0, held_out_evict: 0, held_out_prefetch: 1, over_budget: 0 };
    let plain = Applied { evicted: 0, prefetched: 1, ..Applied::default() };
    vec![
        report(PLAN.as_bytes(), true, Outcome::Applied(counts)),
        report(PLAN.as_bytes(), false, Outcome::Applied(plain)),
        report(br#"{"evict":["item:1"]}"#, true, Outcome::Applied(Applied { now_ms: Some(0), ..Applied::default() })),
        report(br#"{"plan_id":"empty","outcome":"noop"}"#, true, Outcome::Applied(Applied::default())),
        report(PLAN.as_bytes(), true, refused("expired")),
        report(PLAN.as_bytes(), true, refused("duplicate")),
        report(br#"{"plan_id":"s","run":"r-1","window":1,"evict":3}"#, true, refused("schema")),
        report(b"\xff not JSON", true, refused("not_json")),
    ]
}

#[test]
fn receipts_are_the_golden_ones() {
    let reports = reports();
    let receipts: Vec<Value> =
        reports.iter().filter_map(|report| receipt(report, "aura", 0)).map(|receipt| json!(receipt)).collect();
    let letters: Vec<Value> =
        reports.iter().filter_map(|report| dead_letter(report, "aura-plan")).map(|letter| json!(letter)).collect();
    let written = json!({"receipts": receipts, "dead_letters": letters});
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../services/contract/golden/receipts.json");
    if std::env::var_os("AURA_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&written).unwrap() + "\n").unwrap();
    }
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(written, golden);
}

#[test]
fn counts_of_a_receipt_add_up() {
    let reports = reports();
    let receipt = receipt(&reports[0], "aura", 0).unwrap();
    assert_eq!((receipt.requested.evict, receipt.requested.prefetch), (2, 1));
    assert_eq!((receipt.applied.evict, receipt.applied.prefetch), (1, 0));
    assert_eq!(receipt.refused.values().sum::<u64>(), 2);
    assert!(receipt.policy && receipt.clamped == 1);
}

#[test]
fn a_dead_letter_shows_4096_characters() {
    let payload = format!("{{{}", "é".repeat(9000));
    let letter = dead_letter(&report(payload.as_bytes(), true, refused("not_json")), "t").unwrap();
    assert_eq!(letter.payload.chars().count(), 4096);
    let payload = vec![0xff_u8; 20_000];
    let letter = dead_letter(&report(&payload, true, refused("not_json")), "t").unwrap();
    assert_eq!(letter.payload, "\u{fffd}".repeat(4096));
}

#[test]
fn answers_stay_small_whatever_a_message_says() {
    let long = |filler: &str| filler.repeat(1_000_000 / filler.len());
    let messages = [
        format!(r#"{{"run":"{}","plan_id":"p"}}"#, long("x")),
        format!(r#"{{"planner":"{}","evict":3}}"#, long("é")),
        format!(r#"{{"version":9,"run":"{}"}}"#, long("x")),
        format!(r#"{{"policy":{{"frequency":"{}"}}}}"#, long("\u{7f}")),
        format!(r#"{{"{}":1,"{}":2}}"#, "x".repeat(500_000), "x".repeat(500_000)),
        format!(r#"{{"plan_id":"{}"}}"#, long("x")),
        long("\0"),
    ];
    for message in messages {
        let judged = judged(message.as_bytes(), true);
        let outcome = match &judged.work {
            Work::Refuse(found) => Outcome::Refused { reason: found.fault.word(), detail: found.detail.clone() },
            _ => Outcome::Applied(Applied::default()),
        };
        let report = Report { job: judged, outcome, latency_ms: 1.0 };
        let receipt = json!(receipt(&report, "aura", 0).unwrap()).to_string();
        let letter = json!(dead_letter(&report, "aura-plan")).to_string();
        assert!(receipt.len() < 4096 && letter.len() < 65_536, "{} {} {}", &message[..20], receipt.len(), letter.len());
    }
}

#[test]
fn a_message_key_that_is_none_of_ours_is_not_repeated() {
    let keyed = |length: usize| {
        let key = vec![b'k'; length];
        let caps = Caps { max_evict: 20, max_prefetch: 20, ttl_min: 60, ttl_max: 3600 };
        let scope = Scope { experiment: None, arm: "aura".to_owned(), shard: 0, run: None, caps };
        Report { job: job(Source::new(0, 0, Some(&key), b"{}"), b"{}", &scope, true), outcome: refused("any"), latency_ms: 0.0 }
    };
    assert_eq!(key(&keyed(MAX_KEY_BYTES)).map(<[u8]>::len), Some(MAX_KEY_BYTES));
    assert_eq!(key(&keyed(MAX_KEY_BYTES + 1)), None);
}

#[test]
fn a_report_that_waits_holds_no_values_and_no_policy_but_counts_the_same() {
    let counts = Applied { now_ms: Some(120), evicted: 1, ..Applied::default() };
    let whole = report(PLAN.as_bytes(), true, Outcome::Applied(counts));
    let mut light = report(PLAN.as_bytes(), true, Outcome::Applied(counts));
    light.job.work.lighten();
    let Work::Apply(found) = &light.job.work else { panic!("not applied") };
    assert!(found.prefetch.iter().all(|action| action.v.is_empty()));
    assert_eq!(found.plan.policy, Some(Policy::default()));
    assert_eq!(receipt(&light, "aura", 0), receipt(&whole, "aura", 0));
}

#[test]
fn plans_of_others_are_skipped() {
    let skipped = |payload: &[u8], key: Option<&[u8]>, arm: &str, run: Option<&str>| {
        let caps = Caps { max_evict: 20, max_prefetch: 20, ttl_min: 60, ttl_max: 3600 };
        let run = run.map(str::to_owned);
        let scope = Scope { experiment: Some("exp".to_owned()), arm: arm.to_owned(), shard: 0, run, caps };
        match job(Source::new(0, 0, key, payload), payload, &scope, true).work {
            Work::Skip(skip) => Some(skip),
            _ => None,
        }
    };
    assert_eq!(skipped(b"{}", None, "aura", None), None);
    assert_eq!(skipped(b"{}", None, "random", None), Some(Skip::OtherArm));
    assert_eq!(skipped(br#"{"arm":"random"}"#, None, "random", None), None);
    assert_eq!(skipped(br#"{"arm":"random"}"#, None, "aura", None), Some(Skip::OtherArm));
    assert_eq!(skipped(br#"{"run":"1"}"#, None, "aura", Some("2")), Some(Skip::OtherRun));
    assert_eq!(skipped(br#"{"run":"2"}"#, None, "aura", Some("2")), None);
    assert_eq!(skipped(b"{}", None, "aura", Some("2")), None);
    assert_eq!(skipped(b"{}", Some(b"other/aura/0"), "aura", None), Some(Skip::OtherExperiment));
    assert_eq!(skipped(b"{}", Some(b"exp/aura/0"), "aura", None), None);
    assert_eq!(skipped(b"nonsense", Some(b"exp/random/0"), "aura", None), Some(Skip::OtherArm));
    assert_eq!(skipped(b"nonsense", Some(b"exp/random/0"), "random", None), None);
    assert_eq!(skipped(br#"{"evict":1,"arm":"random"}"#, None, "aura", None), Some(Skip::OtherArm));
}

#[test]
fn plans_of_another_shard_are_skipped_whatever_they_hold() {
    let answered_by = |shard: i64, payload: &[u8], key: Option<&[u8]>| {
        let caps = Caps { max_evict: 20, max_prefetch: 20, ttl_min: 60, ttl_max: 3600 };
        let scope = Scope { experiment: None, arm: "aura".to_owned(), shard, run: None, caps };
        let found = job(Source::new(0, 0, key, payload), payload, &scope, true);
        let report = Report { job: found, outcome: refused("any"), latency_ms: 0.0 };
        receipt(&report, "aura", shard).map(|receipt| receipt.shard)
    };
    assert_eq!(answered_by(0, b"{}", None), Some(0));
    assert_eq!(answered_by(2, b"{}", None), None);
    assert_eq!(answered_by(2, br#"{"shard":2}"#, None), Some(2));
    assert_eq!(answered_by(0, br#"{"shard":2}"#, None), None);
    assert_eq!(answered_by(2, b"nonsense", Some(b"exp/aura/2")), Some(2));
    assert_eq!(answered_by(0, b"nonsense", Some(b"exp/aura/2")), None);
    assert_eq!(answered_by(2, br#"{"shard":2,"evict":1}"#, None), Some(2));
    assert_eq!(answered_by(0, b"nonsense", Some(b"exp/aura/x")), Some(0));
}

#[test]
fn a_plan_without_an_id_gets_one_from_its_bytes() {
    let name = judged(br#"{"evict":["item:1"]}"#, true).plan_id;
    assert_eq!(name.len(), 20);
    assert!(name.starts_with("sha-"));
    assert_ne!(name, judged(br#"{"evict":["item:2"]}"#, true).plan_id);
}
