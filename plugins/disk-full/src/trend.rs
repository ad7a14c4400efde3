//! How a number goes, whatever single points say.

use watchglass_sdk::Point;

/// The slope per second through points, by Theil and Sen: the median of the slopes of all pairs. A log that is rotated or a file that is written and
/// deleted again doesn't turn it, as it would a least-squares line. `None` for fewer than two times.
pub fn slope(points: &[Point]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (i, a) in points.iter().enumerate() {
        for b in &points[i + 1..] {
            let seconds = (b.at - a.at) as f64 / 1000.0;
            let slope = (b.v - a.v) / seconds;
            if seconds > 0.0 && slope.is_finite() {
                slopes.push(slope);
            }
        }
    }
    median(&mut slopes)
}

/// The middle one, or the mean of the two in the middle. It sorts.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some((values[middle - 1] + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points a second apart.
    fn points(values: &[f64]) -> Vec<Point> {
        values.iter().enumerate().map(|(i, v)| Point { at: i as i64 * 1000, v: *v }).collect()
    }

    #[test]
    fn slopes() {
        assert_eq!(slope(&points(&[10.0, 8.0, 6.0, 4.0])), Some(-2.0));
        // One wild point among them.
        assert_eq!(slope(&points(&[10.0, 9.0, 100.0, 7.0, 6.0, 5.0])), Some(-1.0));
        assert_eq!(slope(&points(&[5.0, 5.0, 5.0])), Some(0.0));
        assert_eq!(slope(&points(&[5.0])), None);
        assert_eq!(slope(&[]), None);
        assert_eq!(slope(&[Point { at: 0, v: 1.0 }, Point { at: 0, v: 2.0 }]), None, "no time between them");
        assert_eq!(slope(&points(&[f64::NAN, 3.0, 2.0])), Some(-1.0));
    }

    #[test]
    fn medians() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&mut []), None);
    }
}
