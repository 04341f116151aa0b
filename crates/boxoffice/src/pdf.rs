//! Printable pages: tickets with their code, and tables. PDF 1.7 with the standard fonts, so that
//! nothing has to be embedded: letters beyond Windows-1252 are printed as question marks.

use fast_qr::ECL;
use fast_qr::qr::QRBuilder;
use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str};

use crate::{BoxOfficeError, Result};

/// A4, in points.
const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 56.0;
const REGULAR: Name<'static> = Name(b"F1");
const BOLD: Name<'static> = Name(b"F2");
/// Modules around a code (ISO/IEC 18004 wants four).
const QUIET_ZONE: f32 = 4.0;
const QR_SIDE: f32 = 200.0;
const ROW_HEIGHT: f32 = 17.0;
const TABLE_TOP: f32 = HEIGHT - MARGIN - 60.0;
const BODY_SIZE: f32 = 10.0;
/// Letters of a column's cell that fit beside each other, per point of its width, at the body's
/// size: Helvetica's letters are half as wide as high on average.
const LETTERS_PER_POINT: f32 = 1.0 / (BODY_SIZE * 0.52);

/// A ticket to be printed.
#[derive(Clone, Debug)]
pub struct PrintedTicket {
    /// The event.
    pub event: String,
    /// Where.
    pub venue: String,
    /// When, in words.
    pub when: String,
    /// The product, and for how many people.
    pub product: String,
    /// What the code says; a code that turns is not printed.
    pub code: Option<String>,
    /// A sentence below it, in the holder's language.
    pub hint: String,
}

/// A page in the making.
struct Page(Content);

impl Page {
    fn new() -> Self {
        Self(Content::new())
    }

    fn text(&mut self, font: Name<'_>, size: f32, (x, y): (f32, f32), text: &str) {
        let bytes = windows_1252(text);
        self.0.begin_text();
        self.0.set_font(font, size);
        self.0.next_line(x, y);
        self.0.show(Str(&bytes));
        self.0.end_text();
    }

    fn line(&mut self, y: f32) {
        self.0.set_line_width(0.5);
        self.0.move_to(MARGIN, y);
        self.0.line_to(WIDTH - MARGIN, y);
        self.0.stroke();
    }

    fn qr(&mut self, text: &str, (left, bottom): (f32, f32)) -> Result<()> {
        let code = QRBuilder::new(text).ecl(ECL::M).build();
        let code = code.map_err(|_| BoxOfficeError::Print)?;
        let module = QR_SIDE / (code.size as f32 + 2.0 * QUIET_ZONE);
        for row in 0..code.size {
            for (column, dark) in code[row].iter().enumerate() {
                if dark.value() {
                    let x = left + (QUIET_ZONE + column as f32) * module;
                    let y = bottom + QR_SIDE - (QUIET_ZONE + row as f32 + 1.0) * module;
                    self.0.rect(x, y, module, module);
                }
            }
        }
        self.0.fill_nonzero();
        Ok(())
    }
}

/// Tickets, a page each.
///
/// # Errors
/// [`BoxOfficeError::Print`] for a code that no QR code holds.
pub fn tickets_pdf(tickets: &[PrintedTicket]) -> Result<Vec<u8>> {
    let mut pages = Vec::with_capacity(tickets.len());
    for ticket in tickets {
        let mut page = Page::new();
        let top = HEIGHT - MARGIN;
        page.text(BOLD, 24.0, (MARGIN, top - 24.0), &shortened(&ticket.event, 36));
        page.text(REGULAR, 13.0, (MARGIN, top - 48.0), &shortened(&ticket.venue, 70));
        page.text(REGULAR, 13.0, (MARGIN, top - 66.0), &shortened(&ticket.when, 70));
        page.line(top - 84.0);
        page.text(BOLD, 16.0, (MARGIN, top - 112.0), &shortened(&ticket.product, 56));
        let mut below = top - 65.0;
        if let Some(code) = &ticket.code {
            page.qr(code, (MARGIN - 12.0, top - 130.0 - QR_SIDE))?;
            below = top - 150.0 - QR_SIDE;
            for (number, part) in in_lines(code, 56).iter().enumerate() {
                page.text(REGULAR, 11.0, (MARGIN, below - 15.0 * number as f32), part);
            }
        }
        page.text(REGULAR, 11.0, (MARGIN, below - 75.0), &shortened(&ticket.hint, 95));
        pages.push(page);
    }
    Ok(document(pages))
}

