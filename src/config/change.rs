//! In which keys two configurations differ, and which of them an agent that runs cannot take.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Authentication, Config, Discovery, Effective};

/// What holds for as long as the agent runs, with all that is below it. Who this agent is and where it is found is known to
/// its peers; what it holds open it cannot let go of without a gap.
const FOR_THE_WHOLE_RUN: [&str; 7] =
    ["cluster", "node", "listen", "http.listen", "peers.discovery.dns.port", "audit.path", "state.directory"];

/// How the entry of this node is named where it is the only thing that differs: the list itself may change.
const OWN_ENTRY: &str = "peers.discovery.static (the entry of this node)";

/// Whether a change of this key needs a restart.
pub fn needs_restart(key: &str) -> bool {
    let is_below = |above: &str| key.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    FOR_THE_WHOLE_RUN.into_iter().any(is_below)
}

/// The keys whose values differ, as `section.key`, sorted. Empty if the two mean the same.
pub(super) fn changed(before: &Config, after: &Config) -> Vec<String> {
    let (old, new) = (values(before), values(after));
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter().filter(|key| old.get(*key) != new.get(*key)).cloned().collect()
}

/// What of the change from `before` to `after` needs a restart: none if an agent that runs can take it.
pub(super) fn needing_restart(before: &Config, after: &Config) -> Vec<String> {
    let mut keys: Vec<_> = changed(before, after).into_iter().filter(|key| needs_restart(key)).collect();
    if keys.is_empty() && before.settings.node != after.settings.node {
        keys.push(OWN_ENTRY.to_owned());
    }
    match (&before.discovery, &after.discovery) {
        (Discovery::Static(_), Discovery::Static(_))
        | (Discovery::Dns(_), Discovery::Dns(_))
        | (Discovery::Kubernetes(_), Discovery::Kubernetes(_)) => {}
        _ => keys = vec!["peers.discovery".to_owned()],
    }
    match (&before.authentication, &after.authentication) {
        (Authentication::Keys(_), Authentication::Keys(_)) | (Authentication::Insecure, Authentication::Insecure) => {}
        _ => keys.push("authentication".to_owned()),
    }
    keys.sort();
    keys
}

/// Every value by its key. A list is one value, and a mapping is none.
fn values(config: &Config) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let all = serde_json::to_value(Effective::of(config)).unwrap_or_default();
    collect("", all, &mut found);
    found
}

fn collect(above: &str, value: Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                collect(&super::unknown::join(above, &key), value, found);
            }
        }
        value => {
            found.insert(above.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};

    const LIST: &str = "[{name: a, address: \"10.0.0.1:7475\"}, {name: b, address: \"10.0.0.2:7475\"}]";

    fn config(text: &str) -> Config {
        load("f", text, &Environment::of([("NODE_NAME", "a")])).unwrap().config
    }

    fn listed(list: &str, rest: &str) -> Config {
        config(&format!("peers: {{discovery: {{static: {list}}}}}\n{rest}"))
    }

    /// What changes from the least file to this, and what of it needs a restart.
    fn change(rest: &str) -> (Vec<String>, Vec<String>) {
        let (before, after) = (listed(LIST, "authentication: {keys: /k}"), listed(LIST, rest));
        (changed(&before, &after), needing_restart(&before, &after))
    }

    fn of(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    #[test]
    fn keys_that_differ_are_named_and_those_that_say_the_default_are_not() {
        let told =
            "authentication: {keys: /l}\nmode: {policy: ap, tie: minority}\naudit: {keep: 5}\nhttp: {expose: all}";
        assert_eq!(change(told), (of(&["audit.keep", "authentication.keys", "http.expose", "mode.policy"]), of(&[])));
        let other = listed(LIST, "authentication: insecure");
        assert_eq!(changed(&other, &other), of(&[]));
    }

    #[test]
    fn what_follows_from_a_key_is_named_beside_it() {
        let (before, after) = (listed(LIST, "authentication: insecure"), {
            config(&format!("peers: {{profile: fast, discovery: {{static: {LIST}}}}}\nauthentication: insecure"))
        });
        assert_eq!(changed(&before, &after), of(&["peers.max_heartbeats_per_second", "peers.period"]));
        assert_eq!(needing_restart(&before, &after), of(&[]));
    }

    #[test]
    fn what_holds_for_the_whole_run_needs_a_restart() {
        for (rest, key) in [
            ("cluster: b", "cluster"),
            ("node: {zone: east}", "node.zone"),
            ("node: {host_address: 10.0.0.9}", "node.host_address"),
            ("node: {name: b}", "node.name"),
            ("listen: \"[::]:80\"", "listen"),
            ("http: {listen: \"[::]:80\"}", "http.listen"),
            ("audit: {path: /a}", "audit.path"),
            ("state: {directory: /s}", "state.directory"),
        ] {
            assert_eq!(change(&format!("{rest}\nauthentication: {{keys: /k}}")).1, of(&[key]), "{rest}");
        }
    }

    #[test]
    fn keys_in_place_of_insecure_and_another_kind_of_discovery_need_a_restart() {
        assert_eq!(change("authentication: insecure").1, of(&["authentication"]));
        let looked_up = config("peers: {discovery: {dns: {name: a.b}}}\nauthentication: {keys: /k}");
        let list = listed(LIST, "authentication: {keys: /k}");
        assert_eq!(needing_restart(&list, &looked_up), of(&["peers.discovery"]));
        assert_eq!(needing_restart(&looked_up, &list), of(&["peers.discovery"]));
        let of_service = config("peers: {discovery: {kubernetes: {service: s}}}\nauthentication: {keys: /k}");
        assert_eq!(needing_restart(&looked_up, &of_service), of(&["peers.discovery"]));
        let another = config("peers: {discovery: {kubernetes: {service: t}}}\nauthentication: {keys: /k}");
        assert_eq!(needing_restart(&of_service, &another), of(&[]));
    }

    #[test]
    fn a_list_may_change_but_for_the_entry_of_this_node() {
        let list = listed(LIST, "authentication: insecure");
        let (other, own) = (LIST.replace("10.0.0.2", "10.0.0.3"), LIST.replace("10.0.0.1", "10.0.0.3"));
        let (other, own) = (listed(&other, "authentication: insecure"), listed(&own, "authentication: insecure"));
        assert_eq!(changed(&list, &other), of(&["peers.discovery.static"]));
        assert_eq!(needing_restart(&list, &other), of(&[]));
        assert_eq!(needing_restart(&list, &own), of(&[OWN_ENTRY]));
    }

    #[test]
    fn a_name_to_look_up_may_change_but_for_the_port_of_all_agents() {
        let dns = |text: &str| config(&format!("peers: {{discovery: {{dns: {{{text}}}}}}}\nauthentication: insecure"));
        let before = dns("name: a.b");
        assert_eq!(needing_restart(&before, &dns("name: a.c, server: \"10.0.0.1:53\"")), of(&[]));
        assert_eq!(needing_restart(&before, &dns("name: a.b, port: 80")), of(&["peers.discovery.dns.port"]));
    }
}
