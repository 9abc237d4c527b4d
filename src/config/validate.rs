//! A parsed file becomes a [`Config`]: every value in its range, and all of them fit for each other. Goes on after the
//! first wrong value, so that an operator sees all of them; what a wrong value would be compared with is then skipped.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_yaml::{Location, Spanned};

use super::discovery::{self, Chosen};
use super::error::Refusal;
use super::own_node::{self, OwnNode};
use super::reader::{Reader, Setting};
use super::roster::{self, Listed};
use super::schema::{self, File, Keys, Text};
use super::{Authentication, Config, Discovery, Environment, Expose};
use super::{alerts, audit, endpoints, expand, name, path, secret, timing};
use crate::detector::settings::{ConfiguredTiming, Member, ModePolicy, Policy, Settings, Tie, WriteQuorum};
use crate::network::SourcePorts;

/// Where the state is kept if the file does not say.
const STATE_DIRECTORY: &str = "/var/lib/netsplit";

/// Judges the whole file. `None` only if the reader was told why.
pub(super) fn validate(file: &Spanned<File>, reader: &mut Reader<'_>) -> Option<Config> {
    let (place, file) = (file.referenced, &file.value);
    let cluster = reader.read("cluster", file.cluster.as_ref(), name::cluster).or("default".to_owned());
    let listen = listen("listen", file.listen.as_ref(), roster::HEARTBEATS, reader);
    let http_listen = file.http.as_ref().and_then(|http| http.listen.as_ref());
    let http_listen = self::listen("http.listen", http_listen, roster::HTTP, reader);
    let http_expose = expose(file, reader);
    let peers = peers(file, place, cluster.as_deref().unwrap_or_default(), reader);
    let chosen = peers.as_ref().and_then(|(_, chosen)| chosen.as_ref());
    let own = own_node::read(file.node.as_ref(), chosen, reader);
    let source_ports = source_ports(file, reader);
    let authentication = authentication(file, place, reader);
    let mode = mode(file, chosen.and_then(Chosen::listed), reader);
    let endpoints = endpoints::read(file.endpoints.as_ref(), reader);
    let kafka_consumer_lag = alerts::kafka_consumer_lag(file.alerts.as_ref(), reader);
    let audit = audit::read(file.audit.as_ref(), reader);
    let state_directory = state_directory(file, reader);
    let (timing, chosen) = peers?;
    let (chosen, own, listen, http_listen) = (chosen?, own?, listen?, http_listen?);
    if let Some(listed) = chosen.listed() {
        check_reach(listen, listed, &own, reader);
    }
    let pod_address = own.pod_address();
    let node = own.into_member(listen, http_listen);
    let endpoints = endpoints?;
    let probed = endpoints.iter().map(endpoints::Endpoint::settings).collect();
    let settings = Settings { cluster: cluster?, node: node.clone(), timing, mode: mode?, endpoints: probed };
    let discovery = match chosen {
        Chosen::Listed(listed) => Discovery::Static(in_order(listed, &node)),
        Chosen::Dns(dns) => Discovery::Dns(dns),
        Chosen::Kubernetes(kubernetes) => Discovery::Kubernetes(kubernetes),
    };
    Some(Config {
        settings,
        listen,
        http_listen,
        http_expose: http_expose?,
        pod_address,
        source_ports: source_ports?,
        discovery,
        authentication: authentication?,
        endpoints,
        kafka_consumer_lag: kafka_consumer_lag?,
        audit: audit?,
        state_directory: state_directory?,
    })
}

fn expose(file: &File, reader: &mut Reader<'_>) -> Option<Expose> {
    let given = file.http.as_ref().and_then(|http| http.expose.as_ref());
    reader.word("http.expose", given, &[("minimal", Expose::Minimal), ("all", Expose::All)]).or(Expose::Minimal)
}

/// Where something listens; left out it is every address at its usual port.
fn listen(what: &str, text: Option<&Text>, usual: u16, reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let listen = reader.read(what, text, |text| roster::socket_address(text, usual));
    listen.or(SocketAddr::from(([0; 16], usual)))
}

