//! The pedestals that are switched on, so that a change (a charge opened, a switch turned) reaches
//! them at once. A message that is missed does no harm: sessions ask by themselves every second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::station::{Message, StationHandle};

/// All stations of this process.
#[derive(Clone, Default)]
pub(crate) struct Stations(Arc<Mutex<Enlisted>>);

#[derive(Default)]
struct Enlisted {
    next: u64,
    running: BTreeMap<u64, StationHandle>,
}

/// A station's place in the list; it leaves the list with it.
pub(crate) struct Place {
    stations: Stations,
    number: u64,
}

impl Stations {
    /// Puts a station on the list until the place is dropped.
    pub(crate) fn enlist(&self, station: StationHandle) -> Place {
        let mut enlisted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = enlisted.next;
        enlisted.next += 1;
        enlisted.running.insert(number, station);
        Place { stations: self.clone(), number }
    }

    /// Tells all stations to ask what applies to them now.
    pub(crate) fn changed(&self) {
        let enlisted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for station in enlisted.running.values() {
            station.tell(Message::Changed);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut enlisted = self.stations.0.lock().unwrap_or_else(PoisonError::into_inner);
        enlisted.running.remove(&self.number);
    }
}
