//! The pedestals that are switched on, so that a change (a charge opened, a switch turned) reaches
//! them at once. A message that is missed does no harm: sessions ask by themselves, at a counter
//! twice a second and elsewhere every three seconds. And which of them has this machine's camera.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use handfast_model::{DeviceId, Duration, Timestamp};

use crate::station::{Message, StationHandle};

/// How long a pedestal that was told to look through this machine's camera may take to connect, at
/// first and again after its page was loaded anew.
const CAMERA_KEPT: Duration = Duration::from_minutes(1);

/// All stations of this process.
#[derive(Clone, Default)]
pub(crate) struct Stations(Arc<Mutex<Enlisted>>);

#[derive(Default)]
struct Enlisted {
    next: u64,
    running: BTreeMap<u64, (DeviceId, StationHandle)>,
    camera: Option<CameraHolder>,
}

/// The one pedestal that looks through this machine's camera.
struct CameraHolder {
    device: DeviceId,
    until: Timestamp,
}

/// A station's place in the list; it leaves the list with it.
pub(crate) struct Place {
    stations: Stations,
    number: u64,
}

impl Stations {
    /// Puts a station on the list until the place is dropped.
    pub(crate) fn enlist(&self, device: DeviceId, station: StationHandle) -> Place {
        let mut enlisted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = enlisted.next;
        enlisted.next += 1;
        enlisted.running.insert(number, (device, station));
        Place { stations: self.clone(), number }
    }

    /// Gives this machine's camera to the pedestal, unless another has it: first come, first served.
    pub(crate) fn take_camera(&self, device: DeviceId, now: Timestamp) -> bool {
        let mut enlisted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_taken = enlisted.camera.as_ref().is_some_and(|holder| {
            let is_there = || enlisted.running.values().any(|(id, _)| *id == holder.device);
            holder.device != device && (now < holder.until || is_there())
        });
        if !is_taken {
            enlisted.camera = Some(CameraHolder { device, until: now + CAMERA_KEPT });
        }
        !is_taken
    }

    /// Tells all stations to ask what applies to them now.
    pub(crate) fn changed(&self) {
        let enlisted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, station) in enlisted.running.values() {
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

#[cfg(test)]
mod tests {
    use handfast_model::{Clock as _, ManualClock, SeededRandom};
    use handfast_pedestal::{Language, Mode};

    use super::*;
    use crate::station;

    #[test]
    fn one_pedestal_has_the_camera_until_it_is_gone() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1)));
        let random = SeededRandom::new(3);
        let (first, second) = (DeviceId::new(&*clock, &random), DeviceId::new(&*clock, &random));
        let stations = Stations::default();
        let take = |device| stations.take_camera(device, clock.now());
        assert!(take(first) && take(first), "a page that is loaded again keeps it");
        assert!(!take(second), "the second uses its browser's");
        let handle = station::start(Mode::Counter, Language::En, clock.clone(), |_| true).unwrap();
        let place = stations.enlist(first, handle);
        clock.advance(CAMERA_KEPT);
        assert!(!take(second), "the first looks through it");
        drop(place);
        assert!(take(second));
        assert!(!take(first));
    }
}