/// The list in order of name; this node's entry is as this node sees itself.
fn in_order(listed: Listed, node: &Member) -> Vec<Member> {
    let as_it_is = |member: Member| if member.name == node.name { node.clone() } else { member };
    let mut roster: Vec<_> = listed.members.into_iter().map(|(member, _)| as_it_is(member)).collect();
    roster.sort();
    roster
}

fn peers(
    file: &File,
    place: Location,
    cluster: &str,
    reader: &mut Reader<'_>,
) -> Option<(ConfiguredTiming, Option<Chosen>)> {
    let Some(peers) = &file.peers else {
        let hint = "add `peers:` with the list of nodes below it; config/examples/ has one to start from";
        reader.refuse(place, Refusal::new("peers is missing", hint));
        return None;
    };
    Some((timing::read(&peers.value, reader), discovery::read(peers, cluster, reader)))
}

fn source_ports(file: &File, reader: &mut Reader<'_>) -> Option<SourcePorts> {
    let given = file.peers.as_ref().and_then(|peers| peers.value.source_ports.as_ref());
    let ports = reader.read("peers.source_ports", given, |text| {
        let hint = "write such a number, or leave the key out for 4; 1 is the port of `listen` alone";
        let ports = text.parse().ok().and_then(SourcePorts::new);
        ports.ok_or_else(|| Refusal::new("is not a whole number from 1 to 16", hint))
    });
    ports.or(SourcePorts::default())
}

fn authentication(file: &File, place: Location, reader: &mut Reader<'_>) -> Option<Authentication> {
    let example = "write `authentication: {keys: /etc/netsplit/keys}` and make a key with `netsplit keygen`";
    let Some(Spanned { value, referenced, .. }) = &file.authentication else {
        reader.refuse(place, Refusal::new("authentication is missing", example));
        return None;
    };
    if holds_a_key(value, reader.environment()) {
        // Without its place: the line would show the key.
        let hint = "write it into a file of a directory that only netsplit reads, and name the directory instead";
        reader.refuse_whole(Refusal::new("authentication holds a key itself", hint));
        return None;
    }
    match value {
        schema::Authentication::Keys(keys) => keys_in(keys, *referenced, example, reader),
        schema::Authentication::Word(word) => {
            let word = Spanned::new(word.clone(), *referenced, *referenced);
            let (insecure, place) = reader.read("authentication", Some(&word), insecure).given()?;
            let message = "authentication is insecure: whoever reaches the port can forge a heartbeat";
            let hint = "make a key with `netsplit keygen`, and write `authentication: {keys: DIRECTORY}`";
            reader.warn(place, Refusal::new(message, hint));
            Some(insecure)
        }
    }
}

/// Whether a key stands where the name of a directory belongs. Secrets come from files only, and no message shows one.
fn holds_a_key(authentication: &schema::Authentication, environment: &Environment) -> bool {
    let text = match authentication {
        schema::Authentication::Keys(keys) => keys.keys.as_ref().map(|text| &text.value),
        schema::Authentication::Word(word) => Some(word),
    };
    let text = text.and_then(|text| expand(text, environment).ok()).unwrap_or_default();
    // One that is broken into lines is a key all the same.
    secret::key(&text.split_whitespace().collect::<String>()).is_some()
}

fn insecure(word: &str) -> Result<Authentication, Refusal> {
    let hint = "write `{keys: DIRECTORY}`, or the word `insecure` to run without keys";
    if word == "insecure" { Ok(Authentication::Insecure) } else { Err(Refusal::new("is not known", hint)) }
}

fn keys_in(keys: &Keys, place: Location, example: &str, reader: &mut Reader<'_>) -> Option<Authentication> {
    let missing = (place, Refusal::new("authentication.keys is missing", example));
    let directory =
        reader.required("authentication.keys", keys.keys.as_ref(), missing, |text| path::parse(text, example));
    directory.map(|(directory, _)| Authentication::Keys(directory))
}

