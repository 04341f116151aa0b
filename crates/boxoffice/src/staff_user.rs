//! Staff users and their roles.

use handfast_model::{CompanyId, StaffUserId};
use handfast_store::{Tx, from_row, params};

use crate::account::email_taken;
use crate::company::check_name;
use crate::{BoxOffice, BoxOfficeError, EmailAddress, Language, Result, Thing};

handfast_store::text_enum! {
    /// What a staff user may do; the routes decide by it.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Role {
        /// Runs the company's events, devices and staff.
        Operator = "operator",
        /// Scans tickets at a lane.
        Steward = "steward",
        /// Decides where a steward may not.
        Supervisor = "supervisor",
        /// Takes payments at a shop.
        Clerk = "clerk",
    }
}

/// Somebody who works for a company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffUser {
    /// The id.
    pub id: StaffUserId,
    /// For whom.
    pub company_id: CompanyId,
    /// Where the mail links go.
    pub email: EmailAddress,
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// What they read.
    pub language: Language,
}

from_row!(StaffUser { id, company_id, email, name, role, language });

impl BoxOffice {
    /// Adds a staff user to a company.
    ///
    /// # Errors
    /// [`BoxOfficeError::Text`]; [`BoxOfficeError::EmailTaken`];
    /// [`BoxOfficeError::Unknown`] for an unknown company.
    pub async fn create_staff_user(
        &self,
        company_id: CompanyId,
        email: &EmailAddress,
        name: &str,
        role: Role,
        language: Language,
    ) -> Result<StaffUser> {
        let name = check_name("a name", name)?;
        self.company(company_id).await?;
        let id = StaffUserId::new(&*self.clock, &*self.random);
        let email = email.clone();
        let user = &StaffUser { id, company_id, email, name, role, language };
        let now = self.now();
        self.store
            .transaction("staff_user.create", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "INSERT INTO staff_users (id, company_id, email, name, role, language,
                                                  created_at)
                         VALUES ($1, $2, $3, $4, $5, $6, $7)",
                        params![
                            user.id,
                            user.company_id,
                            user.email,
                            user.name,
                            user.role,
                            user.language,
                            now
                        ],
                    )
                    .await
                    .map_err(email_taken)?;
                    Ok(user.clone())
                })
            })
            .await
    }

    /// A company's staff users who are not disabled, oldest first.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn staff_users(&self, company_id: CompanyId) -> Result<Vec<StaffUser>> {
        self.store
            .read("staff_user.of_company", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, company_id, email, name, role, language FROM staff_users
                               WHERE company_id = $1 AND disabled_at IS NULL ORDER BY id";
                    Ok(tx.fetch_all(sql, params![company_id]).await?)
                })
            })
            .await
    }

    /// Disables a staff user for good and ends their sessions.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for one who is not of this company or disabled already.
    pub async fn disable_staff_user(&self, company_id: CompanyId, id: StaffUserId) -> Result<()> {
        let now = self.now();
        self.store
            .transaction("staff_user.disable", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE staff_users SET disabled_at = $3
                               WHERE id = $1 AND company_id = $2 AND disabled_at IS NULL";
                    if tx.execute(sql, params![id, company_id, now]).await? == 0 {
                        return Err(BoxOfficeError::Unknown(Thing::StaffUser));
                    }
                    let sql = "DELETE FROM sessions WHERE staff_user_id = $1";
                    tx.execute(sql, params![id]).await?;
                    let sql = "DELETE FROM mail_keys WHERE staff_user_id = $1";
                    tx.execute(sql, params![id]).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// The staff user with this mail address, unless disabled.
pub(crate) async fn find_by_email(
    tx: &mut Tx<'_>,
    email: &EmailAddress,
) -> Result<Option<StaffUser>> {
    let sql = "SELECT id, company_id, email, name, role, language FROM staff_users
               WHERE email = $1 AND disabled_at IS NULL";
    Ok(tx.fetch_optional(sql, params![email]).await?)
}
