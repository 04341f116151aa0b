//! Tickets as CSV (RFC 4180, UTF-8): reading with every bad row named, and writing so that no
//! spreadsheet runs what a cell says.
//!
//! Columns, in any order, by the header's names: `order`, `event`, `product`, `name`, `email`, and
//! where wanted `code`, `state` (paid, pending, unapproved, cancelled), `people`, `valid_from`,
//! `valid_until` (RFC 3339). An order's rows share its reference, holder and state.

use std::collections::{BTreeMap, HashMap, HashSet};

use handfast_model::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::company::check_name;
use crate::{BoxOfficeError, EmailAddress, OrderState, Result, TicketCode};

/// The largest file: a million tickets' worth.
pub const FILE_BYTES_MAX: usize = 128 * 1024 * 1024;
/// The longest cell: longer ones are an error in the file, whatever their column.
const CELL_BYTES_MAX: usize = 1024;
/// Tickets of one order, as everywhere.
const ORDER_ROWS_MAX: usize = 200;
/// People on one ticket, as everywhere.
const PEOPLE_MAX: u32 = 255;
const REQUIRED: [&str; 5] = ["order", "event", "product", "name", "email"];
const OPTIONAL: [&str; 5] = ["code", "state", "people", "valid_from", "valid_until"];
/// What spreadsheets take for the beginning of a formula.
const FORMULA_BEGINS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A row that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BadRow {
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    /// What is wrong and what to do. Never the cell's text: it may be a person's.
    pub reason: String,
}

/// An order as the file has it.
#[derive(Clone, Debug)]
pub(crate) struct CsvOrder {
    pub reference: String,
    pub name: String,
    pub email: EmailAddress,
    pub state: OrderState,
    pub tickets: Vec<CsvTicket>,
}

/// A ticket as the file has it.
#[derive(Clone, Debug)]
pub(crate) struct CsvTicket {
    pub line: u64,
    pub event: String,
    pub product: String,
    pub code: Option<TicketCode>,
    pub people: u32,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
}

/// A file that was read.
#[derive(Debug, Default)]
pub(crate) struct CsvFile {
    pub orders: Vec<CsvOrder>,
    pub rows: u64,
    pub bad: Vec<BadRow>,
}

/// Reads a file; rows that do not fit are in `bad`, each with its line.
///
/// # Errors
/// [`BoxOfficeError::Csv`] for what is no such file at all: too large, UTF-16, without the columns.
pub(crate) fn read(file: &[u8]) -> Result<CsvFile> {
    if file.len() > FILE_BYTES_MAX {
        return Err(no_file("it is larger than 128 MiB; split it"));
    }
    if file.starts_with(&[0xff, 0xfe]) || file.starts_with(&[0xfe, 0xff]) {
        return Err(no_file("it is UTF-16; save it as UTF-8"));
    }
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
    let mut record = csv::ByteRecord::new();
    let mut next = |record: &mut csv::ByteRecord| {
        reader.read_byte_record(record).map_err(|_| no_file("it cannot be read as CSV"))
    };
    if !next(&mut record)? {
        return Err(no_file("it is empty"));
    }
    let columns = Columns::read(&record)?;
    let mut lines = Lines { file, counted: 0, line: 1 };
    let mut sheet = Sheet::default();
    while next(&mut record)? {
        let line = lines.at(record.position().map_or(0, csv::Position::byte));
        sheet.add(line, columns.row(line, &record));
    }
    Ok(sheet.finish())
}

/// Counts lines: the parser's own count is one behind where lines end with CR and LF.
struct Lines<'f> {
    file: &'f [u8],
    counted: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of a record that begins at this byte, or whose line break's last byte is there.
    fn at(&mut self, byte: u64) -> u64 {
        let mut begin = usize::try_from(byte).unwrap_or(usize::MAX).min(self.file.len());
        while self.file.get(begin).is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
            begin += 1;
        }
        let passed = self.file.get(self.counted..begin).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.counted = self.counted.max(begin);
        self.line
    }
}

fn no_file(what: &str) -> BoxOfficeError {
    BoxOfficeError::Csv { what: what.to_owned() }
}

