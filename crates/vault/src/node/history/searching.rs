//! What a history searches, and whether the answer is the plain list's.

use handfast_mpc::{Dealt, ResultPart, Role, open};
use handfast_palm::Side;

use super::super::testing::{DEPLOYMENT, node_keys, part_seal, score};
use super::super::{
    Found, GalleryName, Head, PartBinding, QueryName, Reply, Request, Search, Sought,
};
use super::{EVENTS, HOME, History, Opened};

impl History {
    /// Asks for searches at once, and says of each whether it found somebody.
    pub(in crate::node) fn search_together(
        &mut self,
        (gallery, side, sought): (GalleryName, Side, Sought),
        people: &[u64],
    ) -> Vec<bool> {
        let mut asked = Vec::new();
        for &seed in people {
            let now = self.challenges().unwrap();
            let shown = (self.kind.probe)(seed);
            let searches = self.searches((gallery, side, sought), now, &shown);
            let requests = searches.clone().map(|search| Some(Request::Search(search).to_bytes()));
            asked.push((self.simulator.ask(requests), searches));
        }
        let found =
            asked.into_iter().map(|(requests, searches)| match self.simulator.wait(requests) {
                [Some(Reply::Found(a)), Some(Reply::Found(b)), Some(Reply::Found(c))] => {
                    self.open(&searches[0], [&a, &b, &c]).value != [0; 16]
                }
                replies => panic!("{replies:?}"),
            });
        found.collect()
    }

    /// Searches in up to three attempts at up to two queries, as somebody who holds a hand again;
    /// `None` where none came through.
    pub(in crate::node) fn search(
        &mut self,
        gallery: GalleryName,
        side: Side,
        sought: Sought,
        shown: &[i16],
    ) -> Option<Opened> {
        for _ in 0..2 {
            let Some(now) = self.challenges() else { continue };
            let mut searches = self.searches((gallery, side, sought), now, shown);
            for attempt in 1..=3 {
                let replies = self.ask(searches.clone().map(Request::Search));
                if let [Some(Reply::Found(a)), Some(Reply::Found(b)), Some(Reply::Found(c))] =
                    replies
                {
                    return Some(self.open(&searches[0], [&a, &b, &c]));
                }
                let Some((_, at, epoch)) = self.challenges() else { continue };
                for search in &mut searches {
                    *search = Search { attempt: attempt + 1, at, epoch, ..search.clone() };
                }
            }
        }
        None
    }

    /// The first attempt at a new query.
    pub(in crate::node) fn searches(
        &self,
        (gallery, side, sought): (GalleryName, Side, Sought),
        (challenges, at, epoch): ([[u8; 16]; 3], Head, u64),
        shown: &[i16],
    ) -> [Search; 3] {
        let (attempt, nonce) = (1, QueryName::draw(&*self.simulator.random).0);
        let query = QueryName::of(&challenges, &nonce);
        let purpose = if gallery == HOME { 0 } else { gallery.0[0] - 1 };
        let dealt = (!matches!(sought, Sought::Delivery(_))).then(|| {
            Dealt::deal(shown, self.kind.dimension, &*self.simulator.random).unwrap().sets
        });
        Role::ALL.map(|role| {
            let shares = dealt.as_ref().map(|sets| {
                let mut binding = self.binding(purpose, gallery, query.0, nonce);
                binding.challenge = challenges[role.index()];
                binding.operation = at.number;
                Self::seal_for(&binding, &sets[role.index()])
            });
            Search { query, attempt, gallery, side, at, epoch, sought, nonce, challenges, shares }
        })
    }

