//! The vectors that the contract's Python tests read too, and the rules on arbitrary bytes.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use aura_executor::admissibility::{Admissible, Caps, MAX_KEY_BYTES, PlanFault, admissible};
use base64::Engine;
use proptest::prelude::*;
use serde::Deserialize;

const CAPS: Caps = Caps { max_evict: 20, max_prefetch: 20, ttl_min: 60, ttl_max: 3600 };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    payload: Option<String>,
    payload_base64: Option<String>,
    payload_parts: Option<Vec<(String, usize)>>,
    #[serde(default)]
    caps: CapsChange,
    expect: Expect,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct CapsChange {
    max_evict: Option<usize>,
    max_prefetch: Option<usize>,
    ttl_min: Option<i64>,
    ttl_max: Option<i64>,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(untagged, deny_unknown_fields)]
enum Expect {
    Fault { fault: String },
    Actions { evict: Vec<String>, prefetch: Vec<Kept>, clamped: u64, refused: BTreeMap<String, u64> },
}

#[derive(Deserialize, Debug, PartialEq)]
struct Kept {
    k: String,
    ttl: i64,
}

impl Vector {
    fn payload(&self) -> Vec<u8> {
        if let Some(encoded) = &self.payload_base64 {
            return base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
        }
        match &self.payload_parts {
            Some(parts) => parts.iter().map(|(text, times)| text.repeat(*times)).collect::<String>().into_bytes(),
            None => self.payload.clone().unwrap().into_bytes(),
        }
    }

    fn caps(&self) -> Caps {
        Caps {
            max_evict: self.caps.max_evict.unwrap_or(CAPS.max_evict),
            max_prefetch: self.caps.max_prefetch.unwrap_or(CAPS.max_prefetch),
            ttl_min: self.caps.ttl_min.unwrap_or(CAPS.ttl_min),
            ttl_max: self.caps.ttl_max.unwrap_or(CAPS.ttl_max),
        }
    }
}

fn seen(found: Admissible) -> Expect {
    Expect::Actions {
        evict: found.evict,
        prefetch: found.prefetch.into_iter().map(|action| Kept { k: action.k, ttl: action.ttl }).collect(),
        clamped: found.clamped,
        refused: found.refused.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
    }
}

#[test]
fn every_vector() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../services/contract/golden/plan_admissibility.json");
    let vectors: Vec<Vector> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(vectors.len() > 100);
    let wrong: Vec<String> = vectors
        .into_iter()
        .filter_map(|vector| {
            let (result, detail) = match admissible(&vector.payload(), &vector.caps()) {
                Ok(found) => (seen(found), String::new()),
                Err(refused) => (Expect::Fault { fault: refused.fault.word().to_owned() }, refused.detail),
            };
            (result != vector.expect).then(|| format!("{}: {result:?} ({detail}), expected {:?}", vector.name, vector.expect))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_schema_fault_keeps_the_readable_part_of_the_envelope() {
    let refused = admissible(br#"{"plan_id":"p","run":"r","arm":"a","window":3,"planner":7,"evict":1}"#, &CAPS).unwrap_err();
    assert_eq!(refused.fault, PlanFault::Schema);
    assert_eq!((refused.plan.plan_id.as_deref(), refused.plan.run.as_deref()), (Some("p"), Some("r")));
    assert_eq!((refused.plan.arm.as_deref(), refused.plan.window, refused.plan.planner), (Some("a"), Some(3), None));
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        "item:[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        let name = prop::sample::select(vec!["evict", "prefetch", "k", "v", "ttl", "policy", "window", "plan_id", "x"]);
        let fields = prop::collection::vec((name, inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            fields.prop_map(|fields| fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

fn plan_like() -> impl Strategy<Value = serde_json::Value> {
    let key = prop_oneof!["item:[a-e]", "item:\\PC{0,3}", "[a-z]{0,4}:[a-z]{0,2}", "item:[a]{240,260}"];
    let action = (key.clone(), ".{0,4}", any::<i64>());
    (prop::collection::vec(key, 0..12), prop::collection::vec(action, 0..12)).prop_map(|(evict, prefetch)| {
        let prefetch: Vec<_> = prefetch.into_iter().map(|(k, v, ttl)| serde_json::json!({"k": k, "v": v, "ttl": ttl})).collect();
        serde_json::json!({"evict": evict, "prefetch": prefetch})
    })
}

fn holds(payload: &[u8], caps: &Caps) {
    let Ok(found) = admissible(payload, caps) else { return };
    let keys: Vec<&String> = found.evict.iter().chain(found.prefetch.iter().map(|action| &action.k)).collect();
    assert!(keys.iter().all(|key| key.starts_with("item:") && key.len() > 5 && key.len() <= MAX_KEY_BYTES));
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
    assert!(found.evict.len() <= caps.max_evict && found.prefetch.len() <= caps.max_prefetch);
    assert!(found.prefetch.iter().all(|action| (caps.ttl_min..=caps.ttl_max).contains(&action.ttl)));
    let total = found.requested.evict + found.requested.prefetch;
    assert_eq!(total, keys.len() as u64 + found.refused.values().sum::<u64>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_never_break_a_rule(payload in prop::collection::vec(any::<u8>(), 0..400)) {
        holds(&payload, &CAPS);
    }

    #[test]
    fn arbitrary_json_never_breaks_a_rule(value in json()) {
        holds(value.to_string().as_bytes(), &Caps { max_evict: 2, max_prefetch: 1, ttl_min: 60, ttl_max: 90 });
    }

    #[test]
    fn arbitrary_plans_keep_the_rules(value in plan_like(), max_evict in 0..8_usize, max_prefetch in 0..8_usize) {
        holds(value.to_string().as_bytes(), &Caps { max_evict, max_prefetch, ttl_min: 60, ttl_max: 3600 });
    }
}
