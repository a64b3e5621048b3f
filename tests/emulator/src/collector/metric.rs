//! A point of a metric as the collector stores it: one flat record.

use super::Attributes;

/// One point of one time series, from one export.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPoint {
    /// The metric's name.
    pub name: String,
    /// The metric's description.
    pub description: String,
    /// The unit, in UCUM.
    pub unit: String,
    /// The value, by the kind of the metric.
    pub data: MetricData,
    /// The attributes, which identify the time series within the metric.
    pub attributes: Attributes,
    /// The start of the counting, in nanoseconds since 1970; 0 if it does not count.
    pub start_unix_nano: u64,
    /// When it was read, in nanoseconds since 1970.
    pub time_unix_nano: u64,
    /// The number of its exemplars.
    pub exemplars: usize,
    /// The attributes of the resource.
    pub resource: Attributes,
    /// The instrumentation scope's name.
    pub scope_name: String,
    /// The instrumentation scope's version.
    pub scope_version: String,
    /// The schema URL of the scope's metrics; empty if there is none.
    pub scope_schema_url: String,
}

/// The value of a point, by the kind of its metric.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricData {
    /// A current value.
    Gauge(f64),
    /// A sum.
    Sum {
        /// The sum.
        value: f64,
        /// Whether it only grows.
        is_monotonic: bool,
        /// The start of the counting.
        temporality: Temporality,
    },
    /// A histogram.
    Histogram {
        /// The number of values.
        count: u64,
        /// Their sum.
        sum: f64,
        /// The upper bounds of all buckets except the last.
        bounds: Vec<f64>,
        /// The number of values in each bucket.
        counts: Vec<u64>,
        /// The start of the counting.
        temporality: Temporality,
    },
}

/// The start of a sum's counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    /// Unspecified.
    Unspecified,
    /// The last export.
    Delta,
    /// The start of the process.
    Cumulative,
}
