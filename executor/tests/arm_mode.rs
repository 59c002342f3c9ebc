//! Plans for an arm: against a real Redis with the function library and a real broker.

mod common;

use aura_executor::metrics::Metrics;
use common::World;
use serde_json::{Value, json};

fn plan(id: &str, mut more: Value) -> String {
    let mut plan = json!({"plan_id": id, "run": "run-1", "arm": "aura", "window": 3, "planner": "test"});
    plan.as_object_mut().unwrap().append(more.as_object_mut().unwrap());
    plan.to_string()
}

fn put(key: &str, ttl: i64) -> Value {
    json!({"k": key, "v": "payload", "ttl": ttl})
}

#[test]
fn a_plan_is_applied_once_and_answered_with_its_key() {
    let world = World::with_arm(0);
    let executor = world.executor(&["--run", "run-1"]);
    let (receipts, letters) = (world.receipts(), world.dead_letters());
    let actions = json!({"evict": ["item:gone", "user:1"], "prefetch": [put("item:a", 5), put("item:b", 900)],
        "policy": {"frequency": "high"}});
    world.publish(plan("p-1", actions.clone()));
    let (key, receipt) = receipts.next_keyed();
    assert_eq!(key, "exp/aura/0");
    assert_eq!(receipt["outcome"], "applied");
    assert_eq!(receipt["requested"], json!({"evict": 2, "prefetch": 2}));
    assert_eq!(receipt["applied"], json!({"evict": 1, "prefetch": 2}));
    assert_eq!(receipt["effective"], json!({"evict": 0, "prefetch": 2}));
    assert_eq!(receipt["refused"], json!({"foreign_key": 1}));
    assert_eq!((&receipt["clamped"], &receipt["policy"], &receipt["applied_at"]), (&json!(1), &json!(true), &json!(0)));
    // The TTL of 5 s was raised to 60 s of the event clock.
    let value = world.get("item:a").unwrap();
    assert!(value.starts_with("p0000000060000") && value.ends_with("payload"), "{value}");

    world.publish(plan("p-1", actions));
    let receipt = receipts.next();
    assert_eq!((&receipt["outcome"], &receipt["reason"]), (&json!("refused"), &json!("duplicate")));
    assert_eq!(letters.next()["reason"], "duplicate");
    assert_eq!(executor.metric("aura_executor_plans_total{outcome=\"applied\"}"), 1);
    assert_eq!(executor.metric("aura_executor_plan_refusals_total{reason=\"duplicate\"}"), 1);
    assert_eq!(executor.metric("aura_executor_action_refusals_total{reason=\"foreign_key\"}"), 1);
    assert_eq!(executor.metric("aura_executor_evictions_total"), 1);
    assert_eq!(executor.metric("aura_executor_prefetches_total"), 2);
    assert_eq!(executor.metric("aura_executor_plan_duration_seconds_count"), 2);
    assert_eq!(executor.metric("aura_executor_redis_up"), 1);
    assert_eq!((executor.http("/healthz").0, executor.http("/readyz").0), (200, 200));
    let line = executor.line_with("plan applied");
    for (name, value) in [("level", "info"), ("experiment", "exp"), ("run", "run-1"), ("arm", "aura"), ("plan_id", "p-1")] {
        assert_eq!(line[name], value, "{line}");
    }
    assert_eq!((&line["window"], &line["planner"]), (&json!(3), &json!("test")));
    assert!(line["ts"].as_str().unwrap().ends_with('Z') && line["latency_s"].as_f64().unwrap() > 0.0, "{line}");
    let line = executor.line_with("plan refused");
    assert_eq!((&line["level"], &line["plan_id"], &line["reason"]), (&json!("warn"), &json!("p-1"), &json!("duplicate")));
}

#[test]
fn all_metrics_are_there_from_the_start() {
    // Also what the tests of dashboard and alerts compare names with.
    assert_eq!(Metrics::new().unwrap().text(), include_str!("metrics.txt"));
}

