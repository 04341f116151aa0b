//! How the self-dual basis of `handfast_mpc::ring` was found: `cargo run -p handfast-mpc --example
//! basis_search`. Prints bases for a linear map given by its values at 1, x, x^2, x^3.
//!
//! Vectors are drawn, made orthogonal to those found, kept if L(v v) is 1 modulo 8 (then it has a
//! square root, by which they are divided), and drawn anew where that leads nowhere.
#![expect(clippy::print_stdout, reason = "it prints what it finds")]

use handfast_model::{Random, SeededRandom};
use handfast_mpc::ring::{DEGREE, Element};

/// Draws before a search begins anew.
const DRAWS_MAX: usize = 400;
/// Searches before giving up.
const SEARCHES_MAX: usize = 1_000;

/// L(a b), for the map of the ring.
fn form(a: Element, b: Element) -> u16 {
    a.times(b).functional()
}

/// 1 / sqrt(square), where square is 1 modulo 8, by lifting the root bit by bit.
fn inverse_root(square: u16) -> u16 {
    let mut root = 1u16;
    for bits in 3..16 {
        if (root.wrapping_mul(root) ^ square) >> bits & 1 == 1 {
            root = root.wrapping_add(1 << (bits - 1));
        }
    }
    // Newton: each step doubles the right bits, of which three are right at first.
    (0..3).fold(root, |inverse, _| {
        inverse.wrapping_mul(2u16.wrapping_sub(root.wrapping_mul(inverse)))
    })
}

fn search(random: &dyn Random) -> Option<Vec<Element>> {
    let mut basis: Vec<Element> = Vec::new();
    for _ in 0..DRAWS_MAX {
        let mut bytes = [0; DEGREE];
        random.fill(&mut bytes);
        let drawn = Element(bytes.map(|byte| u16::from(byte % 8)));
        let rest = basis.iter().fold(drawn, |v, a| v.minus(a.scaled(form(drawn, *a))));
        let square = form(rest, rest);
        if square % 8 == 1 {
            basis.push(rest.scaled(inverse_root(square)));
            if basis.len() == DEGREE {
                return Some(basis);
            }
        }
    }
    None
}

fn main() {
    let random = SeededRandom::new(1);
    match (0..SEARCHES_MAX).find_map(|_| search(&random)) {
        Some(basis) => println!("{basis:?}"),
        None => println!("none found"),
    }
}
