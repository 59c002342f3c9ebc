//! Log lines as JSON objects, shaped like those of the other services: time, level, logger, message, then what is known.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::job::Scope;

/// Formats events; every line says whose executor speaks.
pub struct Lines {
    fixed: Map<String, Value>,
}

impl Lines {
    /// Lines of the executor of one arm, with its experiment and run if they are given.
    #[must_use]
    pub fn new(scope: &Scope) -> Self {
        let known = [("experiment", scope.experiment.as_deref()), ("run", scope.run.as_deref()), ("arm", Some(&*scope.arm))];
        let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
        let mut fixed: Map<String, Value> = known.collect();
        fixed.insert("shard".to_owned(), scope.shard.into());
        Self { fixed }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>, N: for<'a> FormatFields<'a> + 'static> FormatEvent<S, N> for Lines {
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut stamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut stamp))?;
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let mut line = Map::new();
        line.insert("ts".to_owned(), stamp.into());
        line.insert("level".to_owned(), level.as_str().to_ascii_lowercase().into());
        line.insert("logger".to_owned(), target.into());
        line.extend(self.fixed.clone());
        event.record(&mut Fields(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}
