//! Metrics: what has been answered and taken in since the start, and what there is now.

use httpkit::Answered;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use service::Reckoner;
use std::fmt;

/// Bounds of durations.
///
/// Units: seconds.
const BOUNDS: [f64; 11] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// What is counted while the program runs. Clones share the counts.
#[derive(Clone)]
pub(crate) struct Metrics {
    answers: Family<Labels<2>, Counter>,
    durations: Family<Labels<1>, Histogram, fn() -> Histogram>,
    callbacks: Family<Labels<1>, Counter>,
    failures: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        Metrics {
            answers: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BOUNDS)),
            callbacks: Family::default(),
            failures: Counter::default(),
        }
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, answered: Answered) {
        let Answered { surface, status, duration } = answered;
        let class = match status.as_u16() {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.answers.get_or_create(&[("surface", surface), ("status", class)]).inc();
        let seconds = duration.as_secs_f64();
        self.durations.get_or_create(&[("surface", surface)]).observe(seconds);
    }

    /// Counts a try of a callback, by what came of it.
    pub(crate) fn callback_tried(&self, outcome: &'static str) {
        self.callbacks.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts a round of housekeeping that failed.
    pub(crate) fn housekeeping_failed(&self) {
        self.failures.inc();
    }

    /// Everything as OpenMetrics text.
    pub(crate) fn text(&self, reckoner: &Reckoner) -> Result<String, fmt::Error> {
        let Metrics { answers, durations, callbacks, failures } = self;
        let mut registry = Registry::with_prefix("reckoner");
        for (name, value) in reckoner.figures() {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            registry.register(name, name.replace('_', " "), ConstGauge::new(value));
        }
        let records = Family::<Labels<1>, Counter>::default();
        for (verdict, count) in reckoner.verdicts() {
            records.get_or_create(&[("verdict", verdict)]).inc_by(count);
        }
        registry.register("records", "records taken in since the start, by verdict", records);
        registry.register("answers", "answers since the start", answers.clone());
        registry.register_with_unit(
            "answer_duration",
            "from the head of a request to the head of its answer",
            Unit::Seconds,
            durations.clone(),
        );
        let help = "tries of callbacks with results since the start, by what came of them";
        registry.register("callbacks", help, callbacks.clone());
        let help = "rounds of housekeeping that failed since the start";
        registry.register("housekeeping_failures", help, failures.clone());
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}
