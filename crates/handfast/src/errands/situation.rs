//! What applies at a pedestal now: tonight's event, whether palms are looked at, the open charge.

use handfast_boxoffice::{Biometrics, Event};
use handfast_model::ShopId;
use handfast_pedestal::{ChargeBrief, EventBrief, Mode, OpenCharge, Situation};

use super::{Desk, Refused, fault};

impl Desk {
    pub(super) async fn situation(&self) -> Result<Situation, Refused> {
        // Asked for every few seconds: nobody who was identified is kept much longer than said.
        self.forget_overdue();
        match self.device.pedestal_mode() {
            Some(Mode::Counter) => self.at_the_counter().await,
            _ => self.at_the_venue().await,
        }
    }

    /// Whether a palm may be looked for now: what was captured before a switch was turned is not
    /// searched after it, and what was found is not acted on.
    pub(super) async fn allow_biometrics(&self) -> Result<(), Refused> {
        let event = self.event_tonight().await?;
        match self.biometrics_at(event.as_ref()).refusal() {
            Some(reason) => Err(Refused(reason)),
            None => Ok(()),
        }
    }

    async fn event_tonight(&self) -> Result<Option<Event>, Refused> {
        let event = self.hub.boxoffice.event_tonight(self.device.device.venue_id).await;
        event.map_err(|error| fault(&error))
    }

    async fn at_the_venue(&self) -> Result<Situation, Refused> {
        let event = self.event_tonight().await?;
        Ok(Situation {
            biometrics: self.biometrics_at(event.as_ref()),
            event: event.map(|event| EventBrief { name: event.name, starts_at: event.starts_at }),
            shop_name: String::new(),
            charge: None,
        })
    }

    /// A shop's counter belongs to its own relying party; an event without biometrics at the venue
    /// closes it all the same: then nothing biometric runs there.
    async fn at_the_counter(&self) -> Result<Situation, Refused> {
        let tonight = self.at_the_venue().await?;
        let shop =
            self.device.device.shop_reference.as_deref().and_then(|id| id.parse::<ShopId>().ok());
        let shop_name = match shop {
            Some(id) => self.hub.till.shop(id).await.map_err(|error| fault(&error))?.name,
            None => String::new(),
        };
        let open = self.hub.till.open_charge_for_pedestal(self.device.id).await;
        let charge = open.map_err(|error| fault(&error))?.map(|open| OpenCharge {
            charge_id: open.id,
            brief: ChargeBrief {
                shop_name: open.shop_name,
                number: open.number.unsigned_abs(),
                amount: open.amount,
                pay_qr: open.pay_key.as_ref().and_then(|key| self.hub.pay_qr(key)),
            },
            expires_at: open.expires_at,
        });
        Ok(Situation { event: None, biometrics: tonight.biometrics, shop_name, charge })
    }

    /// An artist's word counts before the vault's state: with it nothing would be compared anyway.
    fn biometrics_at(&self, event: Option<&Event>) -> handfast_pedestal::Biometrics {
        match event.map(|event| event.biometrics) {
            Some(Biometrics::Forbidden) => handfast_pedestal::Biometrics::Forbidden,
            _ if !self.hub.vault.is_ready() => handfast_pedestal::Biometrics::Unavailable,
            Some(Biometrics::Allowed) | None => handfast_pedestal::Biometrics::Allowed,
        }
    }
}
