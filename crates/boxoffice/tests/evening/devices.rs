//! Devices and their API keys.

use handfast_boxoffice::{
    AdmissionRequest, BoxOfficeError, DeviceKind, DeviceMode, NewDevice, Presented,
};
use handfast_model::Clock;
use handfast_store::test_on_both_engines;

use crate::night::{Night, hours};

test_on_both_engines! {
    async fn an_api_key_opens_its_device_until_it_is_rolled_or_revoked(store: Store) {
        let night = Night::begin(store).await;
        let register = NewDevice {
            venue_id: night.red_rocks.venue.id,
            name: "Merchandise",
            kind: DeviceKind::Register,
            mode: None,
            lane_id: None,
            shop_reference: Some("shop at the top"),
            paired_with: Some(night.red_rocks.entry),
        };
        let (id, key) = night.office.register_device(&register).await.unwrap();
        let device = night.office.authenticate_device(key.expose()).await.unwrap();
        assert_eq!((device.id, device.kind), (id, DeviceKind::Register));
        assert_eq!(device.venue_name, "Red Rocks Amphitheatre");
        assert_eq!(device.shop_reference.as_deref(), Some("shop at the top"));
        assert_eq!(device.paired_with, Some(night.red_rocks.entry));
        assert_eq!((device.lane_id, device.gate_name), (None, None));

        let seen = night.office.device(id).await.unwrap().last_seen_at;
        assert_eq!(seen, Some(night.clock.now()));
        night.clock.advance(hours(1));
        let rolled = night.office.roll_api_key(id).await.unwrap();
        let old = night.office.authenticate_device(key.expose()).await;
        assert!(matches!(old, Err(BoxOfficeError::ApiKey)), "{old:?}");
        night.office.authenticate_device(rolled.expose()).await.unwrap();
        let seen = night.office.device(id).await.unwrap().last_seen_at;
        assert_eq!(seen, Some(night.clock.now()));

        night.office.revoke_device(id).await.unwrap();
        let revoked = night.office.authenticate_device(rolled.expose()).await;
        assert!(matches!(revoked, Err(BoxOfficeError::ApiKey)), "{revoked:?}");
        assert!(night.office.roll_api_key(id).await.is_err());
        assert!(night.office.revoke_device(id).await.is_err());
    }

    async fn the_key_itself_is_not_kept(store: Store) {
        let night = Night::begin(store).await;
        let register = NewDevice {
            venue_id: night.red_rocks.venue.id,
            name: "Scanner",
            kind: DeviceKind::Scanner,
            mode: None,
            lane_id: None,
            shop_reference: None,
            paired_with: None,
        };
        let (id, key) = night.office.register_device(&register).await.unwrap();
        let kept: handfast_boxoffice::Result<Vec<(Vec<u8>,)>> = night
            .office
            .store()
            .read("test.keys", |tx| Box::pin(async move {
                let sql = "SELECT api_key_hash FROM devices WHERE id = $1";
                Ok(tx.fetch_all(sql, handfast_store::params![id]).await?)
            }))
            .await;
        let (hash,) = &kept.unwrap()[0];
        assert_eq!(hash.len(), 32);
        assert_ne!(hash.as_slice(), key.expose().as_bytes());
        for key in ["", "HFD1.", &"x".repeat(1_000_000)] {
            let refused = night.office.authenticate_device(key).await;
            assert!(matches!(refused, Err(BoxOfficeError::ApiKey)));
        }
    }

    async fn a_revoked_device_admits_nobody(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        night.office.revoke_device(night.red_rocks.scanner).await.unwrap();
        let request = AdmissionRequest {
            device_id: night.red_rocks.scanner,
            nonce: "after-revoking",
            presented: Presented::Code(ticket.code.as_str()),
        };
        let refused = night.office.admit(&request).await;
        assert!(matches!(refused, Err(BoxOfficeError::ApiKey)), "{refused:?}");
        assert_eq!(night.count("SELECT COUNT(*) FROM passages").await, 0);
    }

    async fn things_of_different_venues_do_not_combine(store: Store) {
        let night = Night::begin(store).await;
        let mut device = NewDevice {
            venue_id: night.red_rocks.venue.id,
            name: "Lost",
            kind: DeviceKind::Pedestal,
            mode: Some(DeviceMode::Counter),
            lane_id: Some(night.mission.lane_id),
            shop_reference: None,
            paired_with: None,
        };
        let refused = night.office.register_device(&device).await;
        assert!(matches!(refused, Err(BoxOfficeError::Mismatch)));
        device.lane_id = None;
        // Paired with a scanner, or with a pedestal elsewhere.
        for paired in [night.red_rocks.scanner, night.mission.entry] {
            device.paired_with = Some(paired);
            let refused = night.office.register_device(&device).await;
            assert!(matches!(refused, Err(BoxOfficeError::Mismatch)));
        }
        let area = night.office.create_area(night.mission.venue.id, "Floor").await.unwrap();
        let gate = night.office.create_gate(night.red_rocks.venue.id, Some(area.id), "X").await;
        assert!(matches!(gate, Err(BoxOfficeError::Mismatch)));
    }

    async fn a_pedestal_changes_its_mode(store: Store) {
        let night = Night::begin(store).await;
        let id = night.red_rocks.entry;
        night.office.set_device_mode(id, Some(DeviceMode::Counter)).await.unwrap();
        assert_eq!(night.office.device(id).await.unwrap().mode, Some(DeviceMode::Counter));
    }
}