fn state_directory(file: &File, reader: &mut Reader<'_>) -> Option<PathBuf> {
    let given = file.state.as_ref().and_then(|state| state.directory.as_ref());
    let hint = "write a directory that this agent has for itself, or leave the key out for /var/lib/netsplit";
    reader.read("state.directory", given, |text| path::parse(text, hint)).or(PathBuf::from(STATE_DIRECTORY))
}

fn mode(file: &File, listed: Option<&Listed>, reader: &mut Reader<'_>) -> Option<ModePolicy> {
    let Some(mode) = &file.mode else { return Some(ModePolicy::default()) };
    let policy = reader.word("mode.policy", mode.policy.as_ref(), &[("cp", Policy::Cp), ("ap", Policy::Ap)]);
    let ties = [("minority", Tie::Minority), ("lowest", Tie::Lowest)];
    let tie = reader.word("mode.tie", mode.tie.as_ref(), &ties);
    let quorum = reader.read("mode.write_quorum", mode.write_quorum.as_ref(), write_quorum);
    if let (Setting::Given(WriteQuorum::AtLeast(quorum), place), Some(listed)) = (&quorum, listed) {
        check_quorum(*quorum, *place, listed.members.len(), reader);
    }
    let default = ModePolicy::default();
    let (policy, tie) = (policy.or(default.policy), tie.or(default.tie));
    Some(ModePolicy { policy: policy?, tie: tie?, write_quorum: quorum.or(default.write_quorum)? })
}

fn write_quorum(text: &str) -> Result<WriteQuorum, Refusal> {
    if text == "majority" {
        return Ok(WriteQuorum::Majority);
    }
    let number = text.parse().ok().filter(|&number| number > 0);
    number.map(WriteQuorum::AtLeast).ok_or_else(|| {
        Refusal::new("is neither `majority` nor a number of nodes", "write `majority`, or a whole number from 1 on")
    })
}

fn check_quorum(quorum: u16, place: Location, nodes: usize, reader: &mut Reader<'_>) {
    let majority = nodes / 2 + 1;
    if usize::from(quorum) > nodes {
        let message =
            format!("mode.write_quorum `{quorum}` is more than the {nodes} nodes in the list: nobody could ever write");
        let hint = format!("write `majority`, or {nodes} at most");
        reader.refuse(place, Refusal::new(message, hint));
    } else if usize::from(quorum) < majority {
        let message =
            format!("mode.write_quorum `{quorum}` has no effect: of {nodes} nodes, {majority} are needed anyway");
        reader.warn(place, Refusal::new(message, "write `majority`, or a larger number"));
    }
}

/// A socket of one family reaches no address of the other; only `[::]` serves both.
fn check_reach(listen: SocketAddr, listed: &Listed, own: &OwnNode, reader: &mut Reader<'_>) {
    let both = listen.ip().is_unspecified() && listen.is_ipv6();
    let mut check = |address: &dyn fmt::Display, is_ipv4: bool, place| {
        if !both && is_ipv4 != listen.is_ipv4() {
            let message = format!("`{address}` cannot be reached from listen `{listen}`: one is IPv4, the other IPv6");
            let hint = format!("write `listen: \"[::]:{}\"`, which serves both", listen.port());
            reader.refuse(place, Refusal::new(message, hint));
        }
    };
    for (member, places) in &listed.members {
        check(&member.address, member.address.is_ipv4(), places.address);
    }
    if let Some((address, place)) = own.pod {
        check(&address, address.is_ipv4(), place);
    }
    let entry = listed.members.iter().find(|(member, _)| member.name == own.entry.name);
    let Some((entry, places)) = entry.filter(|(entry, _)| entry.address.port() != listen.port()) else { return };
    let message =
        format!("the list has this node at port {}, but it listens on {}", entry.address.port(), listen.port());
    reader.warn(
        places.address,
        Refusal::new(message, "make the two the same, unless something between them maps the port"),
    );
}
