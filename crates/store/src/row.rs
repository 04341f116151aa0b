//! Rows and how values are read from them.

use std::str::FromStr;

use handfast_model::{Currency, Duration, PairwiseToken, RelyingParty, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Row as _, TypeInfo as _};

use crate::{Param, StoreError, ToParam};

/// One row of an answer.
pub struct Row(pub(crate) Inner);

pub(crate) enum Inner {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// One value of a row, not yet read as any type.
pub struct Cell<'r> {
    row: &'r Row,
    place: Place<'r>,
}

#[derive(Clone, Copy)]
enum Place<'r> {
    Named(&'r str),
    Numbered(usize),
}

/// A type that a column can be read as.
pub trait FromColumn: Sized {
    /// The value, or `None` for `NULL`.
    ///
    /// # Errors
    /// [`StoreError::Column`] where the cell holds something else.
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError>;
}

/// A type that a whole row can be read as. Tuples of up to ten columns are read by position.
pub trait FromRow: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// [`StoreError::Column`] where a column is missing or holds something else.
    fn from_row(row: &Row) -> Result<Self, StoreError>;
}

impl Row {
    /// The column called `name`, which must not be `NULL`.
    ///
    /// # Errors
    /// [`StoreError::Column`] where it is missing, `NULL`, or holds something else.
    pub fn get<T: FromColumn>(&self, name: &str) -> Result<T, StoreError> {
        Cell { row: self, place: Place::Named(name) }.required()
    }

    /// The column called `name`, or `None` where it is `NULL`.
    ///
    /// # Errors
    /// [`StoreError::Column`] where it is missing or holds something else.
    pub fn get_optional<T: FromColumn>(&self, name: &str) -> Result<Option<T>, StoreError> {
        T::from_cell(&Cell { row: self, place: Place::Named(name) })
    }

    /// The column at `index`, from 0, which must not be `NULL`.
    ///
    /// # Errors
    /// [`StoreError::Column`] where it is missing, `NULL`, or holds something else.
    pub fn at<T: FromColumn>(&self, index: usize) -> Result<T, StoreError> {
        Cell { row: self, place: Place::Numbered(index) }.required()
    }
}

impl Cell<'_> {
    fn required<T: FromColumn>(&self) -> Result<T, StoreError> {
        T::from_cell(self)?.ok_or_else(|| self.unexpected("a value (it is NULL)"))
    }

    /// The error that says this cell does not hold what was `expected`.
    #[must_use]
    pub fn unexpected(&self, expected: &'static str) -> StoreError {
        let column = match self.place {
            Place::Named(name) => name.to_owned(),
            Place::Numbered(index) => format!("number {index}"),
        };
        StoreError::Column { column, expected }
    }

    /// The text, parsed; `NULL` is `None`.
    ///
    /// # Errors
    /// [`StoreError::Column`] with `expected` where it is no text or does not parse.
    pub fn parsed<T: FromStr>(&self, expected: &'static str) -> Result<Option<T>, StoreError> {
        let Some(text) = String::from_cell(self)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.unexpected(expected))
    }

    /// Reads the cell as one of the driver's own types.
    fn read<'r, T>(&'r self, expected: &'static str) -> Result<Option<T>, StoreError>
    where
        T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
        T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        match (&self.row.0, self.place) {
            (Inner::Sqlite(row), Place::Named(name)) => row.try_get(name),
            (Inner::Sqlite(row), Place::Numbered(index)) => row.try_get(index),
            (Inner::Postgres(row), Place::Named(name)) => row.try_get(name),
            (Inner::Postgres(row), Place::Numbered(index)) => row.try_get(index),
        }
        .map_err(|_| self.unexpected(expected))
    }

    /// PostgreSQL's type of an integer column: literals and `CASE` give `INT4` where SQLite knows
    /// one integer only.
    fn is_int4(&self) -> bool {
        let Inner::Postgres(row) = &self.row.0 else { return false };
        let column = match self.place {
            Place::Named(name) => row.try_column(name),
            Place::Numbered(index) => row.try_column(index),
        };
        column.is_ok_and(|column| column.type_info().name() == "INT4")
    }
}

