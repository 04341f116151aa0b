//! The Galois ring GR(2^16, 4) = Z/2^16 \[x\] / (x^4 - x - 1), and how four numbers pack into one
//! element.
//!
//! Modulo 2 the polynomial is x^4 + x + 1, which is irreducible; so an element is a unit exactly if
//! it is not zero modulo 2. Z/2^16 itself has only two points whose difference is a unit, too few
//! for three parties to share by Shamir's scheme; this ring has sixteen.

use crate::Role;

/// Coefficients in an element, and numbers that pack into one.
pub const DEGREE: usize = 4;

/// An element, by its coefficients of 1, x, x^2, x^3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Element(pub [u16; DEGREE]);

/// Nodes' points for Shamir's scheme: 1, x and 1 + x. Each and every difference is a unit.
pub const POINTS: [Element; 3] =
    [Element([1, 0, 0, 0]), Element([0, 1, 0, 0]), Element([1, 1, 0, 0])];

/// The linear map L from the ring to Z/2^16 for which [`BASIS`] is its own dual, by its values at
/// 1, x, x^2, x^3.
const FUNCTIONAL: [u16; DEGREE] = [65_534, 65_535, 3, 65_534];

/// A basis a_0..a_3 with L(a_i a_j) = 1 where i = j and 0 elsewhere, so that for elements packed in
/// it L(sum v_i a_i * sum w_j a_j) = sum v_i w_i. Found by an offline search
/// (`examples/basis_search.rs`), checked by the tests of this file.
pub const BASIS: [Element; DEGREE] = [
    Element([0, 0, 0, 1]),
    Element([0, 2_350, 1_175, 4_700]),
    Element([8_053, 38_933, 40_155, 52_595]),
    Element([22_279, 64_486, 16_481, 8_446]),
];

impl Element {
    /// Zero.
    pub const ZERO: Self = Self([0; DEGREE]);
    /// One.
    pub const ONE: Self = Self([1, 0, 0, 0]);

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].wrapping_add(other.0[at])))
    }

    /// The difference.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].wrapping_sub(other.0[at])))
    }

    /// The product with a number.
    #[must_use]
    pub fn scaled(self, by: u16) -> Self {
        Self(self.0.map(|coefficient| coefficient.wrapping_mul(by)))
    }

    /// The product.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        let mut wide = [0u16; 2 * DEGREE - 1];
        for (i, &a) in self.0.iter().enumerate() {
            for (j, &b) in other.0.iter().enumerate() {
                wide[i + j] = wide[i + j].wrapping_add(a.wrapping_mul(b));
            }
        }
        // x^k = x^(k-4) + x^(k-3), from the highest power down.
        for k in (DEGREE..wide.len()).rev() {
            wide[k - DEGREE] = wide[k - DEGREE].wrapping_add(wide[k]);
            wide[k - DEGREE + 1] = wide[k - DEGREE + 1].wrapping_add(wide[k]);
        }
        Self([wide[0], wide[1], wide[2], wide[3]])
    }

    /// Whether it has an inverse: it is not zero modulo 2.
    #[must_use]
    pub fn is_unit(self) -> bool {
        self.0.iter().any(|coefficient| coefficient & 1 == 1)
    }

    /// The inverse of a unit, `None` for anything else. For public constants: its running time is
    /// fixed, its answer's presence is not hidden.
    #[must_use]
    pub fn inverse(self) -> Option<Self> {
        if !self.is_unit() {
            return None;
        }
        // Modulo 2 the units are a group of order 15, so u^14 inverts u there; each of Newton's
        // steps v(2 - uv) doubles the number of right bits: 1, 2, 4, 8, 16.
        let square = self.times(self);
        let fourth = square.times(square);
        let mut inverse = fourth.times(fourth).times(fourth).times(square);
        for _ in 0..4 {
            let two = Self([2, 0, 0, 0]);
            inverse = inverse.times(two.minus(self.times(inverse)));
        }
        Some(inverse)
    }

    /// L of the element.
    #[must_use]
    pub fn functional(self) -> u16 {
        self.0
            .iter()
            .zip(FUNCTIONAL)
            .fold(0, |sum, (&coefficient, value)| sum.wrapping_add(coefficient.wrapping_mul(value)))
    }

    /// Four numbers in one element.
    #[must_use]
    pub fn pack(values: [u16; DEGREE]) -> Self {
        values.into_iter().zip(BASIS).fold(Self::ZERO, |sum, (value, a)| sum.plus(a.scaled(value)))
    }

    /// The four numbers that [`Element::pack`] took.
    #[must_use]
    pub fn unpack(self) -> [u16; DEGREE] {
        BASIS.map(|a| self.times(a).functional())
    }
}

/// The inverse of a constant that the tests of this file show to be a unit.
fn inverse_of_constant(constant: Element) -> Element {
    constant.inverse().expect("points and their differences are units")
}

