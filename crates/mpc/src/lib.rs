//! Sharing and comparison between three parties: does a probe match one of many references, and
//! whose is it, when no node holds a reference, a probe, a score or a result.
//!
//! The parties are state machines that take and give messages. Nothing here opens a socket, reads a
//! clock or draws randomness but through a parameter.
//!
//! # Step by step
//! Three nodes A, B and C; references and probes are vectors x and q of integers whose inner product
//! is the score; the engine keeps their squared lengths to 2^14, so that a score less a threshold of
//! at most 2^13 fits a signed 16-bit number. `j + 1` and `j - 1` below go around the ring A, B, C.
//!
//! 1. **Dealing** ([`Dealt`]). x = s_A + s_B + s_C modulo 2^16, two of them expanded from seeds.
//!    Node p receives s_p and s_(p-1). The two holders of a component compare keyed hashes
//!    ([`ShareSet::check`]), so that a dealer cannot give them different ones unnoticed.
//! 2. **Conversion** ([`Rows`], [`ProbeWeights`]), each node by itself. Four numbers pack into an
//!    element of the [Galois ring](ring); y_p = s_p (1 - e_p/e_(p+2)) + s_(p-1) (1 - e_p/e_(p+1)) is
//!    the value at node p's point of a line whose value at 0 is x.
//! 3. **Inner products** ([`local_products`]), each node by itself. The product of a row's and a
//!    probe's lines is a polynomial of degree 2 with the packed product at 0; Lagrange's weights and
//!    the linear map L are folded into the probe, so a node's summand d_p of the score is one inner
//!    product of 16-bit numbers, two bytes a dimension. d_A + d_B + d_C is the score modulo 2^16.
//! 4. **Hiding** ([`Party`]). Query key k_j is known to nodes j and j + 1 alone. B and C draw two
//!    numbers a comparison from k_B: B sends A its summand less the first, C its summand less the
//!    second. A adds both to its own and subtracts the public threshold T. Now A has
//!    u = score - T - v, and B and C have v, the sum of the two numbers: nobody has both.
//! 5. **Digits.** u and v are cut into their highest bit and digits of four, four, four and three
//!    bits. For each digit of u and each k > 0, A says whether it is at least k, a bit hidden by k_A
//!    and sent to C, so that B (which has k_A) and C share it. A digit carries, or passes a carry on,
//!    as one of these bits or the xor of two say; which ones depends on v, so B and C select them.
//!    The carries become replicated, component j held by nodes j and j + 1: component A is drawn from
//!    k_A, component C from k_C, and B and C tell each other what makes up component B.
//! 6. **Sign.** The highest bit of u + v, nothing truncated: digits are joined to one by a tree of
//!    ANDs, 4 a comparison in two rounds. For an AND node p computes
//!    a_p b_p + a_p b_(p-1) + a_(p-1) b_p modulo 2, adds a fresh share of zero,
//!    F(k_p) xor F(k_(p-1)), and sends the sum to node p + 1.
//! 7. **OR** over the comparisons of a slot (its rows times the probe's vectors), as the AND of the
//!    sign bits, in ceil(log2) more rounds; then the public mask of live slots.
//! 8. **Selection** ([`Selection`]). Token t of slot i is F(K_A, i) xor F(K_B, i) xor F(K_C, i),
//!    component j known to nodes j and j + 1; z_p is the xor over slots of
//!    b_p (t_p xor t_(p-1)) xor b_(p-1) t_p, and a fresh share of zero. Whoever is given the three z
//!    ([`open`]) learns their xor: zero for no match, one slot's token, or the xor of several,
//!    which is no token anybody knows. Audit tags and duplicate checks are further selections of
//!    the same pass, under keys of the query.
//!
//! 9. **Length** ([`LengthChecks`]), where nodes are strict: before anybody is given a part, the nodes
//!    compare every dealt number and sums of squares with public bounds, by steps 4 to 8, and open among
//!    themselves whether all is in range.
//!
//! Of a comparison A sends 53 bits of tables and 4 of ANDs, B and C each 16 + 7 + 4 bits: 7.1 and 3.4
//! bytes, 4.6 on average, in five rounds; with L comparisons a slot (L - 1)/L more bits each and
//! ceil(log2 L) more rounds. Lengths of messages follow from the public [`Shape`]; any other
//! message is refused and changes nothing.
//!
//! A large gallery is compared in chunks of slots, each a [`Party`] of its own with keys from
//! [`QueryKeys::derive_chunks`] and summands from [`local_products_of`]: what a chunk needs stays in
//! the caches, and chunks wait for each other's messages instead of standing still.
//!
//! # What a node sees
//! One node that follows the protocol and keeps all it sees holds two of three components, and two
//! of three keys, and receives messages each of which is hidden by a stream of the key that it
//! lacks, used for nothing else. Its view can be simulated from its own shares, keys and the public
//! parameters: given the shares and keys, the messages are uniform and independent of references,
//! probe, scores and result. That is exact for truly random streams, and computational for the real
//! ones: AES-256 is taken for a pseudorandom permutation used below its birthday bound, HKDF-SHA-256
//! for a key derivation function, and seeds for uniform. `view_tests.rs` enumerates all of it at
//! two and three bits a number, with controls that fail.
//!
//! Public, and so known to every node: how many slots, rows and vectors there are, which slots by
//! number, which are live, the threshold, when and how often there is a search.
//!
//! Two nodes together hold all three components and all keys: they can compute every reference,
//! probe, score and token. There is no protection against two.
//!
//! The one who opens the parts learns their xor and nothing more, and can search for what it likes if
//! it may choose probes: many answers reveal a reference. Budgets against that are the nodes' affair.
//!
//! # What is not claimed
//! - Security against nodes that deviate. Such a node can change any result, can force or suppress
//!   matches, and may learn about the inputs from what others do with the result. Privacy and
//!   correctness are claimed for semi-honest parties with an honest majority.
//! - That a dealt vector is short, unless nodes check it ([`LengthChecks`], step 9). A longer one
//!   makes scores wrap modulo 2^16; a dealer that can deal it can make any match appear. Shortness
//!   does not make a vector a palm.
//! - Constant time in the sense of a proof. No branch or address depends on a secret in this code;
//!   compilers and processors are trusted to keep it so.
//! - Confidentiality or authenticity of messages in transit: they travel on authenticated, encrypted
//!   connections, and a third party that reads two nodes' connections is two nodes.
//! - Absence of traces in memory: shares, seeds, keys and rows are overwritten when dropped; what a
//!   comparison computes in between, each node's part of which looks random, is not.
//!
//! # Sources
//! Replicated sharing and its AND: Araki, Furukawa, Lindell, Nof, Ohara, "High-Throughput
//! Semi-Honest Secure Three-Party Computation with an Honest Majority", CCS 2016. Shamir's scheme
//! over Galois rings and the local conversion: Abspoel, Cramer, Damgård, Escudero, Yuan, TCC 2019;
//! Cramer, Damgård, Ishai, "Share Conversion, Pseudorandom Secret-Sharing and Applications to Secure
//! Computation", TCC 2005. Bits by an adder: Mohassel, Rindal, "ABY3", CCS 2018. Selecting from a
//! table that a party who knows one input shares between two who know the other is the three-party
//! oblivious transfer of the same paper; the tables of digits are ours.

