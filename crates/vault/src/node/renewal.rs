//! New shares for every stored row.

use handfast_mpc::{Refresh, RenewalSeed, Role, Rows};

use super::roster::Roster;
use super::side_rows::RowShape;
use super::store::{NodeStoreError, Renewal, RowBytes, Seeds};

/// Goes through all stored palms, slots ascending, as every node does.
pub(super) struct ListRenewal<'a> {
    roster: &'a Roster,
    role: Role,
    seeds: Seeds,
    refresh: Refresh,
}

impl<'a> ListRenewal<'a> {
    pub(super) fn new(roster: &'a Roster, role: Role, seeds: Seeds) -> Self {
        let refresh = refresh(role, &seeds);
        Self { roster, role, seeds, refresh }
    }
}

fn refresh(role: Role, seeds: &Seeds) -> Refresh {
    Refresh::new(role, [0, 1, 2].map(|at| RenewalSeed::new(seeds[at])))
}

impl Renewal for ListRenewal<'_> {
    fn restart(&mut self) {
        self.refresh = refresh(self.role, &self.seeds);
    }

    fn row(&mut self, slot: u64, bytes: &[u8]) -> Result<RowBytes, NodeStoreError> {
        let palm = self.roster.palm(slot);
        let palm = palm.ok_or_else(|| NodeStoreError::Damaged("a row of no palm".to_owned()))?;
        let spec = &self.roster.home(palm).spec;
        let (dimension, per_slot) = (usize::from(spec.dimension), usize::from(spec.rows_per_slot));
        let mut rows = Rows::new(self.role, dimension, per_slot);
        let length = rows.stored_length();
        if bytes.len() != RowShape::new(self.role, dimension, per_slot).slot_bytes() {
            return Err(NodeStoreError::Damaged("a row of another length".to_owned()));
        }
        let mut renewed = RowBytes::new(Vec::with_capacity(bytes.len()));
        for (at, row) in bytes.chunks_exact(length).enumerate() {
            rows.push_stored(row)?;
            self.refresh.row(&mut rows, at)?;
            renewed.extend_from_slice(&rows.stored(at)?);
        }
        Ok(renewed)
    }
}