/// A table over as many pages as it needs, each with its heading and number. `widths` are in
/// points; what does not fit a cell is shortened.
#[must_use]
pub fn table_pdf(title: &str, header: &[&str], widths: &[f32], rows: &[Vec<String>]) -> Vec<u8> {
    let per_page = ((TABLE_TOP - MARGIN - ROW_HEIGHT) / ROW_HEIGHT) as usize;
    let count = rows.len().div_ceil(per_page).max(1);
    let pages = (0..count).map(|number| {
        let mut page = Page::new();
        page.text(BOLD, 18.0, (MARGIN, HEIGHT - MARGIN - 18.0), &shortened(title, 52));
        let place = format!("{} / {count}", number + 1);
        page.text(REGULAR, BODY_SIZE, (WIDTH - MARGIN - 40.0, MARGIN - 20.0), &place);
        let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
        row(&mut page, BOLD, TABLE_TOP, widths, &header);
        page.line(TABLE_TOP - 5.0);
        let shown = rows.iter().skip(number * per_page).take(per_page);
        for (place, cells) in shown.enumerate() {
            let y = TABLE_TOP - ROW_HEIGHT * (place as f32 + 1.0);
            row(&mut page, REGULAR, y, widths, cells);
        }
        page
    });
    document(pages.collect())
}

fn row(page: &mut Page, font: Name<'_>, y: f32, widths: &[f32], cells: &[String]) {
    let mut x = MARGIN;
    for (cell, width) in cells.iter().zip(widths) {
        let letters = (width * LETTERS_PER_POINT) as usize;
        page.text(font, BODY_SIZE, (x, y), &shortened(cell, letters));
        x += width;
    }
}

fn document(pages: Vec<Page>) -> Vec<u8> {
    let mut pdf = Pdf::new();
    let (catalog, tree, regular, bold) = (Ref::new(1), Ref::new(2), Ref::new(3), Ref::new(4));
    let numbers = (0..pages.len()).map(|number| i32::try_from(number).unwrap_or(0));
    let ids: Vec<(Ref, Ref)> =
        numbers.map(|number| (Ref::new(5 + 2 * number), Ref::new(6 + 2 * number))).collect();
    pdf.catalog(catalog).pages(tree);
    let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(ids.iter().map(|(page, _)| *page)).count(count);
    for (Page(content), (page_id, content_id)) in pages.into_iter().zip(&ids) {
        let mut page = pdf.page(*page_id);
        page.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(*content_id);
        page.resources().fonts().pair(REGULAR, regular).pair(BOLD, bold);
        page.finish();
        pdf.stream(*content_id, &content.finish());
    }
    for (id, font) in [(regular, Name(b"Helvetica")), (bold, Name(b"Helvetica-Bold"))] {
        pdf.type1_font(id).base_font(font).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    pdf.finish()
}

fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(letters.saturating_sub(3)).collect();
    format!("{kept}...")
}

fn in_lines(text: &str, letters: usize) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    all.chunks(letters).take(4).map(|part| part.iter().collect()).collect()
}

/// Latin letters are the same in Windows-1252 as in Unicode, but for 27 between 0x80 and 0x9f, of
/// which these are met on tickets.
fn windows_1252(text: &str) -> Vec<u8> {
    let byte = |letter: char| match letter {
        '€' => 0x80,
        '…' => 0x85,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        '–' => 0x96,
        '—' => 0x97,
        ' '..='~' | '\u{a0}'..='ÿ' => u8::try_from(letter).unwrap_or(b'?'),
        _ => b'?',
    };
    text.chars().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_goes_on_over_pages_and_letters_are_windows_1252() {
        let rows: Vec<Vec<String>> =
            (0..100).map(|number| vec![format!("Jürgen {number}"), "VIP".to_owned()]).collect();
        let pdf = table_pdf("Fallback", &["Name", "Product"], &[300.0, 100.0], &rows);
        let text = String::from_utf8_lossy(&pdf).into_owned();
        assert!(text.starts_with("%PDF-1.7") && text.trim_end().ends_with("%%EOF"));
        assert!(text.contains("/Count 3"));
        // Letters beyond ASCII are written in hexadecimal digits.
        assert!(text.to_ascii_lowercase().contains("4afc7267656e2039"), "no Windows-1252");
        assert_eq!(windows_1252("Łódź €5"), b"?\xf3d? \x805");
    }

    #[test]
    fn a_ticket_has_its_code_as_squares_and_as_text() {
        let ticket = PrintedTicket {
            event: "Tonight".to_owned(),
            venue: "Red Rocks".to_owned(),
            when: "5 June 2026, 18:00".to_owned(),
            product: "General admission".to_owned(),
            code: Some("HF1.000000000000000000000000009FPP".to_owned()),
            hint: "Show this code at the gate".to_owned(),
        };
        let turning =
            PrintedTicket { code: None, hint: "Show your phone".into(), ..ticket.clone() };
        let bare = tickets_pdf(&[turning]).unwrap();
        let bare = String::from_utf8_lossy(&bare);
        assert!(
            bare.contains("Show your phone") && !bare.contains(" re"),
            "a dead code is printed"
        );
        let pdf = tickets_pdf(&[ticket.clone(), ticket]).unwrap();
        let text = String::from_utf8_lossy(&pdf).into_owned();
        assert!(text.contains("/Count 2") && text.contains("HF1.0000"));
        assert!(text.matches(" re").count() > 200, "no modules drawn");
    }
}
