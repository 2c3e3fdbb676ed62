//! Cells, what came of them, and the table.

use std::{
    fmt::Write as _,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::Result;

/// Runs cells.
pub(crate) type Job<'a> = Box<dyn Fn(&mut Matrix) + Sync + 'a>;

/// Everything that was run.
#[derive(Debug)]
pub(crate) struct Matrix {
    filters: Vec<String>,
    tables: Vec<Table>,
    failures: Vec<String>,
    missing: Vec<String>,
}

#[derive(Debug)]
struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<(usize, String)>)>,
}

impl Matrix {
    /// Begins an empty matrix, of the cells whose names contain one of the filters; of all cells if
    /// there is none.
    pub(crate) fn new(filters: Vec<String>) -> Self {
        Self {
            filters,
            tables: Vec::new(),
            failures: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Begins another one of the same filters.
    fn part(&self) -> Self {
        Self::new(self.filters.clone())
    }

    /// Adds what another one has, below what there is.
    fn append(&mut self, part: Self) {
        for table in part.tables {
            for (row, cells) in table.rows {
                for (column, text) in cells {
                    self.table(&table.title)
                        .set(&row, &table.columns[column], text);
                }
            }
        }
        self.failures.extend(part.failures);
        self.missing.extend(part.missing);
    }

    /// Runs jobs by so many threads, and shows what came of them in the order of the jobs.
    pub(crate) fn run(&mut self, threads: usize, jobs: &[Job<'_>]) {
        let next = AtomicUsize::new(0);
        let parts: Vec<OnceLock<Self>> = jobs.iter().map(|_| OnceLock::new()).collect();
        let this = &*self;
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(job) = jobs.get(number) else { break };
                        let mut part = this.part();
                        job(&mut part);
                        let _ = parts[number].set(part); // nobody else has this number
                    }
                });
            }
        });
        for part in parts {
            self.append(part.into_inner().expect("every job was run"));
        }
    }

    /// Notes that a peer is not installed.
    pub(crate) fn missing(&mut self, peer: &str) {
        println!("{peer} is not installed: run smtp-proto/interop/install as root");
        self.missing.push(peer.to_owned());
    }

    /// Notes that a peer does not take part.
    pub(crate) fn left_out(&mut self, peer: &str, reason: &str) {
        println!("{peer} is left out: {reason}");
        self.missing.push(peer.to_owned());
    }

    /// Runs a cell, unless a filter keeps it out. What it returns is shown in the table.
    pub(crate) fn cell(
        &mut self,
        title: &str,
        row: &str,
        column: &str,
        run: impl FnOnce() -> Result<String>,
    ) {
        let name = format!("{title} / {row} / {column}");
        let selected = |filter: &String| name.contains(filter.as_str());
        if !self.filters.is_empty() && !self.filters.iter().any(selected) {
            return;
        }
        let begin = Instant::now();
        let (word, text) = match run() {
            Ok(text) => ("ok", text),
            Err(error) => {
                // What it came to first; then how.
                let chain: Vec<String> = error.chain().rev().map(ToString::to_string).collect();
                self.failures
                    .push(format!("{name}:\n{}", chain.join("\n\n")));
                ("FAILED", "**failed**".to_owned())
            }
        };
        let seconds = begin.elapsed().as_secs_f32();
        println!("{word:6} {seconds:6.1}s {name}: {text}");
        self.table(title).set(row, column, text);
    }

    /// Tells whether no cell failed.
    pub(crate) fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// Returns the tables, and the failures with the bytes around them.
    pub(crate) fn to_markdown(&self) -> String {
        let mut text = String::new();
        for table in &self.tables {
            let _ = writeln!(text, "\n### {}\n", table.title);
            let _ = writeln!(text, "| | {} |", table.columns.join(" | "));
            let _ = writeln!(text, "|---|{}", "---|".repeat(table.columns.len()));
            for (row, cells) in &table.rows {
                let cell = |column| {
                    let found = cells.iter().find(|(at, _)| *at == column);
                    found.map_or("–", |(_, text)| text.as_str())
                };
                let cells: Vec<&str> = (0..table.columns.len()).map(cell).collect();
                let _ = writeln!(text, "| {row} | {} |", cells.join(" | "));
            }
        }
        for failure in &self.failures {
            let _ = writeln!(text, "\nfailed: {failure}");
        }
        let cells: usize = self
            .tables
            .iter()
            .flat_map(|table| &table.rows)
            .map(|(_, cells)| cells.len())
            .sum();
        let failed = self.failures.len();
        if !self.missing.is_empty() {
            let _ = writeln!(text, "\nnot installed: {}", self.missing.join(", "));
        }
        let _ = writeln!(text, "\ncells: {} passed, {failed} failed", cells - failed);
        text
    }

    fn table(&mut self, title: &str) -> &mut Table {
        let at = self.tables.iter().position(|table| table.title == title);
        let at = at.unwrap_or_else(|| {
            self.tables.push(Table {
                title: title.to_owned(),
                columns: Vec::new(),
                rows: Vec::new(),
            });
            self.tables.len() - 1
        });
        &mut self.tables[at]
    }
}

impl Table {
    fn set(&mut self, row: &str, column: &str, text: String) {
        let known = self.columns.iter().position(|known| known == column);
        let column = known.unwrap_or_else(|| {
            self.columns.push(column.to_owned());
            self.columns.len() - 1
        });
        match self.rows.iter_mut().find(|(known, _)| known == row) {
            Some((_, cells)) => cells.push((column, text)),
            None => self.rows.push((row.to_owned(), vec![(column, text)])),
        }
    }
}
