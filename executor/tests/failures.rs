//! Servers that go away, executors that end in the middle: nothing is lost and nothing is done twice.

mod common;

use std::collections::HashSet;
use std::time::Duration;

use common::{World, redis_server};
use serde_json::json;

const PLANS: usize = 3000;

fn publish_many(world: &World) {
    for number in 0..PLANS {
        let plan = json!({"plan_id": format!("p-{number}"), "prefetch": [{"k": format!("item:{number}"), "v": "x", "ttl": 60}]});
        world.send("exp/aura/0", plan.to_string());
    }
    world.flush();
}

/// Reads receipts until every plan is answered; returns how often a plan was told to be applied.
fn all_answered(world: &World) -> usize {
    let receipts = world.receipts();
    let (mut answered, mut applied) = (HashSet::new(), 0);
    while answered.len() < PLANS {
        let receipt = receipts.next();
        assert_eq!(receipt["outcome"], "applied", "{receipt}");
        answered.insert(receipt["plan_id"].as_str().unwrap().to_owned());
        applied += 1;
    }
    applied
}

#[test]
fn asked_to_stop_in_the_middle_nothing_is_lost_and_nothing_twice() {
    let world = World::with_arm(0);
    publish_many(&world);
    let receipts = world.receipts();
    for _ in 0..3 {
        let executor = world.executor(&[]);
        receipts.next();
        executor.terminate();
        let (status, log) = executor.ended(Duration::from_secs(5));
        assert!(status.success(), "{log}");
    }
    let _executor = world.executor(&[]);
    assert_eq!(all_answered(&world), PLANS);
    let plans: u64 = redis::cmd("HGET").arg("aura:state").arg("prefetches").query(&mut world.redis()).unwrap();
    assert_eq!(plans, PLANS as u64);
}

#[test]
fn killed_in_the_middle_nothing_is_lost() {
    for mode in ["arm", "plain"] {
        let world = World::with_arm(0);
        publish_many(&world);
        let executor = world.executor(&["--mode", mode]);
        world.receipts().next();
        executor.kill();
        let _executor = world.executor(&["--mode", mode]);
        assert!(all_answered(&world) >= PLANS);
        if mode == "arm" {
            let plans: u64 = redis::cmd("HGET").arg("aura:state").arg("prefetches").query(&mut world.redis()).unwrap();
            assert_eq!(plans, PLANS as u64);
        }
    }
}

#[test]
fn a_backlog_of_ten_thousand_plans_is_drained_and_stale_ones_are_dropped() {
    const BACKLOG: usize = 10_000;
    let world = World::with_arm(0);
    world.tick(100_000);
    for number in 0..BACKLOG {
        let expires_at = if number % 10 == 0 { 200_000 } else { 50_000 };
        let prefetch = [json!({"k": format!("item:{number}"), "v": "x", "ttl": 60})];
        let plan = json!({"plan_id": format!("p-{number}"), "expires_at": expires_at, "prefetch": prefetch});
        world.send("exp/aura/0", plan.to_string());
    }
    world.flush();
    let executor = world.executor(&[]);
    let receipts = world.receipts();
    let mut applied = HashSet::new();
    for _ in 0..BACKLOG {
        let receipt = receipts.next();
        match receipt["outcome"].as_str() {
            Some("applied") => assert!(applied.insert(receipt["plan_id"].as_str().unwrap().to_owned())),
            _ => assert_eq!(receipt["reason"], "expired", "{receipt}"),
        }
    }
    receipts.quiet();
    assert_eq!(applied.len(), BACKLOG / 10);
    assert_eq!(executor.metric("aura_executor_plans_total{outcome=\"applied\"}"), (BACKLOG / 10) as u64);
    assert_eq!(executor.metric("aura_executor_plan_refusals_total{reason=\"expired\"}"), (BACKLOG * 9 / 10) as u64);
    let items: Vec<String> = redis::cmd("KEYS").arg("item:*").query(&mut world.redis()).unwrap();
    assert_eq!(items.len(), BACKLOG / 10);
}

#[test]
fn an_early_plan_does_not_hold_up_the_stop_and_comes_again() {
    let world = World::with_arm(0);
    let executor = world.executor(&[]);
    executor.ready();
    world.publish(json!({"plan_id": "early", "evict": ["item:1"], "apply_at": 10}).to_string());
    std::thread::sleep(Duration::from_millis(300));
    executor.terminate();
    assert!(executor.ended(Duration::from_secs(5)).0.success());
    world.tick(10);
    let _executor = world.executor(&[]);
    assert_eq!(world.receipts().next()["outcome"], "applied");
}

#[test]
fn redis_killed_and_started_again() {
    for mode in ["arm", "plain"] {
        let mut world = World::with_arm(0);
        let executor = world.executor(&["--mode", mode]);
        let receipts = world.receipts();
        world.publish(json!({"plan_id": "before", "evict": ["item:1"]}).to_string());
        assert_eq!(receipts.next()["outcome"], "applied");
        world.redis = None;
        world.publish(json!({"plan_id": "during", "evict": ["item:1"]}).to_string());
        executor.line_with("waiting for Redis");
        assert_eq!(executor.http("/readyz").0, 503);
        assert_eq!(executor.metric("aura_executor_redis_up"), 0);
        receipts.quiet();
        world.redis = Some(redis_server(world.redis_port));
        world.make_arm(0);
        let receipt = receipts.next();
        assert_eq!((&receipt["plan_id"], &receipt["outcome"]), (&json!("during"), &json!("applied")));
        executor.line_with("Redis answers again");
        executor.ready();
    }
}

#[test]
fn redis_away_for_too_long_ends_it_with_one_sentence() {
    let mut world = World::new();
    world.redis = None;
    let executor = world.executor(&["--redis-timeout", "0.5"]);
    let (status, log) = executor.ended(Duration::from_secs(10));
    assert_eq!(status.code(), Some(1));
    let last = log.lines().last().unwrap();
    assert!(last.starts_with("aura-executor: Redis at redis://127.0.0.1") && last.contains("correct --redis"), "{log}");
}

#[test]
fn a_broker_that_is_away_is_told_once_and_does_not_hold_up_the_stop() {
    let world = World::with_arm(0);
    let nowhere = format!("127.0.0.1:{}", common::free_port());
    let option = format!("bootstrap.servers={nowhere}");
    let executor = world.executor(&["--kafka-option", &option]);
    executor.line_with("Kafka does not answer");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(executor.http("/readyz").0, 503);
    executor.terminate();
    let (status, log) = executor.ended(Duration::from_secs(5));
    assert!(status.success());
    assert!(!log.contains("Kafka does not answer"), "{log}");
}

#[test]
fn a_taken_address_is_one_sentence() {
    let world = World::new();
    let first = world.executor(&[]);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_aura-executor"))
        .args(["--kafka", "127.0.0.1:1", "--redis", "redis://:secret@127.0.0.1:1", "--listen", &first.address])
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(log.contains("cannot be used") && !log.contains("secret"), "{log}");
}
