//! The end of a shop's day, and what the shop is owed: for a register's staff and its bookkeeping.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use handfast_model::{Money, TransferId};
use handfast_till::{Charge, ChargeStatus, DayReport, Statement};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::day_pdf;
use crate::http::access::DeviceCaller;
use crate::http::json::{Amount, Time, rfc3339};
use crate::http::problem::Problem;
use crate::hub::{Hub, SharedHub};

/// 9999-12-31, counted from 1970-01-01.
const LAST_DAY: i64 = 2_932_896;

/// Which day.
#[derive(Deserialize, IntoParams)]
pub(crate) struct WhichDay {
    /// Counted from 1970-01-01 in the shop's local time; today where it is left out.
    day: Option<i64>,
}

impl WhichDay {
    /// The day, where it is one that the calendar has.
    fn wanted(&self) -> Result<Option<i64>, Problem> {
        match self.day {
            Some(day) if !(0..=LAST_DAY).contains(&day) => Err(Problem::malformed(format!(
                "A day is a number from 0 (1970-01-01) to {LAST_DAY} (9999-12-31)."
            ))),
            day => Ok(day),
        }
    }
}

/// A shop's day.
#[derive(Serialize, ToSchema)]
pub(crate) struct DayView {
    shop_name: String,
    /// Counted from 1970-01-01 in the shop's local time.
    day: i64,
    /// The same as a date.
    date: String,
    charges: i64,
    #[schema(value_type = Amount)]
    taken: Money,
    #[schema(value_type = Amount)]
    by_credit: Money,
    #[schema(value_type = Amount)]
    by_card: Money,
    #[schema(value_type = Amount)]
    tips: Money,
    #[schema(value_type = Amount)]
    discounts: Money,
    #[schema(value_type = Amount)]
    cash: Money,
    #[schema(value_type = Amount)]
    tax: Money,
    refunds: i64,
    #[schema(value_type = Amount)]
    given_back: Money,
    /// Charges of the day without an end yet.
    open: i64,
    /// When the day was closed; from then on it never changes.
    closed_at: Option<Time>,
}

impl DayView {
    fn of(report: &DayReport) -> Self {
        let (sums, money) = (&report.sums, |minor| report.money(minor));
        Self {
            shop_name: report.shop.name.clone(),
            day: report.day,
            date: date_of(report.day),
            charges: sums.charges,
            taken: money(sums.taken),
            by_credit: money(sums.by_credit),
            by_card: money(sums.by_card),
            tips: money(sums.tips),
            discounts: money(sums.discounts),
            cash: money(sums.cash),
            tax: money(sums.tax),
            refunds: sums.refunds,
            given_back: money(sums.given_back),
            open: report.open,
            closed_at: report.closed_at.map(Time),
        }
    }
}

/// A day's number as `2026-11-22`.
pub(crate) fn date_of(day: i64) -> String {
    let epoch = time::Date::from_ordinal_date(1970, 1);
    let date = epoch.ok().and_then(|epoch| epoch.checked_add(time::Duration::days(day)));
    date.map_or_else(|| day.to_string(), |date| date.to_string())
}

/// The day of the register's shop.
#[utoipa::path(get, path = "/api/v1/register/day", tag = "register", params(WhichDay),
    responses((status = 200, body = DayView), (status = "4XX", body = Problem)))]
pub(crate) async fn report(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    Query(which): Query<WhichDay>,
) -> Result<Json<DayView>, Problem> {
    Ok(Json(DayView::of(&hub.till.day_report(device.id, which.wanted()?).await?)))
}

/// The day's charges, one a line.
#[utoipa::path(get, path = "/api/v1/register/day.csv", tag = "register", params(WhichDay),
    responses((status = 200, content_type = "text/csv", body = String), (status = "4XX", body = Problem)))]
pub(crate) async fn csv(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    Query(which): Query<WhichDay>,
) -> Result<impl IntoResponse, Problem> {
    let report = hub.till.day_report(device.id, which.wanted()?).await?;
    let charges = hub.till.charges_of_day(device.id, report.day).await?;
    let text = csv_of(&charges, &hub);
    let name = format!("{}.csv", date_of(report.day));
    Ok(file(text.into_bytes(), "text/csv; charset=utf-8", name))
}

/// The day on paper.
#[utoipa::path(get, path = "/api/v1/register/day.pdf", tag = "register", params(WhichDay),
    responses((status = 200, content_type = "application/pdf", body = String), (status = "4XX", body = Problem)))]
pub(crate) async fn pdf(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    Query(which): Query<WhichDay>,
) -> Result<impl IntoResponse, Problem> {
    let report = hub.till.day_report(device.id, which.wanted()?).await?;
    let bytes = day_pdf::day_report(&report, &date_of(report.day));
    Ok(file(bytes, "application/pdf", format!("{}.pdf", date_of(report.day))))
}

fn file(bytes: Vec<u8>, kind: &'static str, name: String) -> impl IntoResponse {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], bytes)
}

/// RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe before it.
fn csv_of(charges: &[Charge], hub: &Hub) -> String {
    let mut text = String::from(
        "number,created_at,state,description,currency,asked,tip,cash,discount,paid,credit,card,\
         refunded,charge_id\r\n",
    );
    let now = hub.clock.now();
    for charge in charges {
        // Before a hand, nothing is paid: what is asked for is not a payment.
        let paid = matches!(charge.status(now), ChargeStatus::Captured | ChargeStatus::Refunded);
        let of_paid = |minor: i64| if paid { minor } else { 0 };
        let cells = [
            charge.number.to_string(),
            rfc3339(charge.created_at),
            charge.status(now).as_str().to_owned(),
            cell(&charge.description),
            charge.amount.currency.code().to_owned(),
            decimal(charge.asked),
            decimal(charge.tip),
            decimal(charge.cash),
            decimal(charge.discount),
            decimal(Money::new(of_paid(charge.amount.minor), charge.amount.currency)),
            decimal(Money::new(of_paid(charge.credit_part.minor), charge.amount.currency)),
            decimal(Money::new(of_paid(charge.card_part.minor), charge.amount.currency)),
            decimal(charge.refunded),
            charge.id.to_string(),
        ];
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t']);
    let safe = if formula { format!("'{text}") } else { text.to_owned() };
    format!("\"{}\"", safe.replace('"', "\"\""))
}

/// An amount with its currency's decimals and a point, as bookkeeping programs read it.
pub(crate) fn decimal(amount: Money) -> String {
    let decimals = amount.currency.decimals();
    if decimals == 0 {
        return amount.minor.to_string();
    }
    let unit = 10_i64.pow(decimals);
    let (whole, part) = (amount.minor.unsigned_abs() / unit.unsigned_abs(), amount.minor % unit);
    let sign = if amount.minor < 0 { "-" } else { "" };
    format!("{sign}{whole}.{:0width$}", part.unsigned_abs(), width = decimals as usize)
}

/// Where a page of a statement begins.
#[derive(Deserialize, IntoParams)]
pub(crate) struct WhichPage {
    /// The `next` of the page before.
    before: Option<String>,
}

/// A page of what moved.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatementView {
    /// What the accounts hold now, by currency.
    #[schema(value_type = Vec<Amount>)]
    balances: Vec<Money>,
    lines: Vec<StatementLineView>,
    next: Option<String>,
}

/// One transfer.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatementLineView {
    transfer_id: String,
    at: Time,
    purpose: &'static str,
    subject: String,
    state: &'static str,
    /// Above zero came in, below zero went out.
    #[schema(value_type = Amount)]
    amount: Money,
}

impl StatementView {
    pub(super) fn of(statement: Statement) -> Self {
        Self {
            balances: statement.balances,
            next: statement.next.map(|id| id.to_string()),
            lines: statement
                .lines
                .into_iter()
                .map(|line| StatementLineView {
                    transfer_id: line.transfer.to_string(),
                    at: line.at.into(),
                    purpose: line.purpose.as_str(),
                    subject: line.subject,
                    state: line.state.as_str(),
                    amount: line.amount,
                })
                .collect(),
        }
    }
}

impl WhichPage {
    pub(super) fn before(&self) -> Result<Option<TransferId>, Problem> {
        let parsed = self.before.as_deref().map(str::parse).transpose();
        parsed.map_err(|_| Problem::malformed("Give the `next` of the page before, as it was."))
    }
}

/// What the register's shop is owed, and why.
#[utoipa::path(get, path = "/api/v1/register/statement", tag = "register", params(WhichPage),
    responses((status = 200, body = StatementView), (status = "4XX", body = Problem)))]
pub(crate) async fn statement(
    State(hub): State<SharedHub>,
    device: DeviceCaller,
    Query(page): Query<WhichPage>,
) -> Result<Json<StatementView>, Problem> {
    let statement = hub.till.shop_statement(device.id, page.before()?).await?;
    Ok(Json(StatementView::of(statement)))
}

#[cfg(test)]
mod tests {
    use handfast_model::Currency;

    use super::*;

    #[test]
    fn amounts_have_their_currencys_decimals() {
        let text = |minor, currency| decimal(Money::new(minor, currency));
        assert_eq!(text(1_250, Currency::Usd), "12.50");
        assert_eq!(text(-5, Currency::Usd), "-0.05");
        assert_eq!(text(1_250, Currency::Jpy), "1250");
        assert_eq!(text(1_250, Currency::Kwd), "1.250");
    }

    #[test]
    fn a_description_is_no_formula_and_ends_no_cell() {
        assert_eq!(cell("2 lager, \"cold\""), "\"2 lager, \"\"cold\"\"\"");
        assert_eq!(cell("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
    }

    #[test]
    fn days_are_dates() {
        assert_eq!(date_of(LAST_DAY), "9999-12-31");
        for day in [-1, LAST_DAY + 1, i64::MAX, i64::MIN] {
            assert!(WhichDay { day: Some(day) }.wanted().is_err(), "{day}");
        }
        assert!(WhichDay { day: Some(LAST_DAY) }.wanted().is_ok());
        assert_eq!(date_of(0), "1970-01-01");
        assert_eq!(date_of(20_779), "2026-11-22");
    }
}