    /// Opens three parts as the relying party does.
    pub(super) fn open(&mut self, search: &Search, found: [&Found; 3]) -> Opened {
        let mut parts = Vec::new();
        let mut audit = [0; 16];
        for (role, found) in Role::ALL.into_iter().zip(found) {
            assert_eq!((found.query, found.attempt), (search.query, search.attempt));
            let binding = PartBinding {
                deployment: DEPLOYMENT,
                node: role,
                gallery: search.gallery,
                query: search.query,
                attempt: search.attempt,
                sought: search.sought,
                operation: search.at.number,
                nonce: search.nonce,
                amount: [0; 32],
                consent: search.shares.as_ref().map_or([0; 16], |shares| shares.consent),
            };
            let key = node_keys(role).verifying[role.index()];
            let signature = ed25519_dalek::Signature::from_bytes(&found.signature);
            let tag = found.audit.map(|tag| tag.part);
            key.verify_strict(&binding.signed_bytes(&found.sealed, tag.as_ref()), &signature)
                .unwrap();
            let recipient = [search.gallery.0[0]; 32];
            let (bound, part) = found.sealed.split_first_chunk::<32>().unwrap();
            assert_eq!(*bound, part_seal(&recipient, &binding.to_bytes()));
            let purpose = handfast_mpc::Purpose::Token;
            parts.push(ResultPart::from_bytes(purpose, part.try_into().unwrap()));
            assert_eq!(tag.is_some(), search.sought.has_tag());
            audit.iter_mut().zip(tag.unwrap_or_default()).for_each(|(sum, part)| *sum ^= part);
        }
        self.answers += 1;
        let value = open([&parts[0], &parts[1], &parts[2]]).unwrap();
        Opened { query: search.query, value, audit, at: search.at }
    }

    /// Slots that a search should find.
    pub(super) fn expected(
        &self,
        opened: &Opened,
        gallery: GalleryName,
        side: Side,
        shown: &[i16],
        threshold: u16,
    ) -> Vec<u64> {
        let armed = self.armed(opened.at.number, gallery);
        let mut expected: Vec<u64> = self
            .stored(opened.at.number)
            .into_iter()
            .filter(|(slot, (there, seed))| {
                let row = (self.kind.palm)(*seed);
                *there == side
                    && armed.get(slot).is_some_and(|until| *until > self.simulator.now)
                    && shown
                        .chunks(self.kind.dimension)
                        .any(|q| score(&row, q) >= i32::from(threshold))
            })
            .map(|(slot, _)| slot)
            .collect();
        expected.sort_unstable();
        expected
    }

    /// Compares an answer with what it should be.
    pub(in crate::node) fn judge(
        &mut self,
        opened: &Opened,
        (gallery, side, sought): (GalleryName, Side, Sought),
        shown: &[i16],
    ) {
        let expected = match sought {
            Sought::Delivery(slot) => vec![slot],
            Sought::Slot(slot) => self
                .expected(opened, gallery, side, shown, self.kind.policy.verify)
                .into_iter()
                .filter(|found| *found == slot)
                .collect(),
            _ => self.expected(opened, gallery, side, shown, self.kind.policy.identify),
        };
        assert!(
            expected.iter().all(|slot| !self.acknowledged.contains(slot)),
            "an acknowledged deletion is searched"
        );
        if sought.has_tag() {
            assert_ne!(opened.audit, [0; 16], "an audit tag says that nobody was found");
        }
        match expected.as_slice() {
            [] => assert_eq!(opened.value, [0; 16], "somebody was found who is not there"),
            [slot] => {
                assert_ne!(opened.value, [0; 16], "slot {slot} was not found");
                let token = *self.tokens.entry((gallery, *slot)).or_insert(opened.value);
                assert_eq!(opened.value, token, "another token of slot {slot}");
                self.matches += 1;
            }
            several => {
                let known: Option<Vec<[u8; 16]>> = several
                    .iter()
                    .map(|slot| self.tokens.get(&(gallery, *slot)).copied())
                    .collect();
                if let Some(tokens) = known {
                    let xor = tokens.into_iter().fold([0; 16], |mut sum: [u8; 16], token| {
                        sum.iter_mut().zip(token).for_each(|(sum, byte)| *sum ^= byte);
                        sum
                    });
                    assert_eq!(opened.value, xor);
                }
                for slot in several {
                    let token = self.tokens.get(&(gallery, *slot));
                    assert_ne!(Some(&opened.value), token, "one of several was told");
                }
            }
        }
    }

    pub(in crate::node) fn look(
        &mut self,
        gallery: GalleryName,
        side: Side,
        sought: Sought,
        seed: u64,
    ) -> Option<Opened> {
        let shown = (self.kind.probe)(seed);
        let opened = self.search(gallery, side, sought, &shown)?;
        self.judge(&opened, (gallery, side, sought), &shown);
        Some(opened)
    }

    /// Whether a search is refused because a node lacks rows.
    pub(in crate::node) fn search_refused(&mut self) -> bool {
        self.search(EVENTS[0], Side::Left, Sought::Anyone, &(self.kind.probe)(0)).is_none()
    }
}
