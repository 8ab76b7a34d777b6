//! The tables of `docs/faults.md`: the long runs write them, and the gate holds them to the classes that are tested.

use std::{fs, path::PathBuf, time::Duration};

use crate::token_faults::ALL;

/// From the end of a fault until everything works.
pub const RETURN: Duration = Duration::from_secs(2);

const HEADS: &str = "| Fault | Back after | Wrong answers | Acknowledged losses | Others, 99 % |\n\
                     | --- | ---: | ---: | ---: | ---: |\n";

/// What came of a class of faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The class's name.
    pub class: String,
    /// From the end of the fault until everything worked, at most.
    pub back: Duration,
    /// Answers that were neither right nor a refusal.
    pub wrong: usize,
    /// What was reported as done and was not there afterwards.
    pub lost: usize,
    /// How long 99 % of the others' calls took at most while the fault stood.
    pub others: Duration,
}

impl Row {
    /// Whether it is as promised.
    pub fn is_good(&self) -> bool {
        self.back < RETURN && self.wrong == 0 && self.lost == 0
    }

    fn line(&self) -> String {
        format!(
            "| {} | {} ms | {} | {} | {:.1} ms |\n",
            self.class.replace('_', " "),
            self.back.as_millis(),
            self.wrong,
            self.lost,
            self.others.as_secs_f64() * 1e3
        )
    }

    fn parse(line: &str) -> Option<Self> {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [class, back, wrong, lost, others] = cells.as_slice() else { return None };
        let time =
            |text: &str| Some(Duration::from_secs_f64(text.strip_suffix(" ms")?.parse::<f64>().ok()? / 1e3));
        Some(Self {
            class: class.replace(' ', "_"),
            back: time(back)?,
            wrong: wrong.parse().ok()?,
            lost: lost.parse().ok()?,
            others: time(others)?,
        })
    }
}

/// Writes the rows into the page, instead of those of the last run.
pub fn write(table: &str, rows: &[Row]) {
    let page = fs::read_to_string(path()).unwrap();
    let lines: String = rows.iter().map(Row::line).collect();
    fs::write(path(), replaced(&page, table, &format!("{HEADS}{lines}"))).unwrap();
}

/// Checks that the page has a good row for each class of [`ALL`], and no other.
pub fn check(table: &str) {
    let page = fs::read_to_string(path()).unwrap();
    let rows: Vec<Row> = part(&page, table).lines().skip(2).map(|line| Row::parse(line).unwrap()).collect();
    let classes: Vec<&str> = rows.iter().map(|row| row.class.as_str()).collect();
    assert_eq!(classes, ALL.each_ref().map(|class| class.name), "docs/faults.md, {table}: run `make soak`");
    let bad: Vec<&Row> = rows.iter().filter(|row| !row.is_good()).collect();
    assert!(bad.is_empty(), "docs/faults.md, {table}: {bad:?}");
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/faults.md")
}

fn part<'a>(page: &'a str, table: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("<!-- {table} -->\n")).expect("the page lacks the table");
    rest.split_once("<!-- end -->").expect("the table has no end").0
}

fn replaced(page: &str, table: &str, rows: &str) -> String {
    let begin = format!("<!-- {table} -->\n");
    page.replacen(&format!("{begin}{}", part(page, table)), &format!("{begin}{rows}"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_replaced_and_read() {
        let page = "a\n<!-- one -->\nold\n<!-- end -->\nb\n<!-- two -->\n<!-- end -->\n";
        let row = Row {
            class: "the_token_is_pulled".to_owned(),
            back: Duration::from_millis(312),
            wrong: 0,
            lost: 0,
            others: Duration::from_micros(2500),
        };
        let page = replaced(page, "one", &row.line());
        assert_eq!(
            page,
            "a\n<!-- one -->\n| the token is pulled | 312 ms | 0 | 0 | 2.5 ms |\n<!-- end -->\nb\n\
             <!-- two -->\n<!-- end -->\n"
        );
        assert_eq!(part(&page, "two"), "");
        assert_eq!(Row::parse(part(&page, "one").trim_end()), Some(row.clone()));
        assert!(
            row.is_good()
                && !Row { back: RETURN, ..row.clone() }.is_good()
                && !Row { lost: 1, ..row }.is_good()
        );
    }
}
