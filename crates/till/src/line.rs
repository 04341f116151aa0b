//! What is sold, line by line, with its tax. Integers throughout; tax is rounded half up once a
//! rate, as receipts show it.

use std::collections::BTreeMap;

use handfast_model::{ChargeId, Money};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::Till;
use crate::charge::CHARGE_MINOR_MAX;
use crate::error::TillError;
use crate::text::Label;

/// Lines of one sale: more do not fit a receipt, and a register sums them up by product.
pub const LINES_MAX: usize = 200;
/// Pieces in one line.
pub const QUANTITY_MAX: i64 = 9_999;
/// Parts in a million: 1,000,000 is 100 percent.
const PPM: i64 = 1_000_000;

/// One line of a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeLine {
    /// What it is.
    pub name: String,
    /// How many.
    pub quantity: i64,
    /// The price of one, in minor units: with tax where the shop's prices include it.
    pub unit_minor: i64,
    /// The tax rate in parts in a million (19 percent is 190,000).
    pub tax_ppm: i64,
}

impl ChargeLine {
    /// A line whose numbers are in range and whose name holds no card number.
    ///
    /// # Errors
    /// [`TillError::Text`], [`TillError::LineOutOfRange`].
    pub fn new(
        name: &str,
        quantity: i64,
        unit_minor: i64,
        tax_ppm: i64,
    ) -> Result<Self, TillError> {
        let name = Label::parse(name)?.as_str().to_owned();
        let fits = (1..=QUANTITY_MAX).contains(&quantity)
            && (0..=CHARGE_MINOR_MAX).contains(&unit_minor)
            && (0..=PPM).contains(&tax_ppm);
        if !fits {
            return Err(TillError::LineOutOfRange { quantity_max: QUANTITY_MAX });
        }
        Ok(Self { name, quantity, unit_minor, tax_ppm })
    }

    /// Quantity times price.
    #[must_use]
    pub const fn total_minor(&self) -> i64 {
        // 9,999 times 10^8 fits by far.
        self.quantity * self.unit_minor
    }
}

impl FromRow for ChargeLine {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.get("name")?,
            quantity: row.get("quantity")?,
            unit_minor: row.get("unit")?,
            tax_ppm: row.get("tax_ppm")?,
        })
    }
}

/// The tax in a sale of `lines`, in minor units; zero without lines.
///
/// # Errors
/// [`TillError::LinesDiffer`] where the lines do not add up to `amount`, [`TillError::TooManyLines`].
pub(crate) fn tax_of(
    lines: &[ChargeLine],
    amount: Money,
    tax_included: bool,
) -> Result<i64, TillError> {
    if lines.is_empty() {
        return Ok(0);
    }
    if lines.len() > LINES_MAX {
        return Err(TillError::TooManyLines { limit: LINES_MAX });
    }
    let mut by_rate: BTreeMap<i64, i64> = BTreeMap::new();
    for line in lines {
        *by_rate.entry(line.tax_ppm).or_insert(0) += line.total_minor();
    }
    let goods: i64 = by_rate.values().sum();
    let tax: i64 = by_rate.iter().map(|(&rate, &sum)| tax_at(rate, sum, tax_included)).sum();
    let total = if tax_included { goods } else { goods + tax };
    if total != amount.minor {
        return Err(TillError::LinesDiffer { lines_minor: total, amount_minor: amount.minor });
    }
    Ok(tax)
}

/// Half up: `(2 * part + whole) / (2 * whole)` without fractions.
fn tax_at(rate: i64, sum: i64, tax_included: bool) -> i64 {
    let base = if tax_included { PPM + rate } else { PPM };
    let part = i128::from(sum) * i128::from(rate);
    let whole = i128::from(base);
    i64::try_from((2 * part + whole) / (2 * whole)).unwrap_or(i64::MAX)
}

pub(crate) async fn keep(
    tx: &mut Tx<'_>,
    charge: ChargeId,
    lines: &[ChargeLine],
) -> Result<(), TillError> {
    for (at, line) in (1_i64..).zip(lines) {
        tx.execute(
            "INSERT INTO till_charge_lines (charge_id, line, name, quantity, unit, tax_ppm) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![charge, at, line.name, line.quantity, line.unit_minor, line.tax_ppm],
        )
        .await?;
    }
    Ok(())
}

pub(crate) async fn of_charge(
    tx: &mut Tx<'_>,
    charge: ChargeId,
) -> Result<Vec<ChargeLine>, TillError> {
    Ok(tx
        .fetch_all(
            "SELECT name, quantity, unit, tax_ppm FROM till_charge_lines WHERE charge_id = $1 \
             ORDER BY line",
            params![charge],
        )
        .await?)
}

impl Till {
    /// What was sold with a charge, where its register said so.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn charge_lines(&self, charge: ChargeId) -> Result<Vec<ChargeLine>, TillError> {
        self.store.read("charge.lines", |tx| Box::pin(of_charge(tx, charge))).await
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::Currency;

    use super::*;

    fn line(quantity: i64, unit: i64, ppm: i64) -> ChargeLine {
        ChargeLine::new("Pretzel", quantity, unit, ppm).unwrap()
    }

    fn usd(minor: i64) -> Money {
        Money::new(minor, Currency::Usd)
    }

    #[test]
    fn tax_inside_and_on_top() {
        // 19 % inside 11.90 is 1.90; on top of 10.00 it is 1.90 too.
        assert_eq!(tax_of(&[line(1, 1_190, 190_000)], usd(1_190), true).unwrap(), 190);
        assert_eq!(tax_of(&[line(1, 1_000, 190_000)], usd(1_190), false).unwrap(), 190);
        // Two rates, rounded once each: 7 % of 3 * 0.33 = 0.0693, 19 % of 0.05 = 0.0095.
        let lines = [line(3, 33, 70_000), line(1, 5, 190_000)];
        assert_eq!(tax_of(&lines, usd(99 + 5 + 7 + 1), false).unwrap(), 8);
        assert_eq!(tax_of(&[], usd(500), true).unwrap(), 0);
    }

    #[test]
    fn lines_that_do_not_add_up_and_numbers_out_of_range_are_refused() {
        let refused = tax_of(&[line(2, 400, 0)], usd(799), true);
        assert!(matches!(refused, Err(TillError::LinesDiffer { lines_minor: 800, .. })));
        let many = vec![line(1, 1, 0); LINES_MAX + 1];
        assert!(matches!(tax_of(&many, usd(201), true), Err(TillError::TooManyLines { .. })));
        for (quantity, unit, ppm) in [
            (0, 1, 0),
            (-1, 1, 0),
            (QUANTITY_MAX + 1, 1, 0),
            (1, -1, 0),
            (1, 1, -1),
            (1, 1, PPM + 1),
        ] {
            assert!(ChargeLine::new("x", quantity, unit, ppm).is_err(), "{quantity} {unit} {ppm}");
        }
        assert!(ChargeLine::new("4111 1111 1111 1111", 1, 1, 0).is_err());
    }

    #[test]
    fn the_largest_sale_does_not_overflow() {
        let all = vec![line(QUANTITY_MAX, CHARGE_MINOR_MAX, PPM); LINES_MAX];
        let tax = tax_of(&all, usd(0), false);
        assert!(matches!(tax, Err(TillError::LinesDiffer { .. })));
    }
}
