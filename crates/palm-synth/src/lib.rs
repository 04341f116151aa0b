//! Procedural palms, hands and hand videos from seeds.
