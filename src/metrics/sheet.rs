//! The sheet that a scrape fills: families with their series, and how many there are.

use std::time::Duration;

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily};

use super::family::{Family, Kind};
use crate::detector::histogram::{Bounds, Histogram as Observed};

/// What was filled in so far.
#[derive(Default)]
pub(super) struct Sheet {
    families: Vec<MetricFamily>,
    series: usize,
}

/// What a histogram of the text format is made of.
pub(super) struct Buckets {
    /// Upper bounds in seconds, and how many observations were not above each.
    pub(super) within: Vec<(f64, u64)>,
    pub(super) count: u64,
    pub(super) sum: Duration,
}

impl Buckets {
    /// Of what was observed, only these of its bounds: each bound is one more series.
    pub(super) fn of(observed: &Observed, bounds: &Bounds, kept: &[u64]) -> Self {
        let all = bounds.iter().zip(observed.cumulative());
        let within = all.filter(|(bound, _)| kept.contains(bound));
        let within = within.map(|(&bound, count)| (Duration::from_micros(bound).as_secs_f64(), count)).collect();
        Self { within, count: observed.count(), sum: observed.sum() }
    }
}

impl Sheet {
    /// A family of one series without labels.
    pub(super) fn put(&mut self, family: &Family, value: impl Number) {
        self.each(family, [([], value)]);
    }

    /// The same, unless there is nothing to say.
    pub(super) fn put_if_known(&mut self, family: &Family, value: Option<impl Number>) {
        if let Some(value) = value {
            self.put(family, value);
        }
    }

    /// A family with a series for each of these values of its labels.
    pub(super) fn each<'a, const N: usize>(
        &mut self,
        family: &Family,
        series: impl IntoIterator<Item = ([&'a str; N], impl Number)>,
    ) {
        debug_assert_eq!(family.labels.len(), N, "{}", family.name);
        let metrics = series.into_iter().map(|(values, value)| metric(family, &values, value.as_number())).collect();
        self.add(family, metrics, 1);
    }

    /// A family that is a histogram.
    pub(super) fn histogram(&mut self, family: &Family, buckets: Buckets) {
        debug_assert_eq!(family.kind, Kind::Histogram, "{}", family.name);
        // Beside the bounds: the one that is infinite, the sum, the count.
        let series = buckets.within.len() + 3;
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.within.into_iter().map(bucket).collect());
        histogram.set_sample_count(buckets.count);
        histogram.set_sample_sum(buckets.sum.as_secs_f64());
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        self.add(family, vec![metric], series);
    }

    /// How many series there are so far.
    pub(super) fn series(&self) -> usize {
        self.series
    }

    pub(super) fn into_families(self) -> Vec<MetricFamily> {
        self.families
    }

    fn add(&mut self, family: &Family, metrics: Vec<Metric>, series_each: usize) {
        self.series += metrics.len() * series_each;
        let mut filled = MetricFamily::default();
        filled.set_name(family.name.to_owned());
        filled.set_help(family.help.to_owned());
        filled.set_field_type(family.kind.to_proto());
        filled.set_metric(metrics);
        self.families.push(filled);
    }
}

fn metric(family: &Family, values: &[&str], value: f64) -> Metric {
    let pairs = family.labels.iter().zip(values).map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    let mut metric = Metric::from_label(pairs.collect());
    if family.kind == Kind::Counter {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    metric
}

fn bucket((bound, count): (f64, u64)) -> Bucket {
    let mut bucket = Bucket::default();
    bucket.set_upper_bound(bound);
    bucket.set_cumulative_count(count);
    bucket
}

/// What can be the value of a series; the format knows one kind of number.
pub(super) trait Number {
    fn as_number(&self) -> f64;
}

impl Number for f64 {
    fn as_number(&self) -> f64 {
        *self
    }
}

impl Number for u64 {
    fn as_number(&self) -> f64 {
        *self as f64
    }
}

impl Number for usize {
    fn as_number(&self) -> f64 {
        *self as f64
    }
}

impl Number for bool {
    fn as_number(&self) -> f64 {
        f64::from(u8::from(*self))
    }
}

/// Seconds, to the microsecond: what is finer is noise, and costs bytes.
impl Number for Duration {
    fn as_number(&self) -> f64 {
        self.as_micros() as f64 / 1e6
    }
}