#[test]
fn an_early_plan_waits_for_the_arms_clock_and_holds_later_ones_back() {
    let world = World::with_arm(0);
    let executor = world.executor(&[]);
    let receipts = world.receipts();
    world.publish(plan("due", json!({"evict": ["item:1"]})));
    assert_eq!(receipts.next()["plan_id"], "due");
    world.publish(plan("early", json!({"prefetch": [put("item:1", 60)], "apply_at": 5000})));
    world.publish(plan("later", json!({"evict": ["item:1"]})));
    world.publish(plan("empty", json!({"outcome": "noop"})));
    receipts.quiet();
    world.tick(4999);
    receipts.quiet();
    assert_eq!(world.get("item:1"), None);
    world.tick(5000);
    let receipt = receipts.next();
    assert_eq!((&receipt["plan_id"], &receipt["applied_at"]), (&json!("early"), &json!(5000)));
    assert!(receipt["latency_ms"].as_f64().unwrap() < 500.0, "{receipt}");
    let receipt = receipts.next();
    assert_eq!((&receipt["plan_id"], &receipt["effective"]["evict"]), (&json!("later"), &json!(1)));
    let receipt = receipts.next();
    assert_eq!((&receipt["plan_id"], &receipt["applied_at"]), (&json!("empty"), &Value::Null));
    assert_eq!(receipt["requested"], json!({"evict": 0, "prefetch": 0}));
    drop(executor);
}

#[test]
fn a_plan_that_is_not_worth_waiting_for_does_not_hold_up_the_others() {
    let world = World::with_arm(0);
    let _executor = world.executor(&["--max-ahead", "60"]);
    let (receipts, letters) = (world.receipts(), world.dead_letters());
    world.tick(5000);
    world.publish(plan("far", json!({"evict": ["item:1"], "apply_at": 65_001})));
    world.publish(plan("farthest", json!({"evict": ["item:1"], "apply_at": i64::MAX, "expires_at": i64::MAX})));
    world.publish(plan("never", json!({"evict": ["item:1"], "apply_at": 5001, "expires_at": 5000})));
    world.publish(plan("near", json!({"evict": ["item:1"], "apply_at": 65_000})));
    for (id, reason) in [("far", "too_early"), ("farthest", "too_early"), ("never", "expired")] {
        let (receipt, letter) = (receipts.next(), letters.next());
        assert_eq!((&receipt["plan_id"], &receipt["reason"]), (&json!(id), &json!(reason)));
        assert_eq!((&letter["plan_id"], &letter["reason"]), (&json!(id), &json!(reason)));
    }
    receipts.quiet();
    world.tick(65_000);
    assert_eq!(receipts.next()["plan_id"], "near");
}

#[test]
fn a_plan_as_large_as_the_caps_allow_is_carried_out_whole() {
    let world = World::with_arm(0);
    let _executor = world.executor(&["--max-evict", "5000", "--max-prefetch", "5000"]);
    let receipts = world.receipts();
    let evict: Vec<String> = (0..5001).map(|number| format!("item:{number}")).collect();
    let prefetch: Vec<Value> = (0..5001).map(|number| put(&format!("item:n{number}"), 60)).collect();
    world.set("item:0", "d00000099999990000000000");
    world.publish(plan("large", json!({"evict": evict, "prefetch": prefetch})));
    let receipt = receipts.next();
    assert_eq!((&receipt["outcome"], &receipt["refused"]), (&json!("applied"), &json!({"over_cap": 2})));
    assert_eq!(receipt["effective"], json!({"evict": 1, "prefetch": 5000}));
}

#[test]
fn expired_foreign_and_held_out() {
    let world = World::with_arm(1000);
    let _executor = world.executor(&[]);
    let (receipts, letters) = (world.receipts(), world.dead_letters());
    world.tick(900);
    world.publish(plan("late", json!({"evict": ["item:1"], "expires_at": 899})));
    world.publish(plan("foreign", json!({"evict": ["item:1"], "run": "run-2"})));
    world.publish(plan("held", json!({"evict": ["item:1"], "prefetch": [put("item:2", 60)], "expires_at": 900})));
    for (id, reason) in [("late", "expired"), ("foreign", "foreign_run")] {
        let receipt = receipts.next();
        assert_eq!((&receipt["plan_id"], &receipt["reason"]), (&json!(id), &json!(reason)));
        let letter = letters.next();
        assert_eq!((&letter["plan_id"], &letter["reason"]), (&json!(id), &json!(reason)));
    }
    let receipt = receipts.next();
    assert_eq!((&receipt["plan_id"], &receipt["outcome"]), (&json!("held"), &json!("applied")));
    assert_eq!(receipt["refused"], json!({"held_out": 2}));
    assert_eq!(receipt["applied"], json!({"evict": 0, "prefetch": 0}));
    assert_eq!(world.get("item:2"), None);
}

