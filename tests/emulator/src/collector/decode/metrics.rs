//! Converts OTLP's metrics to flat records.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{
        AggregationTemporality, HistogramDataPoint, Metric, NumberDataPoint, metric::Data,
        number_data_point::Value,
    },
};

use super::attributes;
use crate::collector::{
    metric::{MetricData, MetricPoint, Temporality},
    span::Attributes,
};

/// Every point of an export, in its order. The handler sends no summaries and exponential histograms.
pub(in crate::collector) fn points(request: ExportMetricsServiceRequest) -> Vec<MetricPoint> {
    let mut points = Vec::new();
    for resource_metrics in request.resource_metrics {
        let resource = attributes(resource_metrics.resource.unwrap_or_default().attributes);
        for scope_metrics in resource_metrics.scope_metrics {
            let scope = scope_metrics.scope.unwrap_or_default();
            for metric in scope_metrics.metrics {
                points.extend(of_metric(metric).into_iter().map(|point| MetricPoint {
                    resource: resource.clone(),
                    scope_name: scope.name.clone(),
                    scope_version: scope.version.clone(),
                    scope_schema_url: scope_metrics.schema_url.clone(),
                    ..point
                }));
            }
        }
    }
    points
}

fn of_metric(metric: Metric) -> Vec<MetricPoint> {
    let Metric { name, description, unit, data, .. } = metric;
    let empty = |data| MetricPoint {
        name: name.clone(),
        description: description.clone(),
        unit: unit.clone(),
        data,
        attributes: Attributes::new(),
        start_unix_nano: 0,
        time_unix_nano: 0,
        exemplars: 0,
        resource: Attributes::new(),
        scope_name: String::new(),
        scope_version: String::new(),
        scope_schema_url: String::new(),
    };
    let number = |point: NumberDataPoint, data: MetricData| MetricPoint {
        start_unix_nano: point.start_time_unix_nano,
        time_unix_nano: point.time_unix_nano,
        exemplars: point.exemplars.len(),
        attributes: attributes(point.attributes),
        ..empty(data)
    };
    match data {
        Some(Data::Gauge(gauge)) => gauge
            .data_points
            .into_iter()
            .map(|point| {
                let data = MetricData::Gauge(value(&point));
                number(point, data)
            })
            .collect(),
        Some(Data::Sum(sum)) => {
            let temporality = temporality(sum.aggregation_temporality());
            let is_monotonic = sum.is_monotonic;
            let points = sum.data_points.into_iter();
            points
                .map(|point| {
                    let data = MetricData::Sum { value: value(&point), is_monotonic, temporality };
                    number(point, data)
                })
                .collect()
        }
        Some(Data::Histogram(histogram)) => {
            let temporality = temporality(histogram.aggregation_temporality());
            let point = |point: HistogramDataPoint| MetricPoint {
                start_unix_nano: point.start_time_unix_nano,
                time_unix_nano: point.time_unix_nano,
                exemplars: point.exemplars.len(),
                attributes: attributes(point.attributes),
                ..empty(MetricData::Histogram {
                    count: point.count,
                    sum: point.sum.unwrap_or_default(),
                    bounds: point.explicit_bounds,
                    counts: point.bucket_counts,
                    temporality,
                })
            };
            histogram.data_points.into_iter().map(point).collect()
        }
        _ => Vec::new(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "no test counts to 2^53")]
fn value(point: &NumberDataPoint) -> f64 {
    match point.value {
        Some(Value::AsDouble(value)) => value,
        Some(Value::AsInt(value)) => value as f64,
        None => f64::NAN,
    }
}

fn temporality(sent: AggregationTemporality) -> Temporality {
    match sent {
        AggregationTemporality::Unspecified => Temporality::Unspecified,
        AggregationTemporality::Delta => Temporality::Delta,
        AggregationTemporality::Cumulative => Temporality::Cumulative,
    }
}
