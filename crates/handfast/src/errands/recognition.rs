//! Who a presented palm is, at one relying party: the search, and its leaf in the log.

use handfast_model::{GalleryId, LinkId, PairwiseToken, ShopId, VenueId};
use handfast_pedestal::Reason;
use handfast_tlog::Purpose;
use handfast_trust::Promised;
use handfast_vault::dealer::Presentation;
use handfast_vault::{Identification, PalmIdentification};

use super::{Desk, Refused};

#[cfg(test)]
mod unlinkable;

/// Why a palm is searched, and who asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Search {
    /// A lane of this venue.
    Entry(VenueId),
    /// A counter of this shop.
    Payment(ShopId),
}

impl Search {
    const fn purpose(self) -> Purpose {
        match self {
            Self::Entry(_) => Purpose::Entry,
            Self::Payment(_) => Purpose::Payment,
        }
    }
}

impl Desk {
    /// The one person whom the presented palm names in galleries of one relying party. What was
    /// found is given out only once the log has promised that there was a search. The promise comes
    /// at the search's end and not beside it, because the leaf holds the search's own audit tag.
    pub(super) async fn recognise(
        &self,
        search: Search,
        galleries: &[GalleryId],
        presentation: Presentation,
    ) -> Result<PairwiseToken, Refused> {
        let found = self.vault([0; 16]).identify_in(galleries, presentation).await;
        let found = found.map_err(|error| {
            tracing::warn!(%error, "the vault could not search");
            Refused(Reason::VaultUnavailable)
        })?;
        let device = &self.device.device;
        let promised = self.hub.promise_search(search.purpose(), galleries, device, &found).await;
        let promised = promised.map_err(|error| {
            tracing::error!(%error, "the log promised nothing: what was found is withheld");
            Refused(Reason::VaultUnavailable)
        })?;
        let token = only_one(&found)?;
        self.keep_search(search, token, promised).await;
        Ok(token)
    }

    /// Keeps what opens the search's leaves for the person who was found. Where that fails they lack
    /// a receipt for this use; the leaves are in the log all the same.
    async fn keep_search(&self, search: Search, token: PairwiseToken, promised: Vec<Promised>) {
        let kept = async {
            let Some(link) = self.link_of(search, token).await? else { return Ok(()) };
            for promised in promised {
                self.hub.trust.keep(link, promised).await?;
            }
            Ok::<_, anyhow::Error>(())
        };
        if let Err(error) = kept.await {
            tracing::warn!(%error, "a use has no receipt");
        }
    }

    async fn link_of(
        &self,
        search: Search,
        token: PairwiseToken,
    ) -> Result<Option<LinkId>, anyhow::Error> {
        Ok(match search {
            Search::Entry(venue) => self.hub.boxoffice.link_of_palm(venue, &token).await?,
            Search::Payment(shop) => self.hub.till.link_of_palm(shop, token).await?,
        })
    }
}

/// One person or nobody: two different answers name nobody. A relying party knows a palm by the
/// same token in all its galleries.
fn only_one(found: &[PalmIdentification]) -> Result<PairwiseToken, Refused> {
    let mut one = None;
    for palm in found {
        match palm.identification {
            Identification::NoMatch => {}
            Identification::Match(token) if one.is_none_or(|known| known == token) => {
                one = Some(token);
            }
            Identification::Match(_) | Identification::Ambiguous => {
                return Err(Refused(Reason::Ambiguous));
            }
        }
    }
    one.ok_or(Refused(Reason::NotRecognised))
}

#[cfg(test)]
mod tests {
    use handfast_palm::Side;
    use handfast_vault::AuditTag;

    use super::*;

    fn found(identifications: &[Identification]) -> Result<PairwiseToken, Reason> {
        let audit = AuditTag::default();
        let palms = identifications.iter().map(|&identification| PalmIdentification {
            side: Side::Left,
            identification,
            audit,
        });
        only_one(&palms.collect::<Vec<_>>()).map_err(|Refused(reason)| reason)
    }

    #[test]
    fn two_galleries_name_one_person_or_nobody() {
        let (ana, ben) = (PairwiseToken::from_bytes([1; 16]), PairwiseToken::from_bytes([2; 16]));
        let (ana_found, ben_found) = (Identification::Match(ana), Identification::Match(ben));
        assert_eq!(found(&[Identification::NoMatch, ana_found]), Ok(ana));
        assert_eq!(found(&[ana_found, ana_found]), Ok(ana));
        assert_eq!(found(&[ana_found, ben_found]), Err(Reason::Ambiguous));
        assert_eq!(found(&[ana_found, Identification::Ambiguous]), Err(Reason::Ambiguous));
        assert_eq!(found(&[Identification::NoMatch]), Err(Reason::NotRecognised));
        assert_eq!(found(&[]), Err(Reason::NotRecognised));
    }
}