/// Where each column is.
struct Columns {
    places: HashMap<&'static str, usize>,
    count: usize,
}

impl Columns {
    fn read(header: &csv::ByteRecord) -> Result<Self> {
        let mut places = HashMap::new();
        for (place, name) in header.iter().enumerate() {
            let name = std::str::from_utf8(name).unwrap_or_default().trim().to_ascii_lowercase();
            let known = REQUIRED.iter().chain(&OPTIONAL).find(|known| **known == name);
            let Some(known) = known else {
                return Err(no_file(&format!(
                    "column {} of its header is unknown; the columns are {}, {}",
                    place + 1,
                    REQUIRED.join(", "),
                    OPTIONAL.join(", ")
                )));
            };
            if places.insert(*known, place).is_some() {
                return Err(no_file(&format!("its header names {known} twice")));
            }
        }
        match REQUIRED.iter().find(|name| !places.contains_key(*name)) {
            Some(missing) => Err(no_file(&format!("its header lacks the column {missing}"))),
            None => Ok(Self { places, count: header.len() }),
        }
    }

    fn row(&self, line: u64, record: &csv::ByteRecord) -> std::result::Result<Row, String> {
        if record.len() != self.count {
            return Err(format!("has {} cells, the header {}", record.len(), self.count));
        }
        let order = self.required(record, "order")?;
        let name = self.required(record, "name")?;
        let email = self.required(record, "email")?;
        let email: EmailAddress = email.parse().map_err(|_| "email is no mail address")?;
        let state = match self.cell(record, "state")? {
            None => OrderState::Paid,
            Some(word) => {
                word.parse().map_err(|_| "state is none of paid, pending, unapproved, cancelled")?
            }
        };
        let (valid_from, valid_until) =
            (self.time(record, "valid_from")?, self.time(record, "valid_until")?);
        if matches!((valid_from, valid_until), (Some(from), Some(until)) if from >= until) {
            return Err("valid_until is not after valid_from".to_owned());
        }
        let ticket = CsvTicket {
            line,
            event: self.required(record, "event")?,
            product: self.required(record, "product")?,
            code: self.code(record)?,
            people: self.people(record)?,
            valid_from,
            valid_until,
        };
        Ok(Row { order, name, email, state, ticket })
    }

    fn cell<'r>(
        &self,
        record: &'r csv::ByteRecord,
        column: &'static str,
    ) -> std::result::Result<Option<&'r str>, String> {
        let Some(place) = self.places.get(column) else { return Ok(None) };
        let bytes = record.get(*place).unwrap_or_default();
        if bytes.len() > CELL_BYTES_MAX {
            return Err(format!(
                "{column} has {} bytes, at most {CELL_BYTES_MAX}; is a quotation mark missing?",
                bytes.len()
            ));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| format!("{column} is not UTF-8; save the file as UTF-8"))?;
        if text.starts_with(FORMULA_BEGINS) {
            return Err(format!("{column} begins like a spreadsheet's formula; remove that"));
        }
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(format!("{column} holds control characters; remove them"));
        }
        Ok((!text.is_empty()).then_some(text))
    }

    fn required(
        &self,
        record: &csv::ByteRecord,
        column: &'static str,
    ) -> std::result::Result<String, String> {
        let text = self.cell(record, column)?.ok_or_else(|| format!("{column} is empty"))?;
        check_name(column, text).map_err(|error| error.to_string())
    }

    fn code(&self, record: &csv::ByteRecord) -> std::result::Result<Option<TicketCode>, String> {
        let code = self.cell(record, "code")?.map(TicketCode::imported).transpose();
        code.map_err(|_| {
            "code is too short, too long or damaged; leave it empty for a new one".into()
        })
    }

    fn people(&self, record: &csv::ByteRecord) -> std::result::Result<u32, String> {
        let Some(text) = self.cell(record, "people")? else { return Ok(1) };
        let people = text.parse().ok().filter(|people| (1..=PEOPLE_MAX).contains(people));
        people.ok_or_else(|| format!("people is no number from 1 to {PEOPLE_MAX}"))
    }

    fn time(
        &self,
        record: &csv::ByteRecord,
        column: &'static str,
    ) -> std::result::Result<Option<Timestamp>, String> {
        let Some(text) = self.cell(record, column)? else { return Ok(None) };
        let time = OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| format!("{column} is no time such as 2026-06-05T18:00:00-06:00"))?;
        let micros = i64::try_from(time.unix_timestamp_nanos() / 1_000);
        micros.map(|micros| Some(Timestamp::from_micros(micros))).map_err(|_| column.to_owned())
    }
}

