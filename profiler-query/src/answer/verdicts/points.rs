//! Fewer points for the same time.

use profiler_proto::v1::ResidentPoint;

/// At most so many points, oldest first as before: neighbours are put together, so that no minimum
/// or maximum is lost.
pub fn fewer(points: Vec<ResidentPoint>, most: usize) -> Vec<ResidentPoint> {
    if points.len() <= most || most == 0 {
        return points;
    }
    let size = points.len().div_ceil(most);
    points.chunks(size).filter_map(joined).collect()
}

fn joined(points: &[ResidentPoint]) -> Option<ResidentPoint> {
    let last = points.last()?;
    let seconds: f64 = points.iter().map(|point| point.seconds).sum();
    let mean = |rate: fn(&ResidentPoint) -> f64| {
        let sum: f64 = points.iter().map(|point| rate(point) * point.seconds).sum();
        if seconds > 0.0 {
            sum / seconds
        } else {
            rate(last)
        }
    };
    Some(ResidentPoint {
        time: last.time,
        seconds,
        min_bytes: points.iter().map(|point| point.min_bytes).min()?,
        max_bytes: points.iter().map(|point| point.max_bytes).max()?,
        limit_bytes: last.limit_bytes,
        received_bytes_per_second: mean(|point| point.received_bytes_per_second),
        received_calls_per_second: mean(|point| point.received_calls_per_second),
        open_connections: mean(|point| point.open_connections),
    })
}
