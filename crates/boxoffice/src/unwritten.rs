//! What attempts write, kept back so that several are written by one statement: where the database is
//! another process, each statement is a journey. Whoever reads what an attempt may have written has
//! it written first.

use std::sync::LazyLock;

use handfast_store::{Param, Tx};

use crate::Result;

/// So many rows go into one statement, as many as fit first.
const ROWS: [usize; 3] = [16, 4, 1];

/// Rows that wait to be written.
#[derive(Default)]
pub(crate) struct Unwritten {
    admissions: Vec<Vec<Param>>,
    passages: Vec<Vec<Param>>,
}

impl Unwritten {
    /// Keeps the record of an attempt, with parameters in the order of [`ADMISSIONS`].
    pub fn admission(&mut self, row: Vec<Param>) {
        self.admissions.push(row);
    }

    /// Keeps a passage, with parameters in the order of [`PASSAGES`].
    pub fn passage(&mut self, row: Vec<Param>) {
        self.passages.push(row);
    }

    /// Writes everything that was kept; passages last, for they name their attempts.
    pub async fn write(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        insert(tx, &ADMISSIONS, std::mem::take(&mut self.admissions)).await?;
        insert(tx, &PASSAGES, std::mem::take(&mut self.passages)).await
    }
}

/// The statements for each number of [`ROWS`].
type Statements = LazyLock<[String; ROWS.len()]>;

static ADMISSIONS: Statements = LazyLock::new(|| {
    statements(
        "admissions",
        &[
            "id",
            "device_id",
            "nonce",
            "request_hash",
            "venue_id",
            "gate_id",
            "lane_id",
            "event_id",
            "ticket_id",
            "method",
            "outcome",
            "reason",
            "people",
            "available",
            "at",
            "passing",
            "list_id",
            "note",
            "forced_by",
            "forced_reason",
        ],
    )
});

static PASSAGES: Statements = LazyLock::new(|| {
    statements(
        "passages",
        &[
            "ticket_id",
            "list_id",
            "number",
            "passing",
            "people",
            "admission_id",
            "event_id",
            "area_id",
            "link_id",
            "method",
            "at",
            "changed_at",
        ],
    )
});

fn statements(table: &str, columns: &[&str]) -> [String; ROWS.len()] {
    ROWS.map(|rows| {
        let row = |row: usize| {
            let first = row * columns.len() + 1;
            let places = (first..first + columns.len()).map(|place| format!("${place}"));
            format!("({})", places.collect::<Vec<_>>().join(", "))
        };
        let rows: Vec<String> = (0..rows).map(row).collect();
        format!("INSERT INTO {table} ({}) VALUES {}", columns.join(", "), rows.join(", "))
    })
}

async fn insert(
    tx: &mut Tx<'_>,
    statements: &'static Statements,
    rows: Vec<Vec<Param>>,
) -> Result<()> {
    let mut rows = rows.into_iter();
    for (count, sql) in ROWS.iter().zip(statements.iter()) {
        while rows.len() >= *count {
            tx.execute(sql, rows.by_ref().take(*count).flatten().collect()).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_a_place_for_every_column_of_every_row() {
        assert_eq!(
            statements("t", &["a", "b"])[1],
            "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4), ($5, $6), ($7, $8)"
        );
        assert!(ADMISSIONS[0].ends_with("$319, $320)") && PASSAGES[2].ends_with("$11, $12)"));
    }
}
