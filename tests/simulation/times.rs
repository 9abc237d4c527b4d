//! How long agents took to name a cut, over many runs.

use crate::verify::Table;

/// Detection times in seconds, shortest first.
pub struct Times(Vec<f64>);

impl Times {
    pub fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    /// The smallest that at least this many of a hundred do not exceed.
    pub fn quantile(&self, percent: usize) -> f64 {
        let place = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(place).copied().unwrap_or_default()
    }

    pub fn max(&self) -> f64 {
        self.quantile(100)
    }

    /// Keeps a row of runs of which none was wrong.
    pub fn row(&self, table: &'static Table<8>, name: &str, hosts: usize, loss: f64, runs: u64) {
        let seconds = |time: f64| format!("{time:.2} s");
        table.row(&[
            name.to_owned(),
            hosts.to_string(),
            format!("{} %", loss * 100.0),
            runs.to_string(),
            "0".to_owned(),
            seconds(self.quantile(50)),
            seconds(self.quantile(99)),
            seconds(self.max()),
        ]);
    }
}