struct Row {
    order: String,
    name: String,
    email: EmailAddress,
    state: OrderState,
    ticket: CsvTicket,
}

/// Rows put together to orders, in the order in which these begin.
#[derive(Default)]
struct Sheet {
    orders: Vec<CsvOrder>,
    by_reference: HashMap<String, usize>,
    codes: HashSet<String>,
    rows: u64,
    bad: Vec<BadRow>,
}

impl Sheet {
    fn add(&mut self, line: u64, row: std::result::Result<Row, String>) {
        self.rows += 1;
        if let Err(reason) = row.and_then(|row| self.place(row)) {
            self.bad.push(BadRow { line, reason });
        }
    }

    fn place(&mut self, row: Row) -> std::result::Result<(), String> {
        if let Some(code) = &row.ticket.code
            && !self.codes.insert(code.as_str().to_owned())
        {
            return Err("code is in the file already".to_owned());
        }
        let Some(place) = self.by_reference.get(&row.order).copied() else {
            self.by_reference.insert(row.order.clone(), self.orders.len());
            self.orders.push(CsvOrder {
                reference: row.order,
                name: row.name,
                email: row.email,
                state: row.state,
                tickets: vec![row.ticket],
            });
            return Ok(());
        };
        let order = &mut self.orders[place];
        if order.email != row.email || order.state != row.state {
            return Err("the order has another email or state on an earlier line".to_owned());
        }
        if order.tickets.len() == ORDER_ROWS_MAX {
            return Err(format!("the order has more than {ORDER_ROWS_MAX} tickets; split it"));
        }
        order.tickets.push(row.ticket);
        Ok(())
    }

    fn finish(self) -> CsvFile {
        CsvFile { orders: self.orders, rows: self.rows, bad: self.bad }
    }
}

/// A ticket as it is exported.
#[derive(Clone, Debug)]
pub(crate) struct ExportedTicket {
    pub order: String,
    pub event: String,
    pub product: String,
    pub name: String,
    pub email: EmailAddress,
    pub code: TicketCode,
    pub state: String,
    pub people: u32,
    pub entered: u64,
}

/// Writes a table; a cell that a spreadsheet would run begins with an apostrophe.
///
/// # Errors
/// [`BoxOfficeError::Csv`] where writing to memory fails.
pub(crate) fn write(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<Vec<u8>> {
    let failed = |_| no_file("it could not be written");
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).map_err(failed)?;
    for row in rows {
        writer.write_record(row.iter().map(|cell| harmless(cell))).map_err(failed)?;
    }
    writer.into_inner().map_err(|_| no_file("it could not be written"))
}

fn harmless(cell: &str) -> String {
    if cell.starts_with(FORMULA_BEGINS) { format!("'{cell}") } else { cell.to_owned() }
}

