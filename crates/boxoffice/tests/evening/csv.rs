//! Importing tickets: nothing while a row is bad, each order once.

use handfast_boxoffice::{Outcome, Presented};
use handfast_store::test_on_both_engines;

use crate::night::Night;

const HEADER: &str = "order,event,product,name,email,code,state\n";

test_on_both_engines! {
    async fn a_dry_run_lists_every_bad_row_and_writes_nothing(store: Store) {
        let night = Night::begin(store).await;
        let taken = night.ticket(&night.ada).await;
        let file = format!(
            "{HEADER}A1,Tonight,GA,Ann,ann@example.org,,\n\
             A2,Nowhere,GA,Bob,bob@example.org,,\n\
             A3,Tonight,GA,Cat,cat,,\n\
             A4,Tonight,GA,Dan,dan@example.org,{},\n",
            taken.code.as_str()
        );
        let company = night.red_rocks.company.id;
        for dry_run in [true, false] {
            let report = night.office.import_tickets(company, file.as_bytes(), dry_run, |_, _| {}).await.unwrap();
            let lines: Vec<u64> = report.bad.iter().map(|row| row.line).collect();
            assert_eq!((lines, report.imported), (vec![3, 4, 5], false));
        }
        assert_eq!(night.count("SELECT COUNT(*) FROM tickets").await, 1);
    }

    async fn what_was_imported_enters_and_is_not_imported_twice(store: Store) {
        let night = Night::begin(store).await;
        let mut file = HEADER.to_owned();
        for number in 0..120 {
            file.push_str(&format!("A{number},Tonight,GA,Ann,ann@example.org,foreign-{number:06},\n"));
        }
        let company = night.red_rocks.company.id;
        let mut seen = Vec::new();
        let report = night.office.import_tickets(company, file.as_bytes(), false, |done, all| seen.push((done, all))).await.unwrap();
        assert_eq!((report.orders, report.tickets, report.imported), (120, 120, true));
        assert_eq!(seen, [(0, 120), (50, 120), (100, 120), (120, 120)]);
        let scanner = night.red_rocks.scanner;
        assert_eq!(night.present(scanner, Presented::Code("foreign-000007")).await.outcome, Outcome::Ok);
        let again = night.office.import_tickets(company, file.as_bytes(), false, |_, _| {}).await.unwrap();
        assert_eq!((again.orders, again.already_there), (0, 120));
        assert_eq!(night.count("SELECT COUNT(*) FROM tickets").await, 120);
        let exported = night.office.export_tickets(company, night.tonight.id).await.unwrap();
        let tickets = exported.tickets;
        let exported = String::from_utf8(exported.csv).unwrap();
        assert_eq!((exported.lines().count(), tickets), (121, 120));
        assert!(exported.contains("A7,Tonight,GA,Ann,ann@example.org,foreign-000007,valid,1,1"));
        assert!(night.office.export_tickets(night.rival.company.id, night.tonight.id).await.is_err());
    }
}
