//! A point of a metric as the collector keeps it: one flat record.

use super::Attributes;

/// One point of one time series, as one export told it.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPoint {
    /// The metric's name.
    pub name: String,
    /// What the metric says of itself.
    pub description: String,
    /// The unit, in UCUM.
    pub unit: String,
    /// What is measured, and how it adds up.
    pub data: MetricData,
    /// What tells this time series from the metric's others.
    pub attributes: Attributes,
    /// From when on it counts, in nanoseconds since 1970; 0 where it does not count.
    pub start_unix_nano: u64,
    /// When it was read, in nanoseconds since 1970.
    pub time_unix_nano: u64,
    /// How many exemplars came with it.
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
    /// What it is now.
    Gauge(f64),
    /// How much it has become.
    Sum {
        /// How much.
        value: f64,
        /// Whether it only grows.
        is_monotonic: bool,
        /// Since when it counts.
        temporality: Temporality,
    },
    /// How often which values came.
    Histogram {
        /// How many values.
        count: u64,
        /// Their sum.
        sum: f64,
        /// The upper bounds of the buckets but the last.
        bounds: Vec<f64>,
        /// How many values are in each bucket.
        counts: Vec<u64>,
        /// Since when it counts.
        temporality: Temporality,
    },
}

/// Since when a sum counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    /// Not said.
    Unspecified,
    /// The last export.
    Delta,
    /// The start of the process.
    Cumulative,
}
