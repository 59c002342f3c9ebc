//! Plans for an unmodified Redis.

mod common;

use common::World;
use serde_json::{Value, json};

#[test]
fn keys_are_deleted_and_set_with_a_ttl_once() {
    let world = World::new();
    let executor = world.executor(&["--mode", "plain"]);
    let (receipts, letters) = (world.receipts(), world.dead_letters());
    world.set("item:1", "old");
    world.set("item:2", "old");
    world.set("user:1", "theirs");
    let plan = json!({"plan_id": "p", "evict": ["item:1", "item:9", "user:1"],
        "prefetch": [{"k": "item:2", "v": "né", "ttl": 5}, {"k": "item:3", "v": "new", "ttl": 99999}]});
    world.publish(plan.to_string());
    let receipt = receipts.next();
    assert_eq!(receipt["outcome"], "applied");
    assert_eq!(receipt["applied"], json!({"evict": 2, "prefetch": 2}));
    assert_eq!(receipt["effective"], json!({"evict": 1, "prefetch": 1}));
    assert_eq!((&receipt["clamped"], &receipt["applied_at"]), (&json!(2), &Value::Null));
    assert_eq!((world.get("item:1"), world.get("user:1")), (None, Some("theirs".to_owned())));
    assert_eq!(world.get("item:2").as_deref(), Some("né"));
    let ttl = |key: &str| redis::cmd("TTL").arg(key).query::<i64>(&mut world.redis()).unwrap();
    assert!((50..=60).contains(&ttl("item:2")) && (3590..=3600).contains(&ttl("item:3")));

    world.set("item:1", "again");
    world.publish(plan.to_string());
    assert_eq!(receipts.next()["reason"], "duplicate");
    assert_eq!(letters.next()["reason"], "duplicate");
    assert_eq!(world.get("item:1").as_deref(), Some("again"));
    assert_eq!(executor.metric("aura_executor_plans_total{outcome=\"refused\"}"), 1);
}

#[test]
fn the_prototypes_bare_form_and_a_policy() {
    let world = World::new();
    let _executor = world.executor(&["--mode", "plain"]);
    let receipts = world.receipts();
    // Two plans in one go: the second, of the same bytes, is the same plan.
    for _ in 0..2 {
        world.publish(r#"{"evict":[],"prefetch":[{"k":"item:2","v":"…","ttl":900}]}"#);
    }
    world.publish(r#"{"policy":{"admit":"frequent"},"apply_at":99999999,"expires_at":0}"#);
    assert_eq!(receipts.next()["effective"], json!({"evict": 0, "prefetch": 1}));
    assert_eq!(receipts.next()["reason"], "duplicate");
    let receipt = receipts.next();
    assert_eq!((&receipt["outcome"], &receipt["policy"]), (&json!("applied"), &json!(false)));
    assert_eq!(receipt["refused"], json!({"policy_unsupported": 1}));
    assert_eq!(world.get("item:2").as_deref(), Some("…"));
}

#[test]
fn a_plan_that_redis_refuses_is_a_dead_letter_and_holds_nothing_up() {
    let world = World::new();
    let _executor = world.executor(&["--mode", "plain"]);
    let (receipts, letters) = (world.receipts(), world.dead_letters());
    let config = |value: &str| {
        redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(value).exec(&mut world.redis()).unwrap();
    };
    config("1");
    world.publish(r#"{"plan_id":"a","prefetch":[{"k":"item:1","v":"x","ttl":900}]}"#);
    assert_eq!(receipts.next()["reason"], "redis_error");
    assert!(letters.next()["detail"].as_str().unwrap().contains("maxmemory"));
    config("0");
    world.publish(r#"{"plan_id":"b","prefetch":[{"k":"item:1","v":"x","ttl":900}]}"#);
    assert_eq!(receipts.next()["outcome"], "applied");
    assert_eq!(world.get("aura:plan:a"), None);
}
