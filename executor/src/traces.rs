//! The span `apply` of each plan, in the trace that the plan came in: off unless OpenTelemetry's variables name a collector.

use std::time::{Instant, SystemTime};

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Span, Tracer};
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::job::{Job, Outcome, Work};
use crate::plan::Plan;
use crate::text::{NAME_CHARS, cut};

/// Header of a message that names its trace.
pub const HEADER: &str = "traceparent";

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// Delivers spans to the collector; without one there are none.
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Traces as the environment wants them; call it outside the runtime, since the exporter has a thread of its own.
    ///
    /// # Errors
    /// One sentence when the collector's address cannot be used.
    pub fn from_environment() -> Result<Self, String> {
        let said = |name: &str| std::env::var(name).unwrap_or_default();
        let disabled = said("OTEL_SDK_DISABLED").eq_ignore_ascii_case("true") || said("OTEL_TRACES_EXPORTER") == "none";
        if disabled || ENDPOINTS.iter().all(|name| said(name).is_empty()) {
            return Ok(Self(None));
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .build()
            .map_err(|error| format!("{} cannot be used: {error}; correct it", ENDPOINTS[0]))?;
        let mut resource = Resource::builder();
        if said(SERVICE_NAME).is_empty() {
            resource = resource.with_service_name("aura-executor");
        }
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        global::set_tracer_provider(provider.clone());
        Ok(Self(Some(provider)))
    }

    /// Delivers what is left.
    pub fn close(self) {
        if let Some(provider) = self.0 {
            let _ = provider.shutdown();
        }
    }
}

/// Tells of a plan that was answered, if it came in a trace.
pub fn applied(job: &Job, outcome: &Outcome) {
    let (Some(parent), Some(plan)) = (job.source.traceparent.as_ref(), plan(&job.work)) else {
        return;
    };
    let carrier = std::collections::HashMap::from([(HEADER.to_owned(), parent.clone())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    let tracer = global::tracer("aura");
    let mut attributes = vec![KeyValue::new("aura.plan_id", job.plan_id.clone()), KeyValue::new("aura.outcome", word(outcome))];
    attributes.extend(plan.arm.as_deref().map(|arm| KeyValue::new("aura.arm", cut(arm, NAME_CHARS).to_owned())));
    attributes.extend(plan.window.map(|window| KeyValue::new("aura.window", window)));
    let started = started(job.source.received);
    tracer.span_builder("apply").with_start_time(started).with_attributes(attributes).start_with_context(&tracer, &context).end();
}

fn plan(work: &Work) -> Option<&Plan> {
    match work {
        Work::Skip(_) => None,
        Work::Refuse(refused) => Some(&refused.plan),
        Work::Nothing(found) | Work::Apply(found) => Some(&found.plan),
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Skipped(skip) => skip.word(),
        Outcome::Applied(_) => "applied",
        Outcome::Refused { reason, .. } => reason,
    }
}

fn started(received: Instant) -> SystemTime {
    let now = SystemTime::now();
    now.checked_sub(received.elapsed()).unwrap_or(now)
}
