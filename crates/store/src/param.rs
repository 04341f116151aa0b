//! Parameters of statements.

use handfast_model::{Duration, PairwiseToken, RelyingParty, Timestamp};

/// One parameter with its type; `None` is that type's `NULL` (PostgreSQL wants to know which).
#[derive(Clone, PartialEq, Eq)]
pub enum Param {
    /// `BIGINT`.
    Int(Option<i64>),
    /// `BOOLEAN`.
    Bool(Option<bool>),
    /// `TEXT`.
    Text(Option<String>),
    /// `BYTEA`.
    Bytes(Option<Vec<u8>>),
}

impl std::fmt::Debug for Param {
    /// Types only: parameters carry tokens, codes and mail addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Int(_) => "Int(hidden)",
            Self::Bool(_) => "Bool(hidden)",
            Self::Text(_) => "Text(hidden)",
            Self::Bytes(_) => "Bytes(hidden)",
        })
    }
}

/// A value that a statement can take: integers, texts, bytes, and the shared vocabulary (ids as
/// text, times and spans in microseconds, pairwise tokens as bytes), each also as an `Option`.
pub trait ToParam {
    /// This value.
    fn to_param(&self) -> Param;
    /// The `NULL` of this value's column type.
    fn null() -> Param
    where
        Self: Sized;
}

/// The parameters of a statement, in order: `params![id, now, Some(token)]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        ::std::vec::Vec::<$crate::Param>::from([$($crate::ToParam::to_param(&$value)),*])
    };
}

impl<T: ToParam> ToParam for &T {
    fn to_param(&self) -> Param {
        (*self).to_param()
    }
    fn null() -> Param {
        T::null()
    }
}

impl<T: ToParam> ToParam for Option<T> {
    fn to_param(&self) -> Param {
        self.as_ref().map_or_else(T::null, ToParam::to_param)
    }
    fn null() -> Param {
        T::null()
    }
}

macro_rules! to_param {
    ($($type:ty => $variant:ident, |$value:ident| $convert:expr;)*) => {$(
        impl ToParam for $type {
            fn to_param(&self) -> Param {
                let $value = self;
                Param::$variant(Some($convert))
            }
            fn null() -> Param {
                Param::$variant(None)
            }
        }
    )*};
}

to_param! {
    i64 => Int, |value| *value;
    i32 => Int, |value| i64::from(*value);
    u32 => Int, |value| i64::from(*value);
    u16 => Int, |value| i64::from(*value);
    u8 => Int, |value| i64::from(*value);
    bool => Bool, |value| *value;
    &str => Text, |value| (*value).to_owned();
    String => Text, |value| value.clone();
    &[u8] => Bytes, |value| value.to_vec();
    Vec<u8> => Bytes, |value| value.clone();
    Timestamp => Int, |value| value.as_micros();
    Duration => Int, |value| value.as_micros();
    PairwiseToken => Bytes, |value| value.as_bytes().to_vec();
    RelyingParty => Text, |value| value.to_string();
}

impl<const N: usize> ToParam for [u8; N] {
    fn to_param(&self) -> Param {
        Param::Bytes(Some(self.to_vec()))
    }
    fn null() -> Param {
        Param::Bytes(None)
    }
}

/// Ids are text on both engines: readable in a query, sorted by age.
macro_rules! id_columns {
    ($($id:ident)*) => {$(
        impl ToParam for handfast_model::$id {
            fn to_param(&self) -> Param {
                Param::Text(Some(self.to_string()))
            }
            fn null() -> Param {
                Param::Text(None)
            }
        }

        impl $crate::FromColumn for handfast_model::$id {
            fn from_cell(cell: &$crate::Cell<'_>) -> Result<Option<Self>, $crate::StoreError> {
                cell.parsed(concat!("an id of kind ", stringify!($id)))
            }
        }
    )*};
}

id_columns! {
    AccountId AdmissionId AreaId ChargeId CheckInListId CompanyId ConsentId DeviceId EventId GalleryId GateId
    LaneId LedgerAccountId LinkId MailId OrderId PaymentMethodId QuestionId RefundId ShopId StaffUserId
    TicketId TransferId VenueId WalletId
}
