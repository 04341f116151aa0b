//! Prints the tables of `src/poses.rs`: `cargo run --release -p handfast-palm --example poses`.

#![expect(clippy::print_stdout, reason = "a tool prints")]

#[path = "support/cloud.rs"]
mod cloud;

use handfast_palm::Effort;

use cloud::{ARM_PX, SHIPPED, centres};

fn main() {
    for effort in [Effort::Full, Effort::Light] {
        let (centres, residual) = centres(SHIPPED, effort.vectors());
        println!("// {effort:?}: {residual:.2} px are left, root mean square");
        for [x, y, turn, scale] in centres {
            let (degrees, scale) = ((turn / ARM_PX).to_degrees(), (scale / ARM_PX).exp());
            println!("    ({x:.1}, {y:.1}, {degrees:.1}, {scale:.3}),");
        }
    }
}
