//! Check-in lists: who enters an event at which gates, how often, and by which rule.

use handfast_model::{
    AreaId, CheckInListId, CompanyId, Duration, EventId, GateId, TicketId, Timestamp,
};
use handfast_store::{FromRow, Row, StoreError, Tx, from_row, params};

use crate::company::check_name;
use crate::{BoxOffice, BoxOfficeError, Result, Rule, Thing, event};

/// The longest timed anti-passback: a day; what is meant to last longer is "single".
const ANTI_PASSBACK_MINUTES_MAX: u32 = 24 * 60;

handfast_store::text_enum! {
    /// How often a ticket enters at a list.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum EntryMode {
        /// Once.
        Single = "single",
        /// Again after it left.
        AfterExit = "after_exit",
        /// As often as it is shown.
        Multiple = "multiple",
    }
}

handfast_store::text_enum! {
    /// Whether a ticket whose holder is inside already may enter.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum AntiPassback {
        /// Nothing is looked at.
        None = "none",
        /// It may, and it is noted.
        Soft = "soft",
        /// It may not.
        Hard = "hard",
        /// It may some minutes after its last entry.
        Timed = "timed",
    }
}

handfast_store::text_enum! {
    /// Where "inside" is, for anti-passback.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum PassbackScope {
        /// Entered at this list.
        List = "list",
        /// In the area that the gate leads into, whichever list let them in.
        Area = "area",
    }
}

/// What a check-in list says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ListTerms {
    /// Its name as staff know it.
    pub name: String,
    /// How often a ticket enters.
    pub entry: EntryMode,
    /// Whether it enters while inside.
    pub anti_passback: AntiPassback,
    /// Minutes, where it is timed.
    pub anti_passback_minutes: Option<u32>,
    /// Where "inside" is.
    pub anti_passback_scope: PassbackScope,
    /// Whether tickets of unpaid orders enter.
    pub include_unpaid: bool,
    /// Whether a ticket's code also stands for its add-ons.
    pub addon_match: bool,
    /// When it enters, further.
    pub rule: Option<Rule>,
    /// The products that enter; all where empty.
    pub products: Vec<String>,
    /// The gates it serves; where empty, those that no other list of the event names.
    pub gates: Vec<GateId>,
}

impl ListTerms {
    /// The terms that every event's own list begins with: once, everywhere, every product.
    #[must_use]
    pub fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            entry: EntryMode::Single,
            anti_passback: AntiPassback::None,
            anti_passback_minutes: None,
            anti_passback_scope: PassbackScope::List,
            include_unpaid: false,
            addon_match: false,
            rule: None,
            products: Vec::new(),
            gates: Vec::new(),
        }
    }

    /// Within how long after an entry none is allowed, where anti-passback is timed.
    pub(crate) fn passback_span(&self) -> Option<Duration> {
        let minutes =
            self.anti_passback_minutes.filter(|_| self.anti_passback == AntiPassback::Timed);
        minutes.map(|minutes| Duration::from_minutes(i64::from(minutes)))
    }
}

/// A check-in list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckInList {
    /// Its id.
    pub id: CheckInListId,
    /// Its event.
    pub event_id: EventId,
    /// What it says.
    pub terms: ListTerms,
}

/// From when on somebody does not count as inside any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reset {
    pub event_id: EventId,
    pub ticket_id: Option<TicketId>,
    pub area_id: Option<AreaId>,
    pub at: Timestamp,
}

from_row!(Reset { event_id, ticket_id, area_id, at });

struct ListRow(CheckInList);

impl FromRow for ListRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let rule: Option<String> = row.get("rule")?;
        let rule = rule.map(|text| text.parse::<Rule>()).transpose();
        Ok(Self(CheckInList {
            id: row.get("id")?,
            event_id: row.get("event_id")?,
            terms: ListTerms {
                name: row.get("name")?,
                entry: row.get("entry")?,
                anti_passback: row.get("anti_passback")?,
                anti_passback_minutes: row.get("anti_passback_minutes")?,
                anti_passback_scope: row.get("anti_passback_scope")?,
                include_unpaid: row.get("include_unpaid")?,
                addon_match: row.get("addon_match")?,
                rule: rule.map_err(|_| StoreError::Column {
                    column: "rule".to_owned(),
                    expected: "a rule",
                })?,
                products: Vec::new(),
                gates: Vec::new(),
            },
        }))
    }
}

