//! Events: when the doors open, when it ends, and whether anything biometric may run.

use handfast_model::{CompanyId, Duration, EventId, TimeWindow, Timestamp, VenueId};
use handfast_store::{Tx, from_row, params};

use crate::company::check_name;
use crate::{
    BoxOffice, BoxOfficeError, CheckInList, ListTerms, Result, Thing, check_in_list, venue,
};

/// How long before its doors an event is "tonight's": pedestals outside enrol for it then, and show
/// its name.
const TONIGHT: Duration = Duration::from_hours(24);

handfast_store::text_enum! {
    /// Whether anything biometric runs at an event.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Biometrics {
        /// Palms may be linked and may enter.
        Allowed = "allowed",
        /// No palm is armed, linked or looked for.
        Forbidden = "forbidden",
    }
}

/// An event with its venue's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// The company that sells it.
    pub company_id: CompanyId,
    /// Where it is.
    pub venue_id: VenueId,
    /// The venue's name.
    pub venue_name: String,
    /// Its name.
    pub name: String,
    /// When people may enter from.
    pub doors_at: Timestamp,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends; nobody enters from then on, and its palms are disarmed.
    pub ends_at: Timestamp,
    /// Whether anything biometric runs.
    pub biometrics: Biometrics,
}

from_row!(Event {
    id,
    company_id,
    venue_id,
    venue_name,
    name,
    doors_at,
    starts_at,
    ends_at,
    biometrics,
});

/// An event to be created.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// Where it is.
    pub venue_id: VenueId,
    /// Its name.
    pub name: &'a str,
    /// When people may enter from.
    pub doors_at: Timestamp,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Whether anything biometric runs.
    pub biometrics: Biometrics,
}

impl Event {
    /// From the doors to the end.
    #[must_use]
    pub fn entry_window(&self) -> TimeWindow {
        TimeWindow { start: self.doors_at, end: self.ends_at }
    }

    /// Whether it is over, may be entered, or opens within a day.
    #[must_use]
    pub fn is_tonight(&self, now: Timestamp) -> bool {
        TimeWindow { start: self.doors_at - TONIGHT, end: self.ends_at }.contains(now)
    }
}

/// What every query of events begins with.
macro_rules! events_where {
    ($condition:literal) => {
        concat!(
            "SELECT e.id, e.company_id, e.venue_id, v.name AS venue_name, e.name, e.doors_at,
                    e.starts_at, e.ends_at, e.biometrics
             FROM events e JOIN venues v ON v.id = e.venue_id
             WHERE ",
            $condition
        )
    };
}

