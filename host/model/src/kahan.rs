//! Compensated summation.

/// A running sum that keeps what rounding took from it (Neumaier's variant of Kahan summation), as PromQL's sums do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kahan {
    sum: f64,
    lost: f64,
}

impl Kahan {
    /// A sum of one value.
    pub fn new(value: f64) -> Kahan {
        Kahan { sum: value, lost: 0.0 }
    }

    /// Adds a value. Once infinite, nothing is compensated any more (infinity minus infinity would make it NaN).
    #[inline]
    pub fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - total) + value;
        } else {
            self.lost += (value - total) + self.sum;
        }
        self.sum = total;
    }

    /// Adds another sum with its compensation.
    pub fn merge(&mut self, other: Kahan) {
        self.add(other.sum);
        self.lost += other.lost;
    }

    /// The sum, compensation included.
    #[inline]
    pub fn total(self) -> f64 {
        self.sum + self.lost
    }

    /// The sum without its compensation, for whoever wants to look for overflow.
    pub fn raw(self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_comes_back() {
        let mut sum = Kahan::new(5.3);
        for v in [1e100, 1.0, -1e100, 2.0, 1e50, -1e50] {
            sum.add(v);
        }
        assert_eq!(sum.total(), 8.3);
    }

    #[test]
    fn infinity_stays() {
        let mut sum = Kahan::new(f64::MAX);
        sum.add(f64::MAX);
        sum.add(-1.0);
        assert_eq!(sum.total(), f64::INFINITY);
        sum.add(f64::NEG_INFINITY);
        assert!(sum.total().is_nan());
    }
}
