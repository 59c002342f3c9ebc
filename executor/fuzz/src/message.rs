//! Messages that look like plans, made from arbitrary bytes.

use arbitrary::{Arbitrary, Unstructured};
use serde_json::{Map, Value, json};

/// Texts that have meant something to a parser, a shell or a server.
const HOSTILE: [&str; 20] = [
    "item:1",
    "item:",
    "item:*",
    "item:a b",
    "item:a\r\nFLUSHALL\r\n",
    "item:\0",
    "item:\u{7f}",
    "ITEM:1",
    " item:1",
    "aura:state",
    "aura:policy",
    "aura:plan:x",
    "user:1",
    "*1\r\n$8\r\nFLUSHALL\r\n",
    "$-1\r\n",
    "\u{feff}item:1",
    "item:\u{202e}1",
    "",
    "run-1",
    "aura",
];
const FIELDS: [&str; 20] = [
    "evict",
    "prefetch",
    "policy",
    "version",
    "plan_id",
    "run",
    "arm",
    "window",
    "shard",
    "context_id",
    "planner",
    "replica",
    "issued_at",
    "apply_at",
    "expires_at",
    "latency_s",
    "outcome",
    "reason",
    "answer",
    "guard",
];
const WORDS: [&str; 12] =
    ["none", "low", "medium", "high", "all", "second_hit", "long", "short", "session_start", "request", "history", "covisit"];
const LONGEST: usize = 400_000;
const DEEPEST: u32 = 5;

/// A key and the text of a plan, whole or cut.
#[derive(Debug)]
pub struct Message {
    /// Key of the message.
    pub key: Option<Vec<u8>>,
    plan: Value,
    cut: Option<usize>,
}

impl Message {
    /// The JSON text, cut where the message is.
    #[must_use]
    pub fn payload(&self) -> String {
        let mut text = self.plan.to_string();
        if let Some(at) = self.cut {
            text.truncate((0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
        }
        text
    }
}

impl<'a> Arbitrary<'a> for Message {
    fn arbitrary(source: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let key = match source.int_in_range(0..=4)? {
            0 => None,
            1 => Some(Vec::<u8>::arbitrary(source)?),
            2 => Some(b"other/aura/0".to_vec()),
            _ => Some(super::KEY.to_vec()),
        };
        let mut plan = Map::new();
        for _ in 0..source.int_in_range(0..=8)? {
            let name = *source.choose(&FIELDS)?;
            plan.insert(name.to_owned(), field(name, source)?);
        }
        let cut = if source.ratio(1, 16)? { Some(usize::from(u16::arbitrary(source)?)) } else { None };
        Ok(Self { key, plan: Value::Object(plan), cut })
    }
}

fn field(name: &str, source: &mut Unstructured) -> arbitrary::Result<Value> {
    if source.ratio(1, 8)? {
        return anything(source, 0);
    }
    Ok(match name {
        "evict" => list(source, text)?,
        "prefetch" => list(source, |source| Ok(json!({"k": text(source)?, "v": text(source)?, "ttl": i64::arbitrary(source)?})))?,
        "policy" => policy(source)?,
        "version" => json!(source.int_in_range(-1..=3)?),
        "window" | "shard" | "apply_at" | "expires_at" => number(source)?,
        "issued_at" | "latency_s" => json!(f64::arbitrary(source)?),
        _ => text(source)?,
    })
}

fn policy(source: &mut Unstructured) -> arbitrary::Result<Value> {
    let rule = |source: &mut Unstructured| {
        Ok(
            json!({"on": word(source)?, "expand": word(source)?, "confidence": word(source)?, "fanout": source.int_in_range(-1..=12)?}),
        )
    };
    let mut ttl = Map::new();
    for _ in 0..source.int_in_range(0..=3)? {
        ttl.insert(text(source)?.as_str().unwrap_or_default().to_owned(), word(source)?);
    }
    Ok(
        json!({"frequency": word(source)?, "admit": word(source)?, "ttl": ttl, "protect": list(source, text)?, "rules": list(source, rule)?}),
    )
}

fn list(source: &mut Unstructured, one: impl Fn(&mut Unstructured) -> arbitrary::Result<Value>) -> arbitrary::Result<Value> {
    (0..source.int_in_range(0..=30)?).map(|_| one(source)).collect()
}

fn word(source: &mut Unstructured) -> arbitrary::Result<Value> {
    if source.ratio(1, 12)? { text(source) } else { Ok(json!(source.choose(&WORDS)?)) }
}

fn number(source: &mut Unstructured) -> arbitrary::Result<Value> {
    Ok(if source.ratio(1, 4)? { json!(u64::arbitrary(source)?) } else { json!(source.int_in_range(-2..=5_i64)?) })
}

fn text(source: &mut Unstructured) -> arbitrary::Result<Value> {
    Ok(match source.int_in_range(0..=5)? {
        0 => json!(String::arbitrary(source)?),
        1 => json!(format!("item:{}", String::arbitrary(source)?)),
        2 if source.ratio(1, 64)? => {
            let one = char::arbitrary(source)?;
            let times = source.int_in_range(1..=LONGEST / one.len_utf8())?;
            json!(format!("{}{}", source.choose(&HOSTILE)?, one.to_string().repeat(times)))
        }
        _ => json!(source.choose(&HOSTILE)?),
    })
}

fn anything(source: &mut Unstructured, depth: u32) -> arbitrary::Result<Value> {
    Ok(match source.int_in_range(0..=6)? {
        0 => Value::Null,
        1 => json!(bool::arbitrary(source)?),
        2 => json!(i64::arbitrary(source)?),
        3 => json!(f64::arbitrary(source)?),
        4 if depth < DEEPEST => {
            (0..source.int_in_range(0..=3)?).map(|_| anything(source, depth + 1)).collect::<arbitrary::Result<_>>()?
        }
        5 if depth < DEEPEST => json!({text(source)?.as_str().unwrap_or_default(): anything(source, depth + 1)?}),
        _ => text(source)?,
    })
}
