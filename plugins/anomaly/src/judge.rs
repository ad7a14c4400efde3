//! How unusual a number is among others.

/// How far apart the middle of a normal distribution's deviations and its standard deviation are: 1 / 0.6745, the third quartile of the standard normal distribution.
const MAD_TO_SIGMA: f64 = 1.4826;

/// What is usual, and how much a number differs from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The median of the past.
    pub usual: f64,
    /// The spread that the difference is measured in: the median of the deviations from the median, as a standard deviation.
    pub spread: f64,
    /// The difference in spreads: negative where it is less than usual. Infinite where nothing ever differed.
    pub z: f64,
}

/// Judges a value by what it was before. The spread is at least `tolerance` times the usual value. `None` where any of them is no number,
/// or there is no past.
pub fn judge(value: f64, past: &[f64], tolerance: f64) -> Option<Verdict> {
    if !value.is_finite() || past.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let usual = median(past.to_vec())?;
    let deviations = past.iter().map(|v| (v - usual).abs()).collect();
    let spread = (median(deviations)? * MAD_TO_SIGMA).max(tolerance * usual.abs());
    // Equal to what never differed is usual, not 0 / 0.
    let z = if value == usual { 0.0 } else { (value - usual) / spread };
    Some(Verdict { usual, spread, z })
}

/// The middle one, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
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

    #[test]
    fn verdicts() {
        let past = [10.0, 12.0, 11.0, 9.0, 10.0];
        let v = judge(20.0, &past, 0.0).unwrap();
        assert_eq!((v.usual, v.spread), (10.0, 1.4826));
        assert!((v.z - 6.745).abs() < 0.001, "{v:?}");
        assert!(judge(0.0, &past, 0.0).unwrap().z < -6.7);
        // One wild day among them changes little.
        assert_eq!(judge(20.0, &[10.0, 12.0, 11.0, 900.0, 10.0], 0.0).unwrap().usual, 11.0);
        // Days that were all alike.
        assert_eq!(judge(11.0, &[10.0; 7], 0.05).unwrap().z, 2.0);
        assert_eq!(judge(0.0, &[0.0; 7], 0.05).unwrap().z, 0.0);
        assert_eq!(judge(0.1, &[0.0; 7], 0.05).unwrap().z, f64::INFINITY);
        assert_eq!(judge(1.0, &[2.0, 4.0], 0.0).unwrap().usual, 3.0);
        assert_eq!(judge(1.0, &[], 0.1), None);
        assert_eq!(judge(f64::NAN, &[1.0], 0.1), None);
        assert_eq!(judge(1.0, &[1.0, f64::INFINITY], 0.1), None);
    }
}
