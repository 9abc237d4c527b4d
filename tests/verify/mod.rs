//! The tables of figures in docs/, and how a test or bench writes them. Put `mod verify;` into it, or in benches/
//! `#[path = "../tests/verify/mod.rs"] mod verify;`.
//!
//! `make verify` runs the command of every table with `NETSPLIT_VERIFY=1`. Then [`size`] gives the full size and
//! [`Table::row`] keeps a row in target/verify/; without it the size is the quick one and rows go nowhere.
//! scripts/assemble.py puts what was kept between the marks in the documents, and `tests/docs_tables.rs` tells when a
//! document no longer has the tables that are declared here.

#![allow(dead_code, unreachable_pub, reason = "several tests and benches share this, and each uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "figures that cannot be kept are a failure of the test")]

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The tables, in no order that matters: a document has them where its marks are.
///
/// To add one: a `static` of type [`Table`], its head in this list, and its two marks in the document (the failing
/// test says which).
pub const TABLES: &[Head] = &[
    ALERT.head(),
    AT_LOSS.head(),
    AUDIT.head(),
    BOUND.head(),
    CUTS.head(),
    ELECTORATE.head(),
    ENDPOINTS.head(),
    FIRST_PANEL.head(),
    FLOOD.head(),
    HEARTBEAT.head(),
    HOSTILE.head(),
    QUIET.head(),
    SCALE.head(),
    SCALE_CUT.head(),
    SCENARIOS.head(),
    SCRAPE.head(),
    TIMING.head(),
    VERDICT.head(),
];

/// From the cut to the alert, with a real Prometheus.
pub static ALERT: Table<7> = Table {
    document: "performance",
    section: "alert",
    command: "cargo test --locked --test alert_end_to_end timing::",
    columns: ["scrapes / rules every", "runs", "repeated", "part", "promised", "median", "max"],
};

/// What agents say on the way at much loss.
pub static AT_LOSS: Table<6> = Table {
    document: "verdict",
    section: "at-five-percent",
    command: "cargo test --locked --test simulation at_five_percent::",
    columns: ["cut", "nodes", "runs", "agents", "wrong for a moment", "share"],
};

/// What is left of the audit log when the power or the process goes.
pub static AUDIT: Table<4> = Table {
    document: "events",
    section: "audit-cuts",
    command: "cargo test --locked --test audit no_",
    columns: ["what", "cuts", "events shown as durable", "torn ends"],
};

/// Every link of a cut falls within the bound.
pub static BOUND: Table<6> = Table {
    document: "verdict",
    section: "detection-bound",
    command: "cargo test --locked --test simulation bound::",
    columns: ["period", "loss", "runs", "bound", "longest silence", "beyond the bound"],
};

/// Complete cuts, named by every agent.
pub static CUTS: Table<8> = Table {
    document: "verdict",
    section: "complete-cuts",
    command: "cargo test --locked --test simulation cuts::",
    columns: ["cut", "nodes", "loss", "runs", "wrong", "median", "p99", "max"],
};

/// From the start of the agents to the first panel.
pub static FIRST_PANEL: Table<6> = Table {
    document: "install",
    section: "first-panel",
    command: "cargo test --locked --test alert_end_to_end dashboards::first_panel::",
    columns: ["scrapes every", "agents", "runs", "part", "median", "max"],
};

/// Partial and one-way cuts, named by every agent.
pub static SCENARIOS: Table<8> = Table {
    document: "verdict",
    section: "partial-cuts",
    command: "cargo test --locked --test simulation scenarios::",
    columns: ["cut", "nodes", "loss", "runs", "wrong", "median", "p99", "max"],
};

/// Who may write, whatever happens to those who count.
pub static ELECTORATE: Table<5> = Table {
    document: "electorate",
    section: "who-may-write",
    command: "cargo test --locked --test simulation electorate",
    columns: ["what", "nodes", "runs", "moments looked at", "wrong"],
};

/// What a datagram that is wrong costs a real agent.
pub static FLOOD: Table<6> = Table {
    document: "performance",
    section: "flood-cost",
    command: "cargo test --locked --test namespaces flood::",
    columns: ["from", "datagrams", "a second", "processor without", "processor with", "each"],
};

/// The processor time and memory of a heartbeat, beside those of a bare loop.
pub static HEARTBEAT: Table<8> = Table {
    document: "performance",
    section: "heartbeat-cost",
    command: "cargo bench --locked --bench heartbeat",
    columns: ["peers", "heartbeat", "bare loop", "ratio", "patient loop", "ratio to it", "agent's core", "agent's RSS"],
};

/// Datagrams that are wrong or old, put into an agent.
pub static HOSTILE: Table<5> = Table {
    document: "verdict",
    section: "hostile-datagrams",
    command: "cargo test --locked --test hostile_datagrams",
    columns: ["made of real ones", "datagrams", "refused as", "panics", "changes"],
};

/// Networks in which nothing is wrong.
pub static QUIET: Table<7> = Table {
    document: "verdict",
    section: "false-alarms",
    command: "cargo test --locked --test simulation quiet::",
    columns: [
        "network",
        "nodes",
        "virtual time",
        "links down",
        "cuts that were there",
        "false partitions",
        "with 95 % certainty",
    ],
};

/// What one agent costs among thousands.
pub static SCALE: Table<10> = Table {
    document: "performance",
    section: "scale",
    command: "cargo bench --locked --bench scale",
    columns: [
        "peers",
        "cap",
        "period",
        "core",
        "in the kernel",
        "RSS",
        "out a second",
        "in a second",
        "dropped",
        "bare loop's core",
    ],
};

