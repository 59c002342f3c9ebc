//! The messages of the contract: plans in, receipts and dead letters out.
//!
//! Unknown fields are ignored; known fields must have exactly their type: no number for a text, no text for a number, no
//! array for an object, no null where a value is due.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Version that every message carries; plans of this version and of the one before are read.
pub const CONTRACT_VERSION: i64 = 1;

const MAX_PLAN_ID_CHARS: usize = 200;

/// One value to put into the arm; `ttl` in seconds of the arm's clock.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Prefetch {
    pub k: String,
    pub v: String,
    pub ttl: i64,
}

/// A lever setting: one of a few words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum $name { #[default] $($variant),+ }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(word: String) -> Result<Self, String> {
                match word.as_str() {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!("unknown value {other:?}, one of {:?}", [$($word),+])),
                }
            }
        }

        impl From<$name> for &'static str {
            fn from(value: $name) -> Self {
                match value { $($name::$variant => $word),+ }
            }
        }
    };
}

words!(
    /// Weight of the decayed request count in the eviction priority.
    Frequency { None = "none", Low = "low", Medium = "medium", High = "high" }
);
words!(
    /// Which misses are filled.
    Admit { All = "all", SecondHit = "second_hit", Frequent = "frequent" }
);
words!(
    /// How long a category is kept.
    TtlClass { Long = "long", Normal = "normal", Short = "short", None = "none" }
);
words!(
    /// What a rule waits for.
    RuleEvent { SessionStart = "session_start", Request = "request" }
);
words!(
    /// Where a rule looks for what is requested next.
    RuleExpand { History = "history", Covisit = "covisit" }
);
words!(
    /// How sure a rule must be.
    Confidence { High = "high", Medium = "medium", Low = "low" }
);
words!(
    /// How a plan came about.
    PlanOutcome { Planned = "planned", Noop = "noop", Invalid = "invalid", Timeout = "timeout", Unreachable = "unreachable" }
);

/// A standing prefetch of up to `fanout` items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub on: RuleEvent,
    pub expand: RuleExpand,
    #[serde(default)]
    pub confidence: Confidence,
    #[serde(default = "most")]
    pub fanout: i64,
}

const MAX_RULES: usize = 4;
const MAX_FANOUT: i64 = 10;

const fn most() -> i64 {
    MAX_FANOUT
}

/// Levers of an arm, standing until the next policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    pub frequency: Frequency,
    pub admit: Admit,
    pub ttl: BTreeMap<String, TtlClass>,
    pub protect: Vec<String>,
    #[serde(deserialize_with = "objects")]
    pub rules: Vec<Rule>,
}

/// Evictions, prefetches and levers for one arm, and the envelope. Times `apply_at` and `expires_at` in milliseconds of
/// the arm's event clock, `issued_at` in Unix seconds, `latency_s` in seconds.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Plan {
    pub evict: Vec<String>,
    #[serde(deserialize_with = "objects")]
    pub prefetch: Vec<Prefetch>,
    #[serde(deserialize_with = "optional_object")]
    pub policy: Option<Policy>,
    #[serde(deserialize_with = "version")]
    pub version: Version,
    pub plan_id: Option<String>,
    pub run: Option<String>,
    pub arm: Option<String>,
    pub window: Option<i64>,
    pub shard: i64,
    pub context_id: Option<String>,
    pub planner: Option<String>,
    pub replica: Option<String>,
    pub issued_at: Option<f64>,
    pub apply_at: Option<i64>,
    pub expires_at: Option<i64>,
    pub latency_s: f64,
    pub outcome: PlanOutcome,
    pub reason: Option<String>,
    pub answer: Option<String>,
    pub guard: Option<String>,
}

/// Contract version of a plan; a plan that names none has the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub i64);

impl Default for Version {
    fn default() -> Self {
        Self(CONTRACT_VERSION)
    }
}

impl Plan {
    /// Reads a plan from JSON text that [`crate::json::check`] let pass. Texts that only people read are checked and dropped.
    ///
    /// # Errors
    /// What is wrong, in one sentence, when a field has the wrong type or lies outside its range.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let plan = serde_json::from_str::<Object<Self>>(text).map_err(|error| error.to_string())?.0;
        plan.check_ranges()?;
        Ok(Self { context_id: None, replica: None, reason: None, answer: None, guard: None, ..plan })
    }

    fn check_ranges(&self) -> Result<(), String> {
        if let Some(id) = &self.plan_id {
            if id.is_empty() || id.chars().count() > MAX_PLAN_ID_CHARS {
                return Err(format!("plan_id: 1 to {MAX_PLAN_ID_CHARS} characters"));
            }
        }
        for (name, value) in
            [("window", self.window), ("shard", Some(self.shard)), ("apply_at", self.apply_at), ("expires_at", self.expires_at)]
        {
            if value.is_some_and(i64::is_negative) {
                return Err(format!("{name}: must not be negative"));
            }
        }
        let rules = self.policy.as_ref().map_or(&[][..], |policy| &policy.rules);
        if rules.len() > MAX_RULES {
            return Err(format!("policy.rules: at most {MAX_RULES}"));
        }
        if rules.iter().any(|rule| !(1..=MAX_FANOUT).contains(&rule.fanout)) {
            return Err(format!("policy.rules.fanout: 1 to {MAX_FANOUT}"));
        }
        if self.latency_s < 0.0 {
            return Err("latency_s: must not be negative".to_owned());
        }
        Ok(())
    }
}

/// Numbers of evictions and prefetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ActionCounts {
    pub evict: u64,
    pub prefetch: u64,
}

/// What was done with one plan. `applied_at` in milliseconds of the arm's event clock, `latency_ms` from receiving the
/// message, without the wait for `apply_at`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub version: i64,
    pub plan_id: Option<String>,
    pub run: Option<String>,
    pub arm: Option<String>,
    pub window: Option<i64>,
    pub shard: i64,
    pub planner: Option<String>,
    pub outcome: String,
    pub reason: Option<String>,
    pub requested: ActionCounts,
    pub applied: ActionCounts,
    pub effective: ActionCounts,
    pub policy: bool,
    pub clamped: u64,
    pub refused: BTreeMap<String, u64>,
    pub applied_at: Option<i64>,
    pub latency_ms: f64,
}

/// A refused plan with the reason and where it came from; `payload` is cut to 4096 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub version: i64,
    pub reason: String,
    pub detail: String,
    pub plan_id: Option<String>,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub payload: String,
}

/// A value that must be a JSON object: the derived readers would also take an array of the fields.
struct Object<T>(T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: DeserializeOwned> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}

fn objects<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let found = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(found.into_iter().map(|object| object.0).collect())
}

fn optional_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Policy>, D::Error> {
    Ok(Option::<Object<Policy>>::deserialize(deserializer)?.map(|object| object.0))
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
    i64::deserialize(deserializer).map(Version)
}
