//! Giving a node back the rows that it lost: the two others each send what alone is random.

use std::collections::{HashMap, HashSet, VecDeque};

use handfast_model::{Duration, Timestamp};
use handfast_mpc::{Rebuilding, RenewalSeed, Role, Rows};
use zeroize::Zeroizing;

use super::machine::{Node, Waiter};
use super::message::{Content, PEER_FRAME_MAX, ROWS_PER_PAGE};
use super::names::{Hash, QueryName};
use super::refusal::{Reason, Refusal};
use super::request::Reply;
use super::store::{Batch, RowBytes};

/// How long a page may take.
const WAIT: Duration = Duration::from_secs(10);
/// Pages that a node helps with at a time.
const PAGES_MAX: usize = 64;
/// Pages whose names are remembered: none is helped with twice, for its stream is used once.
const NAMES_KEPT: usize = 1 << 16;
/// Bytes before the rows, equal from both helpers where both used the same seed.
const TAG: usize = 16;
/// Bytes of rows in a page.
const PAGE_BYTES: usize = PEER_FRAME_MAX / 2;

/// A page that this node waits for.
#[derive(Debug)]
struct Wanted {
    page: QueryName,
    slots: Vec<u64>,
    parts: [Option<Zeroizing<Vec<u8>>>; 3],
    since: Timestamp,
}

/// A page that this node helps with.
#[derive(Debug)]
struct Helping {
    asked: Option<(Role, u64, Vec<u64>)>,
    own: [u8; 16],
    other: Option<(Role, [u8; 16])>,
    since: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Rebuilds {
    wanted: Option<Wanted>,
    waiters: Vec<Waiter>,
    rebuilt: u64,
    helping: HashMap<QueryName, Helping>,
    helped: HashSet<QueryName>,
    order: VecDeque<QueryName>,
}

impl Rebuilds {
    pub(super) const fn is_idle(&self) -> bool {
        self.wanted.is_none()
    }

    pub(super) fn forget_front(&mut self, connection: u64) {
        self.waiters.retain(|waiter| waiter.connection != connection);
    }
}

impl Node {
    pub(super) fn on_rebuild(&mut self, waiter: Waiter) -> Result<(), Refusal> {
        self.check_peers()?;
        self.rebuilds.waiters.push(waiter);
        if self.rebuilds.wanted.is_none() {
            self.rebuilds.rebuilt = 0;
            self.want_page();
        }
        Ok(())
    }

    /// Asks for the next lacking rows, or says that there are none.
    fn want_page(&mut self) {
        self.rebuilds.wanted = None;
        let (mut slots, mut bytes) = (Vec::new(), 0);
        for &slot in self.lacking.iter().take(ROWS_PER_PAGE) {
            bytes += self.slot_bytes(slot);
            if bytes > PAGE_BYTES && !slots.is_empty() {
                break;
            }
            slots.push(slot);
        }
        if slots.is_empty() {
            self.load_rows_again();
            let rows = self.rebuilds.rebuilt;
            for waiter in std::mem::take(&mut self.rebuilds.waiters) {
                self.reply(waiter, &Reply::Rebuilt { rows });
            }
            return;
        }
        let page = QueryName::draw(&*self.random);
        let number = self.roster.head.number;
        self.send_both(&Content::WantRows { page, number, slots: slots.clone() });
        let (parts, since) = (Default::default(), self.now);
        self.rebuilds.wanted = Some(Wanted { page, slots, parts, since });
    }

    fn slot_bytes(&self, slot: u64) -> usize {
        let palm = self.roster.palm(slot);
        let shape = palm.map(|palm| self.row_shape_of(&self.roster.home(palm).spec));
        shape.map_or(0, |shape| shape.slot_bytes())
    }

    pub(super) fn on_want_rows(
        &mut self,
        from: Role,
        page: QueryName,
        number: u64,
        slots: Vec<u64>,
    ) -> Result<(), Refusal> {
        if number != self.roster.head.number {
            return Err(Reason::Stale.with(self.roster.head.number));
        }
        let known = slots.iter().all(|&slot| self.roster.palm(slot).is_some());
        if slots.is_empty() || !known || !slots.is_sorted_by(|a, b| a < b) {
            return Err(Reason::SlotUnknown.into());
        }
        if slots.iter().any(|slot| self.lacking.contains(slot)) {
            return Err(Reason::Lacking.with(self.lacking.len() as u64));
        }
        let bytes: usize = slots.iter().map(|&slot| self.slot_bytes(slot)).sum();
        if bytes > PEER_FRAME_MAX - 1024 {
            return Err(Reason::TooLong.with(bytes as u64));
        }
        self.help(page)?.asked = Some((from, number, slots));
        let own = self.help(page)?.own;
        let helper = if from == self.keys.role.next() {
            self.keys.role.previous()
        } else {
            self.keys.role.next()
        };
        self.send(helper, Content::RowsNonce { page, lost: from, nonce: own });
        self.send_rows(page)
    }