impl BoxOffice {
    /// Adds a check-in list to an event.
    ///
    /// # Errors
    /// [`BoxOfficeError::Text`]; [`BoxOfficeError::AntiPassback`] for minutes that do not fit;
    /// [`BoxOfficeError::Unknown`] for another company's event or gate.
    pub async fn create_check_in_list(
        &self,
        company_id: CompanyId,
        event_id: EventId,
        terms: &ListTerms,
    ) -> Result<CheckInList> {
        check_terms(terms)?;
        let id = CheckInListId::new(&*self.clock, &*self.random);
        let list = &CheckInList { id, event_id, terms: terms.clone() };
        let now = self.now();
        self.store
            .transaction("check_in_list.create", |tx| {
                Box::pin(async move {
                    event::find_own(tx, company_id, event_id).await?;
                    insert(tx, list, now).await?;
                    Ok(list.clone())
                })
            })
            .await
    }

    /// Changes what a check-in list says; what entered before stays entered.
    ///
    /// # Errors
    /// As [`BoxOffice::create_check_in_list`].
    pub async fn set_check_in_list(
        &self,
        company_id: CompanyId,
        id: CheckInListId,
        terms: &ListTerms,
    ) -> Result<CheckInList> {
        check_terms(terms)?;
        let now = self.now();
        self.store
            .transaction("check_in_list.set", |tx| {
                Box::pin(async move {
                    let sql = "SELECT event_id FROM check_in_lists WHERE id = $1";
                    let event: Option<(EventId,)> = tx.fetch_optional(sql, params![id]).await?;
                    let (event_id,) = event.ok_or(BoxOfficeError::Unknown(Thing::CheckInList))?;
                    event::find_own(tx, company_id, event_id).await?;
                    let list = CheckInList { id, event_id, terms: terms.clone() };
                    update(tx, &list, now).await?;
                    Ok(list)
                })
            })
            .await
    }

    /// An event's check-in lists, oldest first.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's event.
    pub async fn check_in_lists(
        &self,
        company_id: CompanyId,
        event_id: EventId,
    ) -> Result<Vec<CheckInList>> {
        self.store
            .read("check_in_list.of_event", |tx| {
                Box::pin(async move {
                    event::find_own(tx, company_id, event_id).await?;
                    of_event(tx, event_id).await
                })
            })
            .await
    }
}

fn check_terms(terms: &ListTerms) -> Result<()> {
    check_name("a check-in list's name", &terms.name)?;
    let fits = |minutes: u32| (1..=ANTI_PASSBACK_MINUTES_MAX).contains(&minutes);
    let timed = terms.anti_passback == AntiPassback::Timed;
    if timed != terms.anti_passback_minutes.is_some_and(fits) {
        return Err(BoxOfficeError::AntiPassback { max: ANTI_PASSBACK_MINUTES_MAX });
    }
    Ok(())
}

/// Stores a list.
pub(crate) async fn insert(tx: &mut Tx<'_>, list: &CheckInList, now: Timestamp) -> Result<()> {
    let terms = &list.terms;
    tx.execute(
        "INSERT INTO check_in_lists (id, event_id, name, entry, anti_passback,
                                     anti_passback_minutes, anti_passback_scope, include_unpaid,
                                     addon_match, rule, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            list.id,
            list.event_id,
            terms.name,
            terms.entry,
            terms.anti_passback,
            terms.anti_passback_minutes,
            terms.anti_passback_scope,
            terms.include_unpaid,
            terms.addon_match,
            rule_text(terms)?,
            now
        ],
    )
    .await?;
    insert_places(tx, list).await
}

/// Stores a list, or what it says now where it is there already.
pub(crate) async fn put(tx: &mut Tx<'_>, list: &CheckInList, now: Timestamp) -> Result<()> {
    let sql = "SELECT 1 FROM check_in_lists WHERE id = $1";
    let there: Option<(i64,)> = tx.fetch_optional(sql, params![list.id]).await?;
    match there {
        None => insert(tx, list, now).await,
        Some(_) => update(tx, list, now).await,
    }
}