impl FromColumn for i64 {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        if cell.is_int4() {
            return Ok(cell.read::<Option<i32>>("an integer")?.flatten().map(Self::from));
        }
        Ok(cell.read::<Option<Self>>("an integer")?.flatten())
    }
}

macro_rules! narrow_ints {
    ($($type:ty)*) => {$(
        impl FromColumn for $type {
            fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
                let wide = i64::from_cell(cell)?;
                let narrow = wide.map(Self::try_from).transpose();
                narrow.map_err(|_| cell.unexpected(concat!("a number that fits ", stringify!($type))))
            }
        }
    )*};
}
narrow_ints!(i32 u64 u32 u16 u8 usize);

impl FromColumn for bool {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        Ok(cell.read::<Option<Self>>("a boolean")?.flatten())
    }
}

impl FromColumn for String {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        Ok(cell.read::<Option<Self>>("text")?.flatten())
    }
}

impl FromColumn for Vec<u8> {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        Ok(cell.read::<Option<Self>>("bytes")?.flatten())
    }
}

impl<const N: usize> FromColumn for [u8; N] {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        let Some(bytes) = Vec::<u8>::from_cell(cell)? else { return Ok(None) };
        Self::try_from(bytes).map(Some).map_err(|_| cell.unexpected("bytes of the right length"))
    }
}

impl FromColumn for Timestamp {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        Ok(i64::from_cell(cell)?.map(Self::from_micros))
    }
}

impl FromColumn for Duration {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        Ok(i64::from_cell(cell)?.map(Self::from_micros))
    }
}

impl FromColumn for PairwiseToken {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        Ok(<[u8; Self::LEN]>::from_cell(cell)?.map(Self::from_bytes))
    }
}

impl FromColumn for RelyingParty {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        cell.parsed("the id of a company, venue or shop")
    }
}

impl FromColumn for Currency {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        cell.parsed("a currency")
    }
}

impl ToParam for Currency {
    fn to_param(&self) -> Param {
        Param::Text(Some(self.code().to_owned()))
    }
    fn null() -> Param {
        Param::Text(None)
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    /// Never outer `None`: so that a nullable column can be read in a tuple or with [`Row::get`].
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        T::from_cell(cell).map(Some)
    }
}

/// Reads a struct's fields from the columns of the same names:
/// `from_row!(Venue { id, company_id, name });`. A nullable column's field is an `Option`.
#[macro_export]
macro_rules! from_row {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl $crate::FromRow for $type {
            fn from_row(row: &$crate::Row) -> ::std::result::Result<Self, $crate::StoreError> {
                Ok(Self { $($field: row.get(stringify!($field))?),* })
            }
        }
    };
}

impl FromRow for () {
    fn from_row(_: &Row) -> Result<Self, StoreError> {
        Ok(())
    }
}

macro_rules! tuple_rows {
    ($($(($index:tt $type:ident))*;)*) => {$(
        impl<$($type: FromColumn),*> FromRow for ($($type,)*) {
            fn from_row(row: &Row) -> Result<Self, StoreError> {
                Ok(($(row.at::<$type>($index)?,)*))
            }
        }
    )*};
}

tuple_rows! {
    (0 A);
    (0 A)(1 B);
    (0 A)(1 B)(2 C);
    (0 A)(1 B)(2 C)(3 D);
    (0 A)(1 B)(2 C)(3 D)(4 E);
    (0 A)(1 B)(2 C)(3 D)(4 E)(5 F);
    (0 A)(1 B)(2 C)(3 D)(4 E)(5 F)(6 G);
    (0 A)(1 B)(2 C)(3 D)(4 E)(5 F)(6 G)(7 H);
    (0 A)(1 B)(2 C)(3 D)(4 E)(5 F)(6 G)(7 H)(8 I);
    (0 A)(1 B)(2 C)(3 D)(4 E)(5 F)(6 G)(7 H)(8 I)(9 J);
}
