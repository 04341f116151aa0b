//! Consent records in the shape of ISO/IEC TS 27560:2023, as JSON-LD with the W3C's Data Privacy
//! Vocabulary (DPV 2): what was agreed to, on which words, with whom, until when, and how to
//! withdraw. The log's leaf commits to the whole text, so a receipt shows that it was not changed.

use handfast_model::Timestamp;
use serde_json::{Value, json};

use crate::record::rfc3339;

/// For which events a consent holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentScope {
    /// One event.
    Event,
    /// One venue's events.
    Venue,
    /// All events of the ticketing company.
    Company,
    /// Shops: paying.
    Shops,
}

impl ConsentScope {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Venue => "venue",
            Self::Company => "company",
            Self::Shops => "shops",
        }
    }
}

/// What is kept of somebody's age: a yes or no, by whom and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeRecord {
    /// `of_age`, or `guardian`: younger, and a guardian consents.
    pub said: String,
    /// `person` at the pedestal, `holder` of the ticket in the portal, or `staff` at the window.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What somebody agreed to. It names the consent and the palm link by their ids, not the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentRecord {
    /// The consent's id.
    pub consent_id: String,
    /// The palm link's id: the pseudonym of the person in this record.
    pub link_id: String,
    /// Who asked: the ticketing company.
    pub controller: String,
    /// The version of the words on the screen.
    pub text_version: String,
    /// Their language, as a BCP 47 tag.
    pub language: String,
    /// What was agreed to, one word a purpose, each asked for by itself.
    pub purposes: Vec<String>,
    /// For which events.
    pub scope: Option<ConsentScope>,
    /// When it was given.
    pub given_at: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Where it can be withdrawn.
    pub withdraw_at: String,
    /// What was said of the person's age, where it was asked.
    pub age: Option<AgeRecord>,
}

impl ConsentRecord {
    /// The JSON-LD document.
    pub(crate) fn to_json_ld(&self) -> Value {
        let mut document = self.agreement();
        if let (Some(age), Value::Object(document)) = (&self.age, &mut document) {
            let mut said = json!({ "handfast:saidBy": age.by, "dct:date": time(age.at) });
            if age.said == "guardian" {
                // DPV's term for who may consent in a child's place.
                said["@type"] = json!("dpv:GuardianOfDataSubject");
            }
            said["handfast:said"] = json!(age.said);
            document.insert("handfast:age".to_owned(), said);
        }
        document
    }

    fn agreement(&self) -> Value {
        let purposes: Vec<Value> = self.purposes.iter().map(|word| purpose(word)).collect();
        json!({
            "@context": {
                "dpv": "https://w3id.org/dpv#",
                "pd": "https://w3id.org/dpv/pd#",
                "dct": "http://purl.org/dc/terms/",
                "xsd": "http://www.w3.org/2001/XMLSchema#",
                "handfast": "https://handfast.example/terms#",
            },
            "@id": format!("urn:handfast:consent:{}", self.consent_id),
            "@type": "dpv:ConsentRecord",
            "dct:conformsTo": "ISO/IEC TS 27560:2023",
            "dct:identifier": self.consent_id,
            "dpv:hasDataSubject": { "@id": format!("urn:handfast:link:{}", self.link_id) },
            "dpv:hasDataController": { "@type": "dpv:DataController", "dpv:hasName": self.controller },
            "dpv:hasConsentStatus": { "@id": "dpv:ConsentGiven" },
            "dpv:isIndicatedAtTime": time(self.given_at),
            "dpv:hasNotice": {
                "@type": "dpv:ConsentNotice",
                "dct:hasVersion": self.text_version,
                "dct:language": self.language,
            },
            "dpv:hasLegalBasis": { "@id": "dpv:ExplicitlyExpressedConsent" },
            "dpv:hasPersonalData": { "@id": "pd:Biometric" },
            "dpv:hasProcess": purposes,
            "handfast:scope": self.scope.map(ConsentScope::as_str),
            "dpv:hasDuration": match self.until {
                Some(until) => json!({ "@type": "dpv:UntilTimeDuration", "dct:valid": time(until) }),
                None => json!({ "@type": "dpv:UntilEventDuration", "dct:description": "until withdrawn" }),
            },
            "dpv:hasWithdrawalMethod": { "@id": self.withdraw_at },
        })
    }
}

fn time(at: Timestamp) -> Value {
    json!({ "@type": "xsd:dateTime", "@value": rfc3339(at) })
}

/// A purpose with the DPV term that is closest to it.
fn purpose(word: &str) -> Value {
    let term = match word {
        "payment" => "dpv:PaymentManagement",
        "duplicate_check" => "dpv:MaintainFraudDatabase",
        "entry" => "dpv:EnforceAccessControl",
        _ => "dpv:Purpose",
    };
    json!({
        "@type": "dpv:Process",
        "dpv:hasPurpose": { "@id": format!("handfast:{word}"), "@type": term },
        "dpv:hasProcessing": [{ "@id": "dpv:Match" }, { "@id": "dpv:Store" }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn record() -> ConsentRecord {
        ConsentRecord {
            consent_id: "cns_1".to_owned(),
            link_id: "lnk_1".to_owned(),
            controller: "Foothill Tickets".to_owned(),
            text_version: "palm-2026-1".to_owned(),
            language: "en".to_owned(),
            purposes: vec!["duplicate_check".to_owned(), "entry".to_owned()],
            scope: Some(ConsentScope::Venue),
            given_at: Timestamp::from_micros(1_790_000_000_000_000),
            until: None,
            withdraw_at: "https://example.com/portal".to_owned(),
            age: None,
        }
    }

    #[test]
    fn every_purpose_stands_by_itself_with_words_and_end() {
        let document = record().to_json_ld();
        assert_eq!(document["@type"], "dpv:ConsentRecord");
        assert_eq!(document["dpv:hasProcess"].as_array().map(Vec::len), Some(2));
        assert_eq!(document["dpv:hasNotice"]["dct:hasVersion"], "palm-2026-1");
        assert_eq!(document["dpv:hasDuration"]["@type"], "dpv:UntilEventDuration");
        assert_eq!(document["handfast:scope"], "venue");
    }

    #[test]
    fn a_guardians_consent_stands_in_it_and_no_age() {
        let at = Timestamp::from_micros(1_790_000_000_000_000);
        let age = AgeRecord { said: "guardian".to_owned(), by: "holder".to_owned(), at };
        let document = ConsentRecord { age: Some(age), ..record() }.to_json_ld();
        assert_eq!(document["handfast:age"]["@type"], "dpv:GuardianOfDataSubject");
        assert_eq!(document["handfast:age"]["handfast:saidBy"], "holder");
        assert_eq!(record().to_json_ld().get("handfast:age"), None);
    }

    #[test]
    fn the_longest_sensible_record_fits_a_leaf() {
        let long = "Ñ".repeat(200);
        let record = ConsentRecord { controller: long.clone(), withdraw_at: long, ..record() };
        assert!(record.to_json_ld().to_string().len() < handfast_tlog_private_bytes_max());
    }

    const fn handfast_tlog_private_bytes_max() -> usize {
        handfast_tlog::PRIVATE_BYTES_MAX
    }
}