impl BoxOffice {
    /// Creates an event.
    ///
    /// # Errors
    /// [`BoxOfficeError::Text`]; [`BoxOfficeError::EventTimes`];
    /// [`BoxOfficeError::Unknown`] for an unknown venue.
    pub async fn create_event(&self, new: &NewEvent<'_>) -> Result<Event> {
        let name = &check_name("an event's name", new.name)?;
        if !(new.doors_at <= new.starts_at && new.starts_at < new.ends_at) {
            return Err(BoxOfficeError::EventTimes);
        }
        let id = EventId::new(&*self.clock, &*self.random);
        let now = self.now();
        self.store
            .transaction("event.create", |tx| {
                Box::pin(async move {
                    let venue = venue::find(tx, new.venue_id).await?;
                    tx.execute(
                        "INSERT INTO events (id, company_id, venue_id, name, doors_at, starts_at,
                                             ends_at, biometrics, changed_at)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                        params![
                            id,
                            venue.company_id,
                            venue.id,
                            name,
                            new.doors_at,
                            new.starts_at,
                            new.ends_at,
                            new.biometrics,
                            now
                        ],
                    )
                    .await?;
                    let terms = ListTerms::plain("Main");
                    let list = CheckInList { id: id.into(), event_id: id, terms };
                    check_in_list::insert(tx, &list, now).await?;
                    find(tx, id).await
                })
            })
            .await
    }

    /// One event.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`].
    pub async fn event(&self, id: EventId) -> Result<Event> {
        self.store.read("event.one", |tx| Box::pin(find(tx, id))).await
    }

    /// A company's events in the order they start.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn events(&self, company_id: CompanyId) -> Result<Vec<Event>> {
        self.store
            .read("event.of_company", |tx| {
                Box::pin(async move {
                    let sql = events_where!("e.company_id = $1 ORDER BY e.starts_at, e.id");
                    Ok(tx.fetch_all(sql, params![company_id]).await?)
                })
            })
            .await
    }

    /// The events that people may enter at a venue now, in the order they start: what a lane's palm
    /// is searched among (where [`Biometrics::Allowed`]).
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn open_events(&self, venue_id: VenueId) -> Result<Vec<Event>> {
        let now = self.now();
        self.store.read("event.open", |tx| Box::pin(open_at(tx, venue_id, now))).await
    }

    /// What a pedestal of this venue shows: the event that is open, or the next that opens within
    /// a day.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn event_tonight(&self, venue_id: VenueId) -> Result<Option<Event>> {
        let now = self.now();
        self.store
            .read("event.tonight", |tx| {
                Box::pin(async move {
                    let sql = events_where!(
                        "e.venue_id = $1 AND e.ends_at > $2 AND e.doors_at <= $3
                         ORDER BY e.starts_at, e.id"
                    );
                    Ok(tx.fetch_optional(sql, params![venue_id, now, now + TONIGHT]).await?)
                })
            })
            .await
    }

    /// Switches biometrics at an event on or off. Reconcile armings afterwards
    /// ([`BoxOffice::arming_changes`]): with *forbidden*, every palm of the event is to be disarmed.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for an unknown event or one of another company.
    pub async fn set_biometrics(
        &self,
        company_id: CompanyId,
        id: EventId,
        biometrics: Biometrics,
    ) -> Result<Event> {
        let now = self.now();
        self.store
            .transaction("event.set_biometrics", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE events SET biometrics = $3, changed_at = $4
                               WHERE id = $1 AND company_id = $2";
                    tx.execute(sql, params![id, company_id, biometrics, now]).await?;
                    find_own(tx, company_id, id).await
                })
            })
            .await
    }
}

/// The event called `id`.
pub(crate) async fn find(tx: &mut Tx<'_>, id: EventId) -> Result<Event> {
    let event = tx.fetch_optional(events_where!("e.id = $1"), params![id]).await?;
    event.ok_or(BoxOfficeError::Unknown(Thing::Event))
}

/// The event called `id`, if it is this company's.
pub(crate) async fn find_own(tx: &mut Tx<'_>, company_id: CompanyId, id: EventId) -> Result<Event> {
    let event = find(tx, id).await?;
    if event.company_id == company_id {
        Ok(event)
    } else {
        Err(BoxOfficeError::Unknown(Thing::Event))
    }
}

/// Events with something on sale that have not ended by `now`.
pub(crate) async fn on_sale(tx: &mut Tx<'_>, now: Timestamp) -> Result<Vec<Event>> {
    let sql = events_where!(
        "e.ends_at > $1 AND EXISTS (SELECT 1 FROM products p
                                    WHERE p.event_id = e.id AND p.on_sale)
         ORDER BY e.starts_at, e.id"
    );
    Ok(tx.fetch_all(sql, params![now]).await?)
}

/// A company's events that have not ended by `now`, in the order they start.
pub(crate) async fn coming(
    tx: &mut Tx<'_>,
    company_id: CompanyId,
    now: Timestamp,
) -> Result<Vec<Event>> {
    let sql = events_where!("e.company_id = $1 AND e.ends_at > $2 ORDER BY e.starts_at, e.id");
    Ok(tx.fetch_all(sql, params![company_id, now]).await?)
}

/// The events that people may enter at a venue at `now`, in the order they start.
pub(crate) async fn open_at(
    tx: &mut Tx<'_>,
    venue_id: VenueId,
    now: Timestamp,
) -> Result<Vec<Event>> {
    open_between(tx, venue_id, now, now).await
}

/// The events at a venue whose doors were open by `now` and which had not ended by `since`.
pub(crate) async fn open_between(
    tx: &mut Tx<'_>,
    venue_id: VenueId,
    now: Timestamp,
    since: Timestamp,
) -> Result<Vec<Event>> {
    let sql = events_where!(
        "e.venue_id = $1 AND e.doors_at <= $2 AND e.ends_at > $3 ORDER BY e.starts_at, e.id"
    );
    Ok(tx.fetch_all(sql, params![venue_id, now, since]).await?)
}