    pub(super) fn on_rows_nonce(
        &mut self,
        from: Role,
        page: QueryName,
        lost: Role,
        nonce: [u8; 16],
    ) -> Result<(), Refusal> {
        if lost == from || lost == self.keys.role {
            return Err(Reason::WrongNode.into());
        }
        let helping = self.help(page)?;
        if helping.other.is_some() {
            return Err(Reason::Unexpected.into());
        }
        helping.other = Some((lost, nonce));
        self.send_rows(page)
    }

    /// The page as this node helps with it, with a nonce of its own that is drawn once.
    fn help(&mut self, page: QueryName) -> Result<&mut Helping, Refusal> {
        if self.rebuilds.helped.contains(&page) {
            return Err(Reason::Unexpected.into());
        }
        if !self.rebuilds.helping.contains_key(&page) {
            if self.rebuilds.helping.len() >= PAGES_MAX {
                return Err(Reason::Busy.with(PAGES_MAX as u64));
            }
            let mut own = [0; 16];
            self.random.fill(&mut own);
            let helping = Helping { asked: None, own, other: None, since: self.now };
            self.rebuilds.helping.insert(page, helping);
        }
        self.rebuilds.helping.get_mut(&page).ok_or_else(|| Reason::Unknown.into())
    }

    /// Sends this helper's part, once both helpers' nonces are there.
    fn send_rows(&mut self, page: QueryName) -> Result<(), Refusal> {
        let role = self.keys.role;
        let Some(helping) = self.rebuilds.helping.get(&page) else { return Ok(()) };
        let (Some((lost, number, slots)), Some((meant, other))) = (&helping.asked, helping.other)
        else {
            return Ok(());
        };
        if *lost != meant || *number != self.roster.head.number {
            self.finish_helping(page);
            return Err(Reason::Unexpected.into());
        }
        let (lost, slots) = (*lost, slots.clone());
        let (first, second) =
            if role == lost.next() { (helping.own, other) } else { (other, helping.own) };
        let mut name = [&page.0[..], &first, &second].concat();
        name.extend_from_slice(&number.to_le_bytes());
        name.extend_from_slice(&self.roster.epoch.to_le_bytes());
        self.finish_helping(page);
        let seed = Zeroizing::new(self.keys.rebuild_seed(lost, &name));
        let tag = Hash::of(b"handfast vault rebuild tag 1", &seed[..]);
        let mut body = tag.0[..TAG].to_vec();
        let rebuilding = Rebuilding::new(role, lost, RenewalSeed::new(*seed));
        let mut rebuilding = rebuilding.ok_or(Reason::WrongNode)?;
        for slot in slots {
            let rows = self.rows_of(slot)?;
            for row in 0..rows.count() {
                body.extend_from_slice(&rebuilding.row(&rows, row).map_err(|_| Reason::Limits)?);
            }
        }
        tracing::info!(node = %role, lost = %lost, "gave back a page of rows");
        self.send(lost, Content::Rows { page, body });
        Ok(())
    }

    fn finish_helping(&mut self, page: QueryName) {
        self.rebuilds.helping.remove(&page);
        self.rebuilds.helped.insert(page);
        self.rebuilds.order.push_back(page);
        if self.rebuilds.order.len() > NAMES_KEPT
            && let Some(oldest) = self.rebuilds.order.pop_front()
        {
            self.rebuilds.helped.remove(&oldest);
        }
    }

