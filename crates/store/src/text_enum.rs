//! Enums that are stored, sent and read as fixed words.

/// Declares an enum whose variants are words: stored as `TEXT`, shown with `Display`, read with
/// `FromStr`. The words are part of the database's format; never change one. To serialise such an
/// enum as its word, derive serde's traits with
/// `#[serde(into = "&'static str", try_from = "String")]`.
///
/// ```
/// handfast_store::text_enum! {
///     /// How somebody entered.
///     pub enum Method {
///         /// By palm.
///         Palm = "palm",
///         /// By code.
///         Code = "code",
///     }
/// }
/// assert_eq!(Method::Palm.as_str(), "palm");
/// assert_eq!("code".parse(), Ok(Method::Code));
/// assert!("face".parse::<Method>().is_err());
/// ```
#[macro_export]
macro_rules! text_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name {
            $($(#[$variant_meta])* $variant,)*
        }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word it is stored and sent as.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = &'static str;
            fn from_str(word: &str) -> ::std::result::Result<Self, &'static str> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(concat!("expected one of:", $(" ", $word),*)),
                }
            }
        }

        impl ::std::convert::From<$name> for &'static str {
            fn from(value: $name) -> Self {
                value.as_str()
            }
        }

        impl ::std::convert::TryFrom<::std::string::String> for $name {
            type Error = &'static str;
            fn try_from(word: ::std::string::String) -> ::std::result::Result<Self, &'static str> {
                word.parse()
            }
        }

        impl $crate::ToParam for $name {
            fn to_param(&self) -> $crate::Param {
                $crate::Param::Text(Some(self.as_str().to_owned()))
            }
            fn null() -> $crate::Param {
                $crate::Param::Text(None)
            }
        }

        impl $crate::FromColumn for $name {
            fn from_cell(
                cell: &$crate::Cell<'_>,
            ) -> ::std::result::Result<Option<Self>, $crate::StoreError> {
                cell.parsed(concat!("a word of ", stringify!($name)))
            }
        }
    };
}