impl ExportedTicket {
    pub const HEADER: [&'static str; 9] =
        ["order", "event", "product", "name", "email", "code", "state", "people", "entered"];

    pub fn cells(self) -> Vec<String> {
        vec![
            self.order,
            self.event,
            self.product,
            self.name,
            self.email.as_str().to_owned(),
            self.code.as_str().to_owned(),
            self.state,
            self.people.to_string(),
            self.entered.to_string(),
        ]
    }
}

/// Bad rows by line, one a line of the file at most.
pub(crate) fn sorted(bad: Vec<BadRow>) -> Vec<BadRow> {
    let by_line: BTreeMap<u64, BadRow> = bad.into_iter().map(|row| (row.line, row)).collect();
    by_line.into_values().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bad(text: &[u8]) -> Vec<(u64, String)> {
        read(text).unwrap().bad.into_iter().map(|row| (row.line, row.reason)).collect()
    }

    #[test]
    fn rows_become_orders() {
        let file = "\u{feff}Order,event,product,name,email,people\r\n\
                    A1,Tonight,GA,\"Okafor, Ben\",ben@example.org,\r\n\
                    A2,Tonight,VIP,Ann,ann@example.org,2\r\n\
                    A1,Tonight,GA,Ben,ben@example.org,1\r\n";
        let read = read(file.as_bytes()).unwrap();
        assert_eq!((read.rows, read.bad.len(), read.orders.len()), (3, 0, 2));
        assert_eq!(read.orders[0].name, "Okafor, Ben");
        assert_eq!(read.orders[0].tickets.iter().map(|t| t.line).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(read.orders[1].tickets[0].people, 2);
    }

    #[test]
    fn every_bad_row_is_named_by_its_line_and_nothing_of_it_is_repeated() {
        let mut file = b"order,event,product,name,email,code,people,valid_from,state\n".to_vec();
        file.extend_from_slice(b"A1,Tonight,GA,Ann,ann@example.org,,,,\n");
        file.extend_from_slice(b"A2,Tonight,GA,J\xfcrgen,j@example.org,,,,\n");
        file.extend_from_slice(b"A3,Tonight,GA,=HYPERLINK(1),h@example.org,,,,\n");
        file.extend_from_slice(b"A4,Tonight,GA,Bob,bob,,,,\n");
        file.extend_from_slice(b"A5,Tonight,GA,Bob,bob@example.org,short,,,\n");
        file.extend_from_slice(b"A6,Tonight,GA,Bob,bob@example.org,,900,,\n");
        file.extend_from_slice(b"A7,Tonight,GA,Bob,bob@example.org,,,tomorrow,\n");
        file.extend_from_slice(b"A8,Tonight,GA,Bob,bob@example.org,,,,maybe\n");
        file.extend_from_slice(b"A9,Tonight,GA\n");
        file.extend_from_slice(b"A1,Tonight,GA,Eve,eve@example.org,,,,\n");
        file.extend_from_slice(b"B1,Tonight,GA,Bob,bob@example.org,foreigncode1,,,\n");
        file.extend_from_slice(b"B2,Tonight,GA,Bob,bob@example.org,foreigncode1,,,\n");
        file.extend_from_slice(b"B3,Tonight,,\"Two\nlines\",bob@example.org,,,,\n");
        let rows = bad(&file);
        let lines: Vec<u64> = rows.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14]);
        for (row, wanted) in [
            "UTF-8",
            "formula",
            "mail address",
            "code",
            "people",
            "valid_from",
            "state",
            "cells",
            "another email",
            "already",
            "control",
        ]
        .iter()
        .enumerate()
        {
            assert!(rows[row].1.contains(wanted), "{:?} is not about {wanted}", rows[row]);
        }
        assert!(
            rows.iter().all(|(_, reason)| !reason.contains("Bob") && !reason.contains("HYPER"))
        );
    }

    #[test]
    fn a_huge_cell_is_one_bad_row() {
        let huge = "x".repeat(10 * 1024 * 1024);
        let file = format!(
            "order,event,product,name,email\nA,E,P,{huge},a@example.org\nB,E,P,N,b@example.org\n"
        );
        let rows = bad(file.as_bytes());
        assert_eq!(rows.len(), 1);
        assert!(rows[0].1.contains("name has 10485760 bytes"), "{}", rows[0].1);
    }

    #[test]
    fn what_is_no_such_file_is_said_at_once() {
        for (file, wanted) in [
            (&b""[..], "empty"),
            (b"\xff\xfeo\0r\0", "UTF-16"),
            (b"order,event\n", "lacks the column product"),
            (b"order,seat\n", "column 2 of its header is unknown"),
            (b"order,order\n", "twice"),
        ] {
            let error = read(file).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn what_is_exported_runs_in_no_spreadsheet() {
        let row = vec!["=1+1".to_owned(), "a,b".to_owned(), "-2".to_owned()];
        let written = write(&["a", "b", "c"], std::iter::once(row)).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "a,b,c\n'=1+1,\"a,b\",'-2\n");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
            let mut file = b"order,event,product,name,email\n".to_vec();
            file.extend_from_slice(&bytes);
            let _ = read(&file);
        }
    }
}
