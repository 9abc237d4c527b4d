//! Keys that do not exist: what was most likely meant instead.

use super::secret::is_secret;

/// Every key there is, with the keys above it.
pub const KEYS: [&str; 76] = [
    "cluster",
    "node.name",
    "node.zone",
    "node.pod_address",
    "node.host_address",
    "listen",
    "http.listen",
    "http.expose",
    "peers.profile",
    "peers.period",
    "peers.timeout",
    "peers.confirm_period",
    "peers.failure_threshold",
    "peers.success_threshold",
    "peers.max_heartbeats_per_second",
    "peers.source_ports",
    "peers.discovery.static",
    "peers.discovery.static.name",
    "peers.discovery.static.address",
    "peers.discovery.static.zone",
    "peers.discovery.dns",
    "peers.discovery.dns.name",
    "peers.discovery.dns.port",
    "peers.discovery.dns.server",
    "peers.discovery.kubernetes",
    "peers.discovery.kubernetes.service",
    "peers.discovery.kubernetes.namespace",
    "peers.discovery.kubernetes.kubeconfig",
    "authentication.keys",
    "mode.policy",
    "mode.tie",
    "mode.write_quorum",
    "endpoints",
    "endpoints.name",
    "endpoints.type",
    "endpoints.period",
    "endpoints.timeout",
    "endpoints.failure_threshold",
    "endpoints.success_threshold",
    "endpoints.confirm_period",
    "endpoints.from",
    "endpoints.partition",
    "endpoints.keep",
    "endpoints.url",
    "endpoints.address",
    "endpoints.host",
    "endpoints.query",
    "endpoints.record",
    "endpoints.server",
    "endpoints.tls",
    "endpoints.tls.ca_file",
    "endpoints.tls.certificate_file",
    "endpoints.tls.key_file",
    "endpoints.tls.server_name",
    "endpoints.tls.insecure_skip_verify",
    "endpoints.username",
    "endpoints.password_file",
    "endpoints.token_file",
    "endpoints.method",
    "endpoints.headers",
    "endpoints.expected_status",
    "endpoints.expected_body",
    "endpoints.http2",
    "endpoints.send",
    "endpoints.expect",
    "endpoints.service",
    "endpoints.virtual_host",
    "endpoints.database",
    "endpoints.role",
    "endpoints.max_lag",
    "alerts.kafka_consumer_lag",
    "audit.path",
    "audit.max_size",
    "audit.keep",
    "audit.stdout",
    "state.directory",
];

/// What to do about the key `key`, where only `expected` are known.
pub(super) fn hint(key: &str, expected: &[&str]) -> String {
    if is_secret(key) {
        let file = if key.eq_ignore_ascii_case("token") { "token_file" } else { "password_file" };
        return format!("secrets come from files only: write it into a file, and name that by `endpoints.{file}`");
    }
    if let Some(known) = elsewhere(&KEYS, key) {
        return format!("`{key}` belongs elsewhere: {known}");
    }
    match closest(&key.replace('-', "_"), expected) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("take it out; known here: {}", expected.join(", ")),
    }
}

/// `above.key`, or only `key` at the top.
pub(super) fn join(above: &str, key: &str) -> String {
    if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") }
}

fn elsewhere(paths: &[&'static str], key: &str) -> Option<&'static str> {
    paths.iter().find(|path| path.rsplit('.').next() == Some(key)).copied()
}

/// The candidate that `word` is most like, if it is like any: a slip or two, another case, or a longer form.
pub(super) fn closest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let near = |candidate: &&&str| {
        let slips = strsim::damerau_levenshtein(&word, candidate);
        slips <= (candidate.len() / 3).clamp(1, 3) || (candidate.len() > 3 && word.starts_with(**candidate))
    };
    candidates.iter().filter(near).min_by_key(|candidate| strsim::damerau_levenshtein(&word, candidate)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEERS: [&str; 4] = ["profile", "period", "timeout", "failure_threshold"];

    #[test]
    fn a_slip_is_seen_through() {
        for (slip, meant) in [
            ("perod", "period"),
            ("preiod", "period"),
            ("Period", "period"),
            ("periodSeconds", "period"),
            ("failureThreshold", "failure_threshold"),
        ] {
            assert_eq!(closest(slip, &PEERS), Some(meant), "{slip}");
        }
    }

    #[test]
    fn a_dash_is_taken_for_the_underscore_it_should_be() {
        assert_eq!(hint("failure-threshold", &PEERS), "did you mean `failure_threshold`?");
    }

    #[test]
    fn a_stranger_is_not_taken_for_a_friend() {
        assert_eq!(closest("colour", &PEERS), None);
    }

    #[test]
    fn a_secret_is_sent_into_a_file() {
        assert!(hint("password", &[]).contains("`endpoints.password_file`"));
        assert!(hint("Token", &[]).contains("`endpoints.token_file`"));
    }

    #[test]
    fn a_key_in_the_wrong_place_is_sent_to_the_right_one() {
        assert_eq!(hint("period", &["cluster"]), "`period` belongs elsewhere: peers.period");
    }
}
