//! One entry of `endpoints` as it is written: every key of every type, nothing judged yet. `kind` knows which type has which.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Location, Spanned};

use super::super::schema::Text;

/// One entry of `endpoints`: something that is not an agent, and that the cluster leans on.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Its name in events, metrics and answers, the same on every node. Required.
    pub name: Option<Text>,
    /// How it is asked. Required.
    #[serde(rename = "type")]
    pub kind: Option<Text>,
    /// How often an agent asks it. Shorter detects sooner and costs the endpoint in proportion.
    pub period: Option<Text>,
    /// How long one probe may take, from the lookup of the name to the polite end.
    pub timeout: Option<Text>,
    /// How many failures in a row make it down.
    pub failure_threshold: Option<Text>,
    /// How many successes in a row make it up again.
    pub success_threshold: Option<Text>,
    /// The faster pace at which it is asked once a probe has failed, until it is judged.
    pub confirm_period: Option<Text>,
    /// Which agents ask it: `all`, or `sample(k)` for k of them.
    pub from: Option<Text>,
    /// Whether a side that cannot reach it is a partition.
    pub partition: Option<Text>,
    /// Whether an agent holds one connection to it beside its probes, and tells when it is lost.
    pub keep: Option<Text>,
    /// Where it is, for types that speak HTTP.
    pub url: Option<Text>,
    /// Where it is: a host and a port.
    pub address: Option<Text>,
    /// The host that is pinged.
    pub host: Option<Text>,
    /// The name that is asked for.
    pub query: Option<Text>,
    /// Which type of record is asked for.
    pub record: Option<Text>,
    /// The DNS server that is asked.
    pub server: Option<Text>,
    /// How the connection is secured: true, or what is to be said of it.
    pub tls: Option<Spanned<Tls>>,
    /// As whom.
    pub username: Option<Text>,
    /// The file with the password.
    pub password_file: Option<Text>,
    /// The file with the token.
    pub token_file: Option<Text>,
    /// The method of the request.
    pub method: Option<Text>,
    /// Further headers of the request.
    pub headers: Option<Spanned<BTreeMap<String, Text>>>,
    /// Which statuses are good.
    pub expected_status: Option<Spanned<Statuses>>,
    /// What has to be in the body.
    pub expected_body: Option<Text>,
    /// Whether HTTP/2 is spoken.
    pub http2: Option<Text>,
    /// What is sent first.
    pub send: Option<Text>,
    /// What has to come.
    pub expect: Option<Text>,
    /// Which service is asked about.
    pub service: Option<Text>,
    /// Which virtual host is opened.
    pub virtual_host: Option<Text>,
    /// Which database is opened.
    pub database: Option<Text>,
    /// Which role it should have.
    pub role: Option<Text>,
    /// How far a replica may be behind.
    pub max_lag: Option<Text>,
}

/// `tls`: whether, or how.
#[derive(Debug)]
pub enum Tls {
    /// `tls: true` or `tls: false`.
    Word(String),
    /// `tls: {…}`, which is `true` too.
    Options(Box<TlsOptions>),
}

/// The mapping below `tls`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsOptions {
    /// A file with certificates to trust beside the usual authorities.
    pub ca_file: Option<Text>,
    /// The certificate that the agent shows.
    pub certificate_file: Option<Text>,
    /// The key of that certificate.
    pub key_file: Option<Text>,
    /// The name in the endpoint's certificate, where it is not that of the host.
    pub server_name: Option<Text>,
    /// Whether any certificate is taken.
    pub insecure_skip_verify: Option<Text>,
}

/// `expected_status`: one, or a list.
#[derive(Debug)]
pub enum Statuses {
    /// `expected_status: 200`.
    One(String),
    /// `expected_status: [200, 401]`.
    Many(Vec<Text>),
}

impl Endpoint {
    /// The keys that only some types have and this one was given, each with its place.
    pub(super) fn given(&self) -> impl Iterator<Item = (&'static str, Location)> {
        let texts = [
            ("url", &self.url),
            ("address", &self.address),
            ("host", &self.host),
            ("query", &self.query),
            ("record", &self.record),
            ("server", &self.server),
            ("username", &self.username),
            ("password_file", &self.password_file),
            ("token_file", &self.token_file),
            ("method", &self.method),
            ("expected_body", &self.expected_body),
            ("http2", &self.http2),
            ("send", &self.send),
            ("expect", &self.expect),
            ("service", &self.service),
            ("virtual_host", &self.virtual_host),
            ("database", &self.database),
            ("role", &self.role),
            ("max_lag", &self.max_lag),
        ];
        let others = [
            ("tls", self.tls.as_ref().map(|tls| tls.referenced)),
            ("headers", self.headers.as_ref().map(|headers| headers.referenced)),
            ("expected_status", self.expected_status.as_ref().map(|status| status.referenced)),
        ];
        let texts = texts.into_iter().map(|(key, text)| (key, text.as_ref().map(|text| text.referenced)));
        texts.chain(others).filter_map(|(key, place)| Some((key, place?)))
    }
}

impl<'de> Deserialize<'de> for Tls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrOptions)
    }
}

struct WordOrOptions;

impl<'de> Visitor<'de> for WordOrOptions {
    type Value = Tls;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`true` or a mapping")
    }

    fn visit_bool<E: de::Error>(self, word: bool) -> Result<Tls, E> {
        Ok(Tls::Word(word.to_string()))
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Tls, E> {
        Ok(Tls::Word(word.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Tls, A::Error> {
        TlsOptions::deserialize(MapAccessDeserializer::new(map)).map(|options| Tls::Options(Box::new(options)))
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Statuses;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status, a range of them, or a list")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Statuses, E> {
        Ok(Statuses::One(number.to_string()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Statuses, E> {
        Ok(Statuses::One(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Statuses, E> {
        Ok(Statuses::One(number.to_string()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Statuses, E> {
        Ok(Statuses::One(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Statuses, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = list.next_element()? {
            all.push(one);
        }
        Ok(Statuses::Many(all))
    }
}
