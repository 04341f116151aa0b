//! The words of a leaf's public fields: choices that are one byte each, and short texts.

use crate::leaf::LeafError;
use crate::wire::Fields;

/// Most bytes of a text in public fields.
pub const TEXT_BYTES_MAX: usize = 64;

/// Choices that are one byte each in the encoding.
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($(#[$choice_doc:meta])* $choice:ident = $code:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$choice_doc])* $choice,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$choice,)*];

            /// Its byte in a leaf.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$choice => $code,)* }
            }

            pub(crate) fn take(fields: &mut Fields<'_>) -> Result<Self, LeafError> {
                match fields.u8()? {
                    $($code => Ok(Self::$choice),)*
                    _ => Err(LeafError::Malformed(concat!("no such ", stringify!($name)))),
                }
            }
        }
    )*};
}

choices! {
    /// What a leaf tells about; the byte behind the version.
    Kind {
        /// Palms were enrolled.
        Enrol = 1,
        /// Palms were put into a gallery.
        Arm = 2,
        /// Palms were taken out of a gallery.
        Disarm = 3,
        /// A gallery was searched, or a palm was verified.
        Identify = 4,
        /// Palms were deleted.
        Delete = 5,
        /// The nodes renewed their shares.
        Refresh = 6,
        /// A rule or threshold was changed.
        PolicyChange = 7,
        /// A machine began to run a version of a program.
        SoftwareVersion = 8,
        /// Staff read personal data.
        StaffAccess = 9,
        /// An authority demanded data.
        LegalDemand = 10,
        /// Palms were allowed or forbidden at an event.
        BiometricsSwitched = 11,
        /// Staff asked for, or decided, something that touches many people.
        FourEyes = 12,
    }
    /// Why a palm was used.
    Purpose {
        /// Whether the palm is enrolled already.
        DuplicateCheck = 1,
        /// To enter.
        Entry = 2,
        /// To pay.
        Payment = 3,
        /// To show an age.
        Age = 4,
        /// To collect loyalty.
        Loyalty = 5,
    }
    /// Why palms were deleted.
    DeletionCause {
        /// The person asked.
        Person = 1,
        /// Staff did it for the person.
        Staff = 2,
        /// Nobody used them for as long as the policy allows.
        Dormant = 3,
        /// Their event is over.
        EventOver = 4,
        /// The consent was withdrawn or ran out.
        ConsentEnded = 5,
    }
    /// Which rule changed.
    Rule {
        /// The score at which a palm opens a lane.
        EntryThreshold = 1,
        /// The score at which a palm pays.
        PaymentThreshold = 2,
        /// The score at which two palms are one.
        DuplicateThreshold = 3,
        /// Most palms in a gallery.
        GallerySizeMax = 4,
        /// Days until an unused palm goes.
        DormantDays = 5,
        /// The youngest age in years.
        MinimumAge = 6,
        /// Searches that a device may make in an hour.
        SearchBudget = 7,
    }
    /// Whose hands read personal data.
    StaffRole {
        /// Runs the machines.
        Operator = 1,
        /// Works at the gate.
        Steward = 2,
        /// Leads stewards.
        Supervisor = 3,
        /// Works at a counter.
        Clerk = 4,
    }
    /// Why staff read personal data.
    AccessReason {
        /// The person asked for help.
        Support = 1,
        /// A dispute about a payment or an admission.
        Dispute = 2,
        /// Something broke.
        Incident = 3,
        /// An audit.
        Audit = 4,
        /// An authority's demand.
        LegalDemand = 5,
    }
    /// How far something is that takes two of the staff.
    Step {
        /// One asked for it.
        Asked = 1,
        /// Another approved it.
        Approved = 2,
        /// It was refused, or taken back.
        Refused = 3,
    }
    /// What touches many people.
    WideAct {
        /// All palms of an event are deleted.
        EndPalms = 1,
        /// Palms are allowed or forbidden at all events to come.
        SwitchAllEvents = 2,
        /// The youngest age of a venue is changed.
        MinimumAge = 3,
        /// What there is about several people is disclosed.
        Disclosure = 4,
        /// Orders with names leave the service.
        ExportOrders = 5,
    }
    /// What became of a demand.
    DemandOutcome {
        /// It arrived.
        Received = 1,
        /// Nothing was handed over.
        Refused = 2,
        /// Something was handed over.
        Answered = 3,
    }
    /// Whether palms may be used at an event.
    Biometrics {
        /// They may.
        Allowed = 1,
        /// No camera opens for a palm.
        Forbidden = 2,
    }
}

/// A short public text: 1 to [`TEXT_BYTES_MAX`] ASCII letters, digits, dots, plus, minus and
/// spaces. No underscore and no at sign: neither an id nor a mail address fits in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicText(String);

impl PublicText {
    /// Takes a text.
    ///
    /// # Errors
    /// Where it is empty, too long or has other characters.
    pub fn new(text: &str) -> Result<Self, LeafError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".+- ".contains(&b);
        if text.is_empty() || text.len() > TEXT_BYTES_MAX || !text.bytes().all(plain) {
            return Err(LeafError::Malformed(
                "a public text has 1 to 64 letters, digits, dots, plus, minus and spaces",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn take(fields: &mut Fields<'_>) -> Result<Self, LeafError> {
        let len = usize::from(fields.u8()?);
        let bytes = fields.bytes(len)?;
        Self::new(std::str::from_utf8(bytes).map_err(|_| LeafError::Malformed("not ASCII"))?)
    }

    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.0.len() as u8);
        bytes.extend_from_slice(self.0.as_bytes());
    }
}

const _: () = assert!(TEXT_BYTES_MAX <= u8::MAX as usize);
