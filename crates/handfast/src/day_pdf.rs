//! A day's report as a one-page PDF 1.4: text in Helvetica, which every reader has. No library: a
//! page of text needs five objects.

use handfast_till::DayReport;

use crate::http::till::day::decimal;

/// A4, in points.
const PAGE: (u32, u32) = (595, 842);
const LEFT: u32 = 64;
const RIGHT: u32 = 531;
const TOP: u32 = 770;
const LINE: u32 = 24;

/// The report of a day.
pub(crate) fn day_report(report: &DayReport, date: &str) -> Vec<u8> {
    let sums = &report.sums;
    let money = |minor| format!("{} {}", decimal(report.money(minor)), report.shop.currency.code());
    let rows = [
        ("Charges paid", sums.charges.to_string()),
        ("Taken by palm and phone", money(sums.taken)),
        ("   of it, cards", money(sums.by_card)),
        ("   of it, credit", money(sums.by_credit)),
        ("   of it, tips", money(sums.tips)),
        ("Discounts, paid by promotions", money(sums.discounts)),
        ("Cash beside it", money(sums.cash)),
        ("Tax in all of it", money(sums.tax)),
        ("Refunds given", sums.refunds.to_string()),
        ("Given back", money(sums.given_back)),
        ("Taken less given back", money(sums.taken - sums.given_back)),
    ];
    let mut text = String::new();
    show(&mut text, "F2", 20, LEFT, TOP, &report.shop.name);
    show(&mut text, "F1", 12, LEFT, TOP - LINE, &format!("Day {date}"));
    let state = match (report.closed_at, report.open) {
        (Some(_), _) => "Closed: these figures do not change any more.".to_owned(),
        (None, 0) => "Not closed yet.".to_owned(),
        (None, open) => format!("Not closed yet: {open} charges are open."),
    };
    show(&mut text, "F1", 10, LEFT, TOP - 2 * LINE, &state);
    for (row, (name, value)) in (4_u32..).zip(&rows) {
        let y = TOP - row * LINE;
        show(&mut text, "F1", 12, LEFT, y, name);
        // Figures stand in a column: Courier's letters are 0.6 of the size wide.
        let width = u32::try_from(value.chars().count()).unwrap_or(0) * 12 * 6 / 10;
        show(&mut text, "F3", 12, RIGHT.saturating_sub(width), y, value);
    }
    document(&text)
}

fn show(text: &mut String, font: &str, size: u32, x: u32, y: u32, words: &str) {
    text.push_str(&format!("BT /{font} {size} Tf {x} {y} Td ({}) Tj ET\n", escaped(words)));
}

/// WinAnsi has the letters of western Europe; anything else becomes a question mark.
fn escaped(words: &str) -> String {
    let mut out = String::new();
    for c in words.chars() {
        match c {
            '(' | ')' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            '\u{a0}'..='\u{ff}' => out.push_str(&format!("\\{:03o}", c as u32)),
            _ => out.push('?'),
        }
    }
    out
}

fn document(content: &str) -> Vec<u8> {
    let font = |name: &str| {
        format!("<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>")
    };
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {} {}] /Contents 4 0 R \
             /Resources << /Font << /F1 5 0 R /F2 6 0 R /F3 7 0 R >> >> >>",
            PAGE.0, PAGE.1
        ),
        format!("<< /Length {} >>\nstream\n{content}endstream", content.len()),
        font("Helvetica"),
        font("Helvetica-Bold"),
        font("Courier"),
    ];
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    for (number, object) in (1..).zip(&objects) {
        offsets.push(out.len());
        out.extend_from_slice(format!("{number} 0 obj\n{object}\nendobj\n").as_bytes());
    }
    let table = out.len();
    let count = objects.len() + 1;
    out.extend_from_slice(format!("xref\n0 {count}\n0000000000 65535 f \n").as_bytes());
    for offset in offsets {
        out.extend_from_slice(format!("{offset:010} 00000 n \n").as_bytes());
    }
    let trailer = format!("trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n");
    out.extend_from_slice(trailer.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_of_the_table_points_at_its_object() {
        let pdf = document("BT ET\n");
        let text = String::from_utf8(pdf).unwrap();
        let start: usize =
            text.rsplit("startxref\n").next().unwrap().lines().next().unwrap().parse().unwrap();
        assert!(text[start..].starts_with("xref\n0 8\n"));
        for (number, line) in (1..).zip(text[start..].lines().skip(3).take(7)) {
            let offset: usize = line[..10].parse().unwrap();
            assert!(text[offset..].starts_with(&format!("{number} 0 obj\n")), "{number}");
        }
    }

    #[test]
    fn letters_that_end_a_text_are_escaped() {
        assert_eq!(escaped("Bar (East) \\ \u{e9}\u{20ac}"), "Bar \\(East\\) \\\\ \\351?");
    }
}