#[test]
fn a_plan_that_the_guard_has_vetoed_is_refused() {
    let world = World::with_arm(0);
    let _executor = world.executor(&[]);
    let (receipts, letters) = (world.receipts(), world.dead_letters());
    world.tick(900);
    let in_time: i64 = redis::cmd("FCALL").arg(&["aura_veto", "0", "run-1", "bad"]).query(&mut world.redis()).unwrap();
    assert_eq!(in_time, 1);
    world.publish(plan("bad", json!({"prefetch": [put("item:2", 60)]})));
    let receipt = receipts.next();
    assert_eq!(
        (&receipt["plan_id"], &receipt["outcome"], &receipt["reason"]),
        (&json!("bad"), &json!("refused"), &json!("vetoed"))
    );
    assert_eq!(letters.next()["reason"], json!("vetoed"));
    assert_eq!(world.get("item:2"), None);
}

#[test]
fn what_is_no_plan_becomes_a_dead_letter() {
    let world = World::with_arm(0);
    let _executor = world.executor(&[]);
    let (receipts, letters) = (world.receipts(), world.dead_letters());
    // Librdkafka's own limit counts the overhead, so the largest message a producer sends may still be too large for us.
    let filler = format!("{{\"answer\":\"{}\"}}", "x".repeat(600_000));
    for (payload, reason) in
        [("Sure! {}", "not_json"), ("", "not_json"), ("[]", "schema"), ("{\"version\":2}", "version"), (&filler, "")]
    {
        world.publish(payload);
        let receipt = receipts.next();
        if reason.is_empty() {
            assert_eq!(receipt["outcome"], "applied");
            continue;
        }
        assert_eq!((&receipt["outcome"], &receipt["reason"]), (&json!("refused"), &json!(reason)));
        let letter = letters.next();
        assert_eq!((&letter["reason"], &letter["payload"]), (&json!(reason), &json!(payload)));
        assert_eq!((&letter["topic"], &letter["plan_id"]), (&json!("aura-plan"), &receipt["plan_id"]));
        assert!(receipt["plan_id"].as_str().unwrap().starts_with("sha-"));
    }
}

#[test]
fn plans_of_others_are_passed_over() {
    let world = World::with_arm(0);
    let executor = world.executor(&["--run", "run-1"]);
    let receipts = world.receipts();
    world.publish(plan("other-run", json!({"run": "run-9", "evict": ["item:1"]})));
    world.publish(plan("other-arm", json!({"arm": "random", "evict": ["item:1"]})));
    world.publish_keyed("another/aura/0", plan("other-experiment", json!({"evict": ["item:1"]})));
    world.publish(plan("other-shard", json!({"shard": 1, "evict": ["item:1"]})));
    world.publish(plan("ours", json!({"evict": ["item:1"]})));
    assert_eq!(receipts.next()["plan_id"], "ours");
    for outcome in ["other_run", "other_arm", "other_shard", "other_experiment"] {
        assert_eq!(executor.metric(&format!("aura_executor_plans_total{{outcome=\"{outcome}\"}}")), 1);
    }
}

#[test]
fn plans_wait_for_the_function_library() {
    let world = World::new();
    let executor = world.executor(&["--redis-timeout", "0.2"]);
    let receipts = world.receipts();
    world.publish(plan("p", json!({"evict": ["item:1"]})));
    executor.line_with("waiting for the arm's function library");
    std::thread::sleep(std::time::Duration::from_millis(400));
    assert_eq!(executor.http("/readyz").0, 503);
    world.make_arm(0);
    assert_eq!(receipts.next()["outcome"], "applied");
    executor.ready();
}