async fn update(tx: &mut Tx<'_>, list: &CheckInList, now: Timestamp) -> Result<()> {
    let terms = &list.terms;
    tx.execute(
        "UPDATE check_in_lists SET name = $2, entry = $3, anti_passback = $4,
                anti_passback_minutes = $5, anti_passback_scope = $6, include_unpaid = $7,
                addon_match = $8, rule = $9, changed_at = $10
         WHERE id = $1",
        params![
            list.id,
            terms.name,
            terms.entry,
            terms.anti_passback,
            terms.anti_passback_minutes,
            terms.anti_passback_scope,
            terms.include_unpaid,
            terms.addon_match,
            rule_text(terms)?,
            now
        ],
    )
    .await?;
    tx.execute("DELETE FROM check_in_list_products WHERE list_id = $1", params![list.id]).await?;
    tx.execute("DELETE FROM check_in_list_gates WHERE list_id = $1", params![list.id]).await?;
    insert_places(tx, list).await
}

async fn insert_places(tx: &mut Tx<'_>, list: &CheckInList) -> Result<()> {
    for product in &list.terms.products {
        let sql = "INSERT INTO check_in_list_products (list_id, product) VALUES ($1, $2)
                   ON CONFLICT DO NOTHING";
        tx.execute(sql, params![list.id, product]).await?;
    }
    for gate_id in &list.terms.gates {
        let sql = "INSERT INTO check_in_list_gates (list_id, gate_id)
                   SELECT $1, g.id FROM gates g JOIN events e ON e.venue_id = g.venue_id
                   WHERE g.id = $2 AND e.id = $3
                   ON CONFLICT DO NOTHING";
        if tx.execute(sql, params![list.id, gate_id, list.event_id]).await? == 0 {
            return Err(BoxOfficeError::Unknown(Thing::Gate));
        }
    }
    Ok(())
}

fn rule_text(terms: &ListTerms) -> Result<Option<String>> {
    let text = terms.rule.as_ref().map(serde_json::to_string).transpose();
    text.map_err(|_| BoxOfficeError::Unknown(Thing::CheckInList))
}

/// An event's lists, oldest first.
pub(crate) async fn of_event(tx: &mut Tx<'_>, event_id: EventId) -> Result<Vec<CheckInList>> {
    let sql = "SELECT id, event_id, name, entry, anti_passback, anti_passback_minutes,
                      anti_passback_scope, include_unpaid, addon_match, rule
               FROM check_in_lists WHERE event_id = $1 ORDER BY id";
    let rows: Vec<ListRow> = tx.fetch_all(sql, params![event_id]).await?;
    let mut lists: Vec<CheckInList> = rows.into_iter().map(|row| row.0).collect();
    let products = "SELECT p.list_id, p.product FROM check_in_list_products p
                    JOIN check_in_lists l ON l.id = p.list_id
                    WHERE l.event_id = $1 ORDER BY p.product";
    let products: Vec<(CheckInListId, String)> = tx.fetch_all(products, params![event_id]).await?;
    let gates = "SELECT g.list_id, g.gate_id FROM check_in_list_gates g
                 JOIN check_in_lists l ON l.id = g.list_id
                 WHERE l.event_id = $1 ORDER BY g.gate_id";
    let gates: Vec<(CheckInListId, GateId)> = tx.fetch_all(gates, params![event_id]).await?;
    for list in &mut lists {
        let own = |id: &CheckInListId| *id == list.id;
        list.terms.products =
            products.iter().filter(|(id, _)| own(id)).map(|(_, name)| name.clone()).collect();
        list.terms.gates = gates.iter().filter(|(id, _)| own(id)).map(|(_, gate)| *gate).collect();
    }
    Ok(lists)
}

/// The list of an event that serves a gate: one that names it, else one that names none; of
/// several the oldest.
pub(crate) fn serving(lists: &[CheckInList], gate_id: Option<GateId>) -> Option<&CheckInList> {
    let names_it =
        |list: &&CheckInList| gate_id.is_some_and(|gate| list.terms.gates.contains(&gate));
    let named = lists.iter().find(names_it);
    named.or_else(|| lists.iter().find(|list| list.terms.gates.is_empty()))
}

/// The resets of an event that have come by `now`.
pub(crate) async fn resets(
    tx: &mut Tx<'_>,
    event_id: EventId,
    now: Timestamp,
) -> Result<Vec<Reset>> {
    let sql = "SELECT event_id, ticket_id, area_id, at FROM presence_resets
               WHERE event_id = $1 AND at <= $2";
    Ok(tx.fetch_all(sql, params![event_id, now]).await?)
}