/// What one agent costs while half of its peers fall silent, and how long it takes.
pub static SCALE_CUT: Table<6> = Table {
    document: "performance",
    section: "scale-cut",
    command: "cargo bench --locked --bench scale",
    columns: ["peers", "limit of a core", "core before", "worst second", "cut to partition", "dropped"],
};

/// What a thousand endpoints cost.
pub static ENDPOINTS: Table<4> = Table {
    document: "performance",
    section: "endpoint-cost",
    command: "cargo bench --locked --bench endpoints",
    columns: ["endpoints", "of them hang", "core", "memory"],
};

/// What a scrape of /metrics costs.
pub static SCRAPE: Table<6> = Table {
    document: "performance",
    section: "scrape",
    command: "cargo bench --locked --bench scrape",
    columns: ["peers", "series", "text", "processor", "median", "p99"],
};

/// How long real agents take, in namespaces.
pub static TIMING: Table<7> = Table {
    document: "verdict",
    section: "real-agents",
    command: "cargo test --locked --test namespaces timing::",
    columns: ["cut", "runs", "repeated", "what", "promised", "median", "max"],
};

/// What one judgement of the matrix costs.
pub static VERDICT: Table<5> = Table {
    document: "performance",
    section: "verdict-cost",
    command: "cargo bench --locked --bench verdict",
    columns: ["nodes", "matrix", "cuts found", "median", "max"],
};

/// A table of `N` columns. A row of another length does not compile.
pub struct Table<const N: usize> {
    /// The document, as in `verdict` for docs/verdict.md.
    pub document: &'static str,
    /// The name between the marks: small letters and dashes.
    pub section: &'static str,
    /// What writes it, run at the root of the repository.
    pub command: &'static str,
    /// The head of each column.
    pub columns: [&'static str; N],
}

/// A table without its number of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// As in [`Table`].
    pub document: &'static str,
    /// As in [`Table`].
    pub section: &'static str,
    /// As in [`Table`].
    pub command: &'static str,
    /// As in [`Table`].
    pub columns: &'static [&'static str],
}

impl<const N: usize> Table<N> {
    /// The table as it stands in [`TABLES`].
    pub const fn head(&'static self) -> Head {
        Head { document: self.document, section: self.section, command: self.command, columns: &self.columns }
    }

    /// Keeps one row, if figures are being taken. Rows are sorted afterwards, numbers by their value: tests that run
    /// side by side need no order.
    pub fn row(&'static self, cells: &[String; N]) {
        if is_full() {
            self.head().keep(&directory(), cells);
        }
    }
}

impl Head {
    /// The mark before the table.
    pub fn begin(&self) -> String {
        format!("<!-- verify:{}:begin {} -->", self.section, self.command)
    }

    /// The mark behind the table.
    pub fn end(&self) -> String {
        format!("<!-- verify:{}:end -->", self.section)
    }

    /// The two lines with which the table starts.
    pub fn top(&self) -> String {
        format!("{}{}", line(self.columns), line(&vec!["---"; self.columns.len()]))
    }

    /// Starts the table anew: its marks and its top, without rows.
    pub fn start(&self, directory: &Path) {
        fs::create_dir_all(self.file(directory).parent().unwrap()).unwrap();
        fs::write(self.file(directory), format!("{}\n{}", self.begin(), self.top())).unwrap();
    }

    /// Adds a row. One write to a file opened for appending: rows from several threads and processes stay whole.
    pub fn keep(&self, directory: &Path, cells: &[String]) {
        let file = OpenOptions::new().append(true).open(self.file(directory));
        let mut file =
            file.unwrap_or_else(|error| panic!("{} (is {} in TABLES?): {error}", self.command, self.section));
        file.write_all(line(cells).as_bytes()).unwrap();
    }

    fn file(&self, directory: &Path) -> PathBuf {
        directory.join(self.document).join(format!("{}.md", self.section))
    }
}

/// Whether the full figures are being taken.
pub fn is_full() -> bool {
    env::var("NETSPLIT_VERIFY").is_ok_and(|value| value == "1")
}

/// How much to do: a little in `make test`, all in `make verify`, or of all one part in `NETSPLIT_VERIFY_SHARE`, as the
/// table then says.
pub fn size<T: Amount>(quick: T, full: T) -> T {
    let share = env::var("NETSPLIT_VERIFY_SHARE").ok().and_then(|share| share.parse().ok()).unwrap_or(1);
    if is_full() { full.divided(share).max(quick) } else { quick }
}

/// One thing in `make test`, another in `make verify`, whatever the share.
pub fn either<T>(quick: T, full: T) -> T {
    if is_full() { full } else { quick }
}

/// Something of which a part can be done.
pub trait Amount: Ord {
    /// One part in so many.
    #[must_use]
    fn divided(self, by: u32) -> Self;
}

impl Amount for u32 {
    fn divided(self, by: u32) -> Self {
        self / by.max(1)
    }
}

impl Amount for u64 {
    fn divided(self, by: u32) -> Self {
        self / u64::from(by.max(1))
    }
}

impl Amount for usize {
    fn divided(self, by: u32) -> Self {
        self / by.max(1) as usize
    }
}

impl Amount for std::time::Duration {
    fn divided(self, by: u32) -> Self {
        self / by.max(1)
    }
}

/// Where rows are kept until the documents are written.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/verify")
}

fn line<S: AsRef<str>>(cells: &[S]) -> String {
    let cells = cells.iter().map(|cell| cell.as_ref().replace('|', "\\|").replace('\n', " "));
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}
