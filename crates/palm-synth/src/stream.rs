//! Random numbers and noise as pure functions of a seed.

/// A well-mixed function of `z` (the finaliser of SplitMix64, Steele, Lea and Flood 2014).
pub(crate) fn scramble(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What a stream is drawn for: two purposes of one seed share nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Person = 1,
    Anatomy,
    AnatomyOfSide,
    Outline,
    Creases,
    FineLines,
    Veins,
    Tone,
    Ridges,
    Light,
    Deformation,
    RoiPose,
    Approach,
    Jitter,
    SensorNoise,
    Ground,
    Phone,
    Sway,
    Attack,
}

/// A sequence of random numbers that follows from a seed and a purpose.
#[derive(Clone, Debug)]
pub(crate) struct Stream(u64);

impl Stream {
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Self {
        Self(scramble(scramble(seed ^ 0x6a09_e667_f3bc_c908) ^ (purpose as u64)))
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Uniform between `low` and `high`.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Near-normal with mean 0 and standard deviation 1, within 3.5: the sum of four uniforms.
    pub(crate) fn normal(&mut self) -> f32 {
        let bits = self.bits();
        let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
        (sum as f32 / 65_536.0 - 2.0) * 1.732_050_8
    }

    /// Near-normal around `mean`.
    pub(crate) fn around(&mut self, mean: f32, deviation: f32) -> f32 {
        mean + deviation * self.normal()
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// A smooth noise field of its own.
    pub(crate) fn noise(&mut self) -> Noise {
        Noise((self.bits() >> 32) as u32)
    }
}

/// Value noise: a smooth field in `[-1, 1]` with one random value at each whole point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise(u32);

impl Noise {
    fn lattice(self, x: i32, y: i32) -> f32 {
        let mut h =
            self.0 ^ (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca77);
        h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
        h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
        h ^= h >> 15;
        (h >> 8) as f32 / 8_388_608.0 - 1.0
    }

    /// The field's value at a point.
    pub(crate) fn at(self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let (sx, sy) = (fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy));
        let (column, row) = (left as i32, top as i32);
        let above = self.lattice(column, row) * (1.0 - sx) + self.lattice(column + 1, row) * sx;
        let below =
            self.lattice(column, row + 1) * (1.0 - sx) + self.lattice(column + 1, row + 1) * sx;
        above * (1.0 - sy) + below * sy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_and_seeds_share_nothing() {
        let first = |seed, purpose| Stream::new(seed, purpose).bits();
        assert_eq!(first(1, Purpose::Person), first(1, Purpose::Person));
        assert_ne!(first(1, Purpose::Person), first(1, Purpose::Anatomy));
        assert_ne!(first(1, Purpose::Person), first(2, Purpose::Person));
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_deviation_one() {
        let mut stream = Stream::new(7, Purpose::Creases);
        let drawn: Vec<f32> = (0..20_000).map(|_| stream.normal()).collect();
        let mean = drawn.iter().sum::<f32>() / drawn.len() as f32;
        let variance = drawn.iter().map(|x| x * x).sum::<f32>() / drawn.len() as f32;
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04,
            "mean {mean} variance {variance}"
        );
    }

    #[test]
    fn noise_is_continuous_across_cells() {
        let noise = Stream::new(3, Purpose::Tone).noise();
        for step in 0..100 {
            let x = step as f32 * 0.37 - 15.0;
            assert!(
                (noise.at(x.floor() - 1e-4, 0.3) - noise.at(x.floor() + 1e-4, 0.3)).abs() < 1e-2
            );
        }
    }
}
