//! Ticketing companies.

use handfast_model::CompanyId;
use handfast_store::{from_row, params};

use crate::{BoxOffice, BoxOfficeError, Result, Thing};

/// The longest name of anything that people name: it fits a line of a page.
pub(crate) const NAME_LEN_MAX: usize = 120;

/// A ticketing company: sells tickets, has venues, is the relying party that palms enrol with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// Its id.
    pub id: CompanyId,
    /// Its name as people know it.
    pub name: String,
}

from_row!(Company { id, name });

impl BoxOffice {
    /// Founds a company.
    ///
    /// # Errors
    /// [`BoxOfficeError::Text`] for a name that is empty or too long.
    pub async fn create_company(&self, name: &str) -> Result<Company> {
        let name = check_name("a company's name", name)?;
        let company = &Company { id: CompanyId::new(&*self.clock, &*self.random), name };
        let now = self.now();
        self.store
            .transaction("company.create", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "INSERT INTO companies (id, name, created_at) VALUES ($1, $2, $3)",
                        params![company.id, company.name, now],
                    )
                    .await?;
                    Ok::<_, BoxOfficeError>(())
                })
            })
            .await?;
        Ok(company.clone())
    }

    /// All companies, oldest first.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn companies(&self) -> Result<Vec<Company>> {
        self.store
            .read("company.all", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, name FROM companies ORDER BY id";
                    Ok(tx.fetch_all(sql, params![]).await?)
                })
            })
            .await
    }

    /// One company.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`].
    pub async fn company(&self, id: CompanyId) -> Result<Company> {
        self.store
            .read("company.one", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, name FROM companies WHERE id = $1";
                    let company = tx.fetch_optional(sql, params![id]).await?;
                    company.ok_or(BoxOfficeError::Unknown(Thing::Company))
                })
            })
            .await
    }
}

/// The name without spaces around it.
///
/// # Errors
/// [`BoxOfficeError::Text`] where it is empty, too long or holds control characters.
pub(crate) fn check_name(field: &'static str, name: &str) -> Result<String> {
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > NAME_LEN_MAX || name.chars().any(char::is_control) {
        return Err(BoxOfficeError::Text { field, max: NAME_LEN_MAX });
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_line_of_text() {
        assert_eq!(check_name("a name", " Red Rocks ").unwrap(), "Red Rocks");
        for name in ["", "  ", "a\nb", &"x".repeat(NAME_LEN_MAX + 1)] {
            assert!(check_name("a name", name).is_err(), "{name:?}");
        }
        assert!(check_name("a name", &"é".repeat(NAME_LEN_MAX)).is_ok());
    }
}