/// What node `holder` multiplies component `component` with, so that what the three obtain are the
/// values at their points of the polynomial of degree 1 with the shared value at 0:
/// 1 - e_holder / e_(component + 2). It is zero for the one node that lacks the component.
#[must_use]
pub fn conversion_factor(holder: Role, component: Role) -> Element {
    let lacking = component.previous();
    let ratio = POINTS[holder.index()].times(inverse_of_constant(POINTS[lacking.index()]));
    Element::ONE.minus(ratio)
}

/// Lagrange's weight of a node: of a polynomial of degree at most 2, the sum over the nodes of
/// weight times value at the node's point is the value at 0.
#[must_use]
pub fn lagrange_weight(node: Role) -> Element {
    let own = POINTS[node.index()];
    [node.next(), node.previous()].into_iter().fold(Element::ONE, |product, other| {
        let point = POINTS[other.index()];
        product.times(point).times(inverse_of_constant(point.minus(own)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOLDEN_FACTORS: [[u16; 4]; 3] =
        [[65535, 1, 65535, 1], [1, 65535, 0, 0], [1, 0, 0, 65535]];
    const GOLDEN_WEIGHTS: [[u16; 4]; 3] =
        [[1, 2, 2, 2], [65535, 65534, 65534, 65534], [1, 0, 0, 0]];

    fn element() -> impl Strategy<Value = Element> {
        any::<[u16; DEGREE]>().prop_map(Element)
    }

    #[test]
    fn the_basis_is_its_own_dual() {
        for (i, a) in BASIS.into_iter().enumerate() {
            for (j, b) in BASIS.into_iter().enumerate() {
                assert_eq!(a.times(b).functional(), u16::from(i == j), "L(a_{i} a_{j})");
            }
        }
    }

    #[test]
    fn points_and_their_differences_are_units() {
        for (i, a) in POINTS.into_iter().enumerate() {
            assert!(a.is_unit());
            for b in &POINTS[..i] {
                assert!(a.minus(*b).is_unit());
            }
        }
    }

    #[test]
    fn the_modulus_is_irreducible_modulo_two() {
        // The powers of x run through all fifteen elements that are not zero modulo 2.
        let mut seen = std::collections::HashSet::new();
        let mut power = Element::ONE;
        for _ in 0..15 {
            assert!(power.is_unit());
            seen.insert(power.0.map(|coefficient| coefficient & 1));
            power = power.times(Element([0, 1, 0, 0]));
        }
        assert_eq!(seen.len(), 15);
        assert_eq!(power.0.map(|coefficient| coefficient & 1), Element::ONE.0);
    }

    #[test]
    fn constants_keep_their_values() {
        // Golden: shares that were stored under other constants would be noise.
        let weights = Role::ALL.map(lagrange_weight);
        let sum = weights.into_iter().fold(Element::ZERO, Element::plus);
        assert_eq!(sum, Element::ONE);
        let factors = Role::ALL.map(|role| conversion_factor(role, role).0);
        assert_eq!(factors, GOLDEN_FACTORS);
        assert_eq!(weights.map(|weight| weight.0), GOLDEN_WEIGHTS);
        for component in Role::ALL {
            assert_eq!(conversion_factor(component.previous(), component), Element::ZERO);
        }
    }

    proptest! {
        #[test]
        fn is_a_commutative_ring(a in element(), b in element(), c in element()) {
            prop_assert_eq!(a.times(b), b.times(a));
            prop_assert_eq!(a.times(b).times(c), a.times(b.times(c)));
            prop_assert_eq!(a.times(b.plus(c)), a.times(b).plus(a.times(c)));
            prop_assert_eq!(a.times(Element::ONE), a);
            prop_assert_eq!(a.plus(b).minus(b), a);
        }

        #[test]
        fn inverts_units_and_only_units(a in element()) {
            match a.inverse() {
                Some(inverse) => prop_assert_eq!(a.times(inverse), Element::ONE),
                None => prop_assert!(a.0.iter().all(|coefficient| coefficient % 2 == 0)),
            }
        }

        #[test]
        fn packing_turns_products_into_inner_products(v: [u16; 4], w: [u16; 4]) {
            let plain = v.iter().zip(w).fold(0u16, |sum, (&a, b)| sum.wrapping_add(a.wrapping_mul(b)));
            prop_assert_eq!(Element::pack(v).times(Element::pack(w)).functional(), plain);
            prop_assert_eq!(Element::pack(v).unpack(), v);
        }

        #[test]
        fn replicated_shares_become_points_of_a_line(shares: [[u16; 4]; 3]) {
            let shares = shares.map(Element);
            let value = shares.into_iter().fold(Element::ZERO, Element::plus);
            let at = |role: Role| {
                let held = [role, role.previous()];
                held.into_iter().fold(Element::ZERO, |sum, component| {
                    sum.plus(shares[component.index()].times(conversion_factor(role, component)))
                })
            };
            // Any two points give the same line, with the value at 0.
            for p in Role::ALL {
                let q = p.next();
                let (e, f) = (POINTS[p.index()], POINTS[q.index()]);
                let slope = at(q).minus(at(p)).times(f.minus(e).inverse().unwrap());
                prop_assert_eq!(at(p).minus(slope.times(e)), value);
            }
        }
    }
}
