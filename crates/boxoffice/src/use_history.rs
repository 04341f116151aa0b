//! Every use of an account's palms and tickets, for the person: when, where, why.

use handfast_model::{AccountId, Timestamp};
use handfast_store::{from_row, params};

use crate::{BoxOffice, Method, Result};

/// The most uses of each kind that are shown; older ones are of no use to anybody.
const USES_MAX: u32 = 500;

handfast_store::text_enum! {
    /// What happened.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum UseKind {
        /// A palm was linked.
        Linked = "linked",
        /// Somebody entered.
        Entered = "entered",
        /// A palm was deleted.
        Deleted = "deleted",
    }
}

/// One use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: UseKind,
    /// At which venue.
    pub venue_name: String,
    /// At which gate, for an entry.
    pub gate_name: Option<String>,
    /// At which lane, for an entry.
    pub lane_name: Option<String>,
    /// With which ticket's event.
    pub event_name: String,
    /// With which product.
    pub product: String,
    /// How, for an entry.
    pub method: Option<Method>,
}

from_row!(Use { at, kind, venue_name, gate_name, lane_name, event_name, product, method });

impl BoxOffice {
    /// An account's uses, newest first: its palms' links and deletions, its tickets' entries, and
    /// entries by its palms with others' tickets.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn uses(&self, account_id: AccountId) -> Result<Vec<Use>> {
        self.store
            .read("use_history.of_account", |tx| {
                Box::pin(async move {
                    let params = || params![account_id, USES_MAX];
                    let mut uses: Vec<Use> = tx.fetch_all(ENTRIES, params()).await?;
                    uses.extend(tx.fetch_all::<Use>(LINKS, params()).await?);
                    uses.extend(tx.fetch_all::<Use>(DELETIONS, params()).await?);
                    uses.sort_by_key(|event| std::cmp::Reverse(event.at));
                    Ok(uses)
                })
            })
            .await
    }
}

const ENTRIES: &str = "SELECT n.at, 'entered' AS kind, v.name AS venue_name, g.name AS gate_name,
           l.name AS lane_name, e.name AS event_name, t.product, n.method
    FROM passages n
    JOIN admissions a ON a.id = n.admission_id
    JOIN tickets t ON t.id = n.ticket_id
    JOIN events e ON e.id = n.event_id
    JOIN venues v ON v.id = a.venue_id
    LEFT JOIN gates g ON g.id = a.gate_id
    LEFT JOIN lanes l ON l.id = a.lane_id
    LEFT JOIN links k ON k.id = n.link_id
    WHERE (t.account_id = $1 OR k.account_id = $1)
      AND n.passing = 'entry' AND n.annulled_at IS NULL
    ORDER BY n.at DESC LIMIT $2";

const LINKS: &str = "SELECT k.created_at AS at, 'linked' AS kind, v.name AS venue_name,
           CAST(NULL AS TEXT) AS gate_name, CAST(NULL AS TEXT) AS lane_name,
           e.name AS event_name, t.product, CAST(NULL AS TEXT) AS method
    FROM links k
    JOIN venues v ON v.id = k.venue_id
    JOIN tickets t ON t.id = k.made_with
    JOIN events e ON e.id = t.event_id
    WHERE k.account_id = $1 ORDER BY k.created_at DESC LIMIT $2";

const DELETIONS: &str = "SELECT k.deleted_at AS at, 'deleted' AS kind, v.name AS venue_name,
           CAST(NULL AS TEXT) AS gate_name, CAST(NULL AS TEXT) AS lane_name,
           e.name AS event_name, t.product, CAST(NULL AS TEXT) AS method
    FROM links k
    JOIN venues v ON v.id = k.venue_id
    JOIN tickets t ON t.id = k.made_with
    JOIN events e ON e.id = t.event_id
    WHERE k.account_id = $1 AND k.deleted_at IS NOT NULL ORDER BY k.deleted_at DESC LIMIT $2";
