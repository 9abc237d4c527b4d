//! Text becomes a [`File`], or the first thing that is wrong with its form: syntax, unknown keys, a list where a mapping
//! belongs. The parser knows where, serde where in the structure; this file says it in the words of an operator.

use serde::Deserialize;
use serde_path_to_error::{Deserializer, Segment, Track};
use serde_yaml::{Error, Location, Spanned};

use super::error::{Problem, Refusal};
use super::schema::File;
use super::unknown::{hint, join};

/// What serde-saphyr wraps around a [`Spanned`] value; no key of ours has this name.
const WRAPPER: &str = "value";

/// Reads `text`, which the errors call `file`.
pub(super) fn parse(file: &str, text: &str) -> Result<Spanned<File>, Problem> {
    let mut track = Track::new();
    let options = serde_yaml::options! { with_snippet: false };
    let parsed = serde_yaml::with_deserializer_from_str_with_options(text, options, |deserializer| {
        Spanned::<File>::deserialize(Deserializer::new(deserializer, &mut track))
    });
    parsed.map_err(|error| {
        let path = keys_of(&track.path());
        explain(&error, &path, text).at(file, text, error.location())
    })
}

/// The keys on the way to an error: `peers.discovery.static`. Which entry of a list it is, the line shows.
fn keys_of(path: &serde_path_to_error::Path) -> String {
    path.iter().fold(String::new(), |above, segment| match segment {
        Segment::Map { key } if key != WRAPPER => join(&above, key),
        _ => above,
    })
}

fn explain(error: &Error, path: &str, text: &str) -> Refusal {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown(path, field, expected),
        Error::DuplicateMappingKey { key, .. } => duplicate(path, key.as_deref()),
        Error::Unexpected { expected: "mapping start", .. } => shape(path, "a mapping (`key: value`)"),
        Error::Unexpected { expected: "sequence start", .. } => shape(path, "a list"),
        Error::Unexpected { .. } if path.is_empty() => Refusal::new("a key is not a single word", example(path)),
        Error::Unexpected { .. } => not_one_value(path),
        Error::SerdeInvalidType { .. } => Refusal::new(format!("{path} is neither {}", either(path)), example(path)),
        Error::MultipleDocuments { .. } => Refusal::new(
            "a second YAML document begins",
            "keep one document a file: take out the `---` and what follows",
        ),
        Error::UnknownAnchor { .. } => Refusal::new(
            "`*` refers to an anchor that does not exist",
            "put the value in quotes if the `*` is part of it",
        ),
        Error::TaggedScalarCannotDeserializeIntoString { .. } => Refusal::new(
            format!("{path} has a YAML tag (`!…`)"),
            "take out the tag, or quote the value if the `!` is part of it",
        ),
        Error::ExternalMessage { msg, .. } => syntax(msg, error.location(), text),
        other => syntax(without_place(&other.to_string()), error.location(), text),
    }
}

fn unknown(path: &str, field: &str, expected: &[&str]) -> Refusal {
    let above = path.strip_suffix(field).unwrap_or(path).trim_end_matches('.');
    Refusal::new(format!("unknown key `{}`", join(above, field)), hint(field, expected))
}

/// What a key may be that takes more than one shape.
fn either(path: &str) -> &'static str {
    match path {
        "endpoints.tls" => "true or false nor a mapping",
        "endpoints.expected_status" => "a status nor a list of them",
        _ => "`keys: DIRECTORY` nor the word `insecure`",
    }
}

fn duplicate(path: &str, key: Option<&str>) -> Refusal {
    let key = key.map_or_else(|| path.to_owned(), |key| join(path, key));
    Refusal::new(format!("the key `{key}` is there a second time"), "keep one of the two")
}

fn shape(path: &str, wanted: &str) -> Refusal {
    let what = match path {
        "" => "the file",
        "peers.discovery.static" if wanted != "a list" => "an entry of peers.discovery.static",
        "endpoints" if wanted != "a list" => "an entry of endpoints",
        path => path,
    };
    Refusal::new(format!("{what} is not {wanted}"), example(path))
}

fn not_one_value(path: &str) -> Refusal {
    let hint = "write one value, in quotes if it begins with `[` or `{`";
    Refusal::new(format!("{path} is a list or a mapping where one value belongs"), hint)
}

fn example(path: &str) -> &'static str {
    match path {
        "node" => "write it as `node: {name: node-1, zone: east}`",
        "http" => "write it as `http: {listen: \"[::]:7476\", expose: minimal}`",
        "peers" => "write it as `peers:`, with `period: 1s` and its other keys indented below",
        "peers.discovery" => "write it as `discovery:`, with `static:` and the list of nodes indented below",
        "peers.discovery.kubernetes" => "write it as `kubernetes: {service: network-partition-detector}`",
        "peers.discovery.dns" => "write it as `dns: {name: netsplit.example.internal}`",
        "peers.discovery.static" => {
            "write one line `- {name: node-1, address: \"10.0.0.1:7475\", zone: east}` for each node"
        }
        "authentication" => "write it as `authentication: {keys: /etc/netsplit/keys}` or `authentication: insecure`",
        "endpoints" => {
            "write one line `- {name: orders-database, type: postgres, address: db.example.internal}` for each"
        }
        "endpoints.tls" => "write it as `tls: true` or `tls: {ca_file: /etc/netsplit/ca.pem}`",
        "endpoints.expected_status" => "write it as `expected_status: 200` or `expected_status: [200-299, 401]`",
        "endpoints.headers" => "write it as `headers: {Accept: text/plain}`",
        "alerts" => "write it as `alerts: {kafka_consumer_lag: 10000}`",
        "mode" => "write it as `mode: {policy: cp}`",
        "audit" => "write it as `audit: {path: /var/log/partition-events.log}`",
        "state" => "write it as `state: {directory: /var/lib/netsplit}`",
        _ => "write one `key: value` a line, such as `cluster: production`",
    }
}

/// What the parser stumbled over. It speaks of flows, scalars and contexts; what can be told apart is said in plain words,
/// and anything else as the parser has it.
fn syntax(message: &str, location: Option<Location>, text: &str) -> Refusal {
    let line = location.and_then(|location| usize::try_from(location.line()).ok());
    let line = line.and_then(|line| text.lines().nth(line.saturating_sub(1))).unwrap_or_default();
    let has = |words: &str| message.contains(words);
    if has("tabs") {
        Refusal::new("this line is indented with a tab", "indent with spaces, never with tabs")
    } else if has("quoted scalar") {
        Refusal::new("a quote is not closed", "close the quote that a value opens here or on a line above")
    } else if has("flow") && line.contains("${") {
        Refusal::new("`${…}` stands between braces without quotes", "put it in quotes: `\"${NAME}\"`")
    } else if has("flow") {
        let hint = "close what is open here or on a line above, and put commas between its entries";
        Refusal::new("a `{` or `[` is not closed, or a comma is missing", hint)
    } else if has("bracket") {
        Refusal::new("this bracket closes nothing", "take it out, or open it before")
    } else if has("unexpected character") {
        Refusal::new("no value may begin with this character", "put the value in quotes")
    } else if has("block mapping") || has("block collection") {
        Refusal::new(
            "the indentation of this line fits no key above",
            "give the keys of one mapping the same indentation",
        )
    } else if has("simple key") {
        Refusal::new("a key has no `: ` behind it", "write `key: value`")
    } else {
        Refusal::new(
            format!("this is not YAML: {message}"),
            "check the indentation, quotes and brackets here and on the line above",
        )
    }
}

fn without_place(message: &str) -> &str {
    message.split(" at line ").next().unwrap_or(message)
}