mod adder;
mod bits;
mod cipher;
mod dealing;
mod digits;
mod kernel;
mod keys;
mod keystream;
mod lengths;
mod message;
mod pages;
mod party;
pub mod plain;
mod products;
mod renewal;
pub mod ring;
mod role;
mod rows;
mod selection;
mod shape;

#[cfg(test)]
mod comparison_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod view_tests;

pub use dealing::{
    CheckKey, DIMENSION_MAX, DealingError, Dealt, FORMAT_VERSION, ShareSet, VECTORS_MAX,
};
pub use kernel::Path;
pub use keys::{
    ATTEMPTS_MAX, KeyError, OwnNonce, PROTOCOL_VERSION, PairMaster, PairMasters, PeerNonces,
    QueryContext, QueryKeys,
};
pub use lengths::{LENGTH_SQUARED_MAX, LengthChecks, NUMBER_MAX};
pub use message::{Message, MessageError, Step};
pub use party::{Awaited, Parameters, Party, PartyError, Turn};
pub use products::{
    ProbeWeights, local_products, local_products_of, local_products_together, local_products_with,
};
pub use renewal::{Rebuilding, Refresh, RenewalSeed};
pub use role::Role;
pub use rows::{Rows, RowsError};
pub use selection::{Purpose, ResultPart, Selection, TOKEN, TokenKey, is_no_match, open};
pub use shape::{COMPARISONS_MAX, Shape, ShapeError, THRESHOLD_MAX, Threshold};
