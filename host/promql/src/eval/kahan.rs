//! Compensated summation in two loose numbers, for accumulators that lie in arrays.

/// Adds to a sum whose lost low digits are kept beside it (Neumaier's variant of Kahan's method).
#[inline]
pub(crate) fn add(value: f64, sum: &mut f64, lost: &mut f64) {
    let total = *sum + value;
    if total.is_infinite() {
        *lost = 0.0;
    } else if sum.abs() >= value.abs() {
        *lost += (*sum - total) + value;
    } else {
        *lost += (value - total) + *sum;
    }
    *sum = total;
}

/// A mean that doesn't overflow: a sum, until it would; from there on the mean itself is carried along.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    value: f64,
    lost: f64,
    count: f64,
    incremental: bool,
}

impl Mean {
    /// Takes one more value in.
    #[inline]
    pub(crate) fn add(&mut self, v: f64) {
        self.count += 1.0;
        if !self.incremental {
            let (mut sum, mut lost) = (self.value, self.lost);
            add(v, &mut sum, &mut lost);
            if self.count == 1.0 || !sum.is_infinite() {
                (self.value, self.lost) = (sum, lost);
                return;
            }
            self.incremental = true;
            self.value /= self.count - 1.0;
            self.lost /= self.count - 1.0;
        }
        let q = (self.count - 1.0) / self.count;
        self.value *= q;
        self.lost *= q;
        add(v / self.count, &mut self.value, &mut self.lost);
    }

    /// How many values.
    #[inline]
    pub(crate) fn count(&self) -> f64 {
        self.count
    }

    /// The mean of what was taken in.
    #[inline]
    pub(crate) fn get(&self) -> f64 {
        if self.incremental { self.value + self.lost } else { self.value / self.count + self.lost / self.count }
    }
}

/// A variance in one pass, by Welford's method with compensated sums.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Variance {
    count: f64,
    mean: f64,
    mean_lost: f64,
    squares: f64,
    squares_lost: f64,
}

impl Variance {
    /// Takes one more value in.
    #[inline]
    pub(crate) fn add(&mut self, v: f64) {
        self.count += 1.0;
        let delta = v - (self.mean + self.mean_lost);
        add(delta / self.count, &mut self.mean, &mut self.mean_lost);
        add(delta * (v - (self.mean + self.mean_lost)), &mut self.squares, &mut self.squares_lost);
    }

    /// How many values.
    #[inline]
    pub(crate) fn count(&self) -> f64 {
        self.count
    }

    /// The population variance.
    #[inline]
    pub(crate) fn get(&self) -> f64 {
        (self.squares + self.squares_lost) / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_survives_overflow() {
        let mut mean = Mean::default();
        for _ in 0..4 {
            mean.add(f64::MAX);
        }
        assert!((mean.get() / f64::MAX - 1.0).abs() < 1e-15);
    }

    #[test]
    fn a_constant_has_no_variance() {
        let mut variance = Variance::default();
        for _ in 0..3 {
            variance.add(1.5990505637277868);
        }
        assert_eq!(variance.get(), 0.0);
    }
}
