//! The dashboards of Grafana: what can be said of them as files (`statics`), and every query of theirs on a real Prometheus
//! that scrapes real agents through a cut (`play`). Grafana itself is not here: what it does to a query before it asks, which
//! is to put variables in, is done in `files`. That its panels look well is not shown.

mod files;
mod first_panel;
mod play;
mod server;
mod statics;