    /// A slot's rows, for themselves.
    fn rows_of(&mut self, slot: u64) -> Result<Rows, Refusal> {
        let bytes = self.row_of(slot);
        let bytes = self.stored(bytes)?.ok_or(Reason::Lacking)?;
        let palm = self.roster.palm(slot).ok_or(Reason::SlotUnknown)?;
        let spec = &self.roster.home(palm).spec;
        let per_slot = usize::from(spec.rows_per_slot);
        let mut rows = Rows::new(self.keys.role, usize::from(spec.dimension), per_slot);
        for row in bytes.chunks(rows.stored_length()) {
            rows.push_stored(row).map_err(|_| Reason::Limits)?;
        }
        Ok(rows)
    }

    pub(super) fn on_rows(
        &mut self,
        from: Role,
        page: QueryName,
        body: Vec<u8>,
    ) -> Result<(), Refusal> {
        let body = Zeroizing::new(body);
        let Some(wanted) = &self.rebuilds.wanted else { return Err(Reason::Unexpected.into()) };
        if wanted.page != page || wanted.parts[from.index()].is_some() {
            return Err(Reason::Unexpected.into());
        }
        let expected: usize = wanted.slots.iter().map(|&slot| self.slot_bytes(slot)).sum();
        if body.len() != TAG + expected {
            return Err(Reason::WrongLength.with(body.len() as u64));
        }
        let (role, now) = (self.keys.role, self.now);
        let Some(wanted) = &mut self.rebuilds.wanted else { return Ok(()) };
        wanted.parts[from.index()] = Some(body);
        wanted.since = now;
        let (next, previous) = (role.next().index(), role.previous().index());
        if wanted.parts[next].is_none() || wanted.parts[previous].is_none() {
            return Ok(());
        }
        let Some(mut wanted) = self.rebuilds.wanted.take() else { return Ok(()) };
        let (Some(first), Some(second)) =
            (wanted.parts[next].take(), wanted.parts[previous].take())
        else {
            return Ok(());
        };
        if first[..TAG] != second[..TAG] {
            // One helper used another seed: what comes together is no row.
            self.end_rebuild(Reason::PeerRefused.into());
            return Err(Reason::Unexpected.into());
        }
        self.take_rows(&wanted.slots, [&first[TAG..], &second[TAG..]])?;
        self.want_page();
        Ok(())
    }

    fn take_rows(&mut self, slots: &[u64], parts: [&[u8]; 2]) -> Result<(), Refusal> {
        let (mut at, mut put) = (0, Vec::new());
        for &slot in slots {
            let length = self.slot_bytes(slot);
            let [first, second] = parts.map(|part| &part[at..at + length]);
            at += length;
            let Some(palm) = self.roster.palm(slot) else { continue };
            let spec = &self.roster.home(palm).spec;
            let per_slot = usize::from(spec.rows_per_slot);
            let mut rows = Rows::new(self.keys.role, usize::from(spec.dimension), per_slot);
            let row = rows.stored_length();
            let mut bytes = RowBytes::new(Vec::with_capacity(length));
            for (at, (first, second)) in first.chunks(row).zip(second.chunks(row)).enumerate() {
                rows.push_rebuilt([first, second]).map_err(|_| Reason::WrongLength)?;
                bytes.extend_from_slice(&rows.stored(at).map_err(|_| Reason::WrongLength)?);
            }
            put.push((slot, bytes));
        }
        let committed = self.store.commit(Batch { put, ..Batch::default() });
        if let Err(refusal) = self.stored(committed) {
            self.end_rebuild(refusal);
            return Err(refusal);
        }
        // Rows in memory follow at the end, all at once.
        self.rows_fit = false;
        for slot in slots {
            if self.lacking.remove(slot) {
                self.rebuilds.rebuilt += 1;
            }
        }
        Ok(())
    }

    fn end_rebuild(&mut self, refusal: Refusal) {
        self.rebuilds.wanted = None;
        for waiter in std::mem::take(&mut self.rebuilds.waiters) {
            self.refuse(waiter, refusal);
        }
    }

    pub(super) fn stop_rebuilds(&mut self, refusal: Refusal) {
        self.rebuilds.helping.clear();
        if self.rebuilds.wanted.is_some() {
            self.end_rebuild(refusal);
        }
    }

    pub(super) fn rebuild_tick(&mut self) {
        let now = self.now;
        let late = |since: Timestamp| now < since || now >= since + WAIT;
        self.rebuilds.helping.retain(|_, helping| !late(helping.since));
        if self.rebuilds.wanted.as_ref().is_some_and(|wanted| late(wanted.since)) {
            self.end_rebuild(Reason::TimedOut.into());
        }
    }
}
