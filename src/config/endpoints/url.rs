//! An endpoint that is named on the command line, by a URL or by a type and an address: it becomes an entry as a file would
//! have it, and is judged as one.

use std::fmt::Write as _;

use serde_yaml::{Location, Spanned};

use super::super::environment::Environment;
use super::super::error::{Errors, Problem, Refusal};
use super::super::reader::Reader;
use super::super::schema::Text;
use super::super::unknown::closest;
use super::check;
use super::entry::{Entry, duration};
use super::kind::{KINDS, Kind};
use super::schedule::{TIMEOUT, USUAL_TIMEOUT};
use super::schema::{Endpoint, Tls, TlsOptions};
use crate::probe::Target;

/// What the command line says of an endpoint, each as it was written.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The URL, or with `kind` the address alone.
    pub whereto: String,
    /// The type, where the URL does not say it.
    pub kind: Option<String>,
    /// How long it may take.
    pub timeout: Option<String>,
    /// Whether the connection is to be secured, where the URL does not say it.
    pub tls: bool,
    /// Whom to trust.
    pub ca_file: Option<String>,
    /// The name in the certificate.
    pub server_name: Option<String>,
    /// Whether any certificate is taken.
    pub insecure_skip_verify: bool,
    /// As whom.
    pub username: Option<String>,
    /// The file with the password.
    pub password_file: Option<String>,
    /// The file with the token.
    pub token_file: Option<String>,
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What to probe.
    pub target: Target,
    /// What is odd about it.
    pub warnings: Vec<Problem>,
}

/// How a URL begins, the type that means, and whether TLS.
const SCHEMES: [(&str, Kind, bool); 17] = [
    ("http", Kind::Http, false),
    ("https", Kind::Http, true),
    ("tcp", Kind::Tcp, false),
    ("tls", Kind::Tcp, true),
    ("icmp", Kind::Icmp, false),
    ("dns", Kind::Dns, false),
    ("grpc", Kind::Grpc, false),
    ("grpcs", Kind::Grpc, true),
    ("amqp", Kind::Amqp, false),
    ("amqps", Kind::Amqp, true),
    ("kafka", Kind::Kafka, false),
    ("kafkas", Kind::Kafka, true),
    ("redis", Kind::Redis, false),
    ("rediss", Kind::Redis, true),
    ("postgres", Kind::Postgres, false),
    ("postgresql", Kind::Postgres, false),
    ("mysql", Kind::Mysql, false),
];

/// Ports that tell what was most likely meant.
const WELL_KNOWN: [(&str, &str); 12] = [
    ("80", "http"),
    ("443", "https"),
    ("2379", "etcd+https"),
    ("3306", "mysql"),
    ("5432", "postgres"),
    ("5671", "amqps"),
    ("5672", "amqp"),
    ("6379", "redis"),
    ("6443", "kubernetes+https"),
    ("8500", "consul+http"),
    ("9092", "kafka"),
    ("15672", "rabbitmq+http"),
];

impl Asked {
    /// What is to be probed.
    ///
    /// # Errors
    /// Everything that is wrong with it; no message repeats a secret.
    pub fn read(&self) -> Result<Question, Errors> {
        let whole = |refusal| Errors::about(NOWHERE, refusal);
        let (kind, is_secure, rest) = self.kind_and_rest().map_err(whole)?;
        let keys = self.entry(kind, is_secure, rest).map_err(whole)?;
        let environment = Environment::default();
        let mut reader = Reader::new(NOWHERE, "", &environment);
        let entry = Entry { keys: &keys, kind, place: Location::UNKNOWN };
        let check = check::read(&entry, &mut reader);
        let hint = "5s suits most endpoints";
        let timeout = keys.timeout.as_ref();
        let timeout = reader.read("the timeout", timeout, |text| duration(text, &TIMEOUT, hint)).or(USUAL_TIMEOUT);
        let (problems, warnings) = reader.into_findings();
        match (check, timeout) {
            (Some(check), Some(timeout)) if problems.is_empty() => {
                Ok(Question { target: Target { check, timeout }, warnings })
            }
            _ => Err(Errors(problems)),
        }
    }

    /// The type, whether TLS, and what is behind `://`.
    fn kind_and_rest(&self) -> Result<(Kind, bool, &str), Refusal> {
        let text = self.whereto.as_str();
        let told = self.kind.as_deref().map(kind_of).transpose()?;
        let Some((scheme, rest)) = text.split_once("://").or_else(|| question(text)) else {
            return told.map(|kind| (kind, self.tls, text)).ok_or_else(|| no_scheme(text));
        };
        let (kind, is_secure) = scheme_of(&scheme.to_ascii_lowercase())?;
        match told {
            None => Ok((kind, is_secure, rest)),
            Some(told) if told == kind => Ok((kind, is_secure, rest)),
            Some(told) if told.speaks_http() && kind == Kind::Http => Ok((told, is_secure, rest)),
            Some(told) => {
                let message = format!("`{scheme}://` is of the type {}, not {}", kind.name(), told.name());
                Err(Refusal::new(message, "take `--type` out, or the scheme"))
            }
        }
    }

    /// The entry that a file would have.
    fn entry(&self, kind: Kind, is_secure: bool, rest: &str) -> Result<Endpoint, Refusal> {
        let mut keys = Endpoint {
            timeout: self.timeout.as_deref().map(written),
            username: self.username.as_deref().map(written),
            password_file: self.password_file.as_deref().map(written),
            token_file: self.token_file.as_deref().map(written),
            tls: self.tls(kind, is_secure),
            ..Endpoint::default()
        };
        if kind.speaks_http() {
            let scheme = if is_secure { "https" } else { "http" };
            keys.url = Some(written(&format!("{scheme}://{rest}")));
            return Ok(keys);
        }
        if kind == Kind::Dns {
            return with_question(keys, rest);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if kind == Kind::Icmp {
            keys.host = Some(written(authority.trim_matches(['[', ']'])));
        } else {
            keys.address = Some(written(authority));
        }
        if !matches!(path, "" | "/") {
            set_path(&mut keys, kind, path)?;
        }
        Ok(keys)
    }

    /// What is said of TLS; none where nothing is said.
    fn tls(&self, kind: Kind, is_secure: bool) -> Option<Spanned<Tls>> {
        let says_how = self.ca_file.is_some() || self.server_name.is_some() || self.insecure_skip_verify;
        let is_wished = says_how || self.tls || (is_secure && !kind.speaks_http());
        let options = TlsOptions {
            ca_file: self.ca_file.as_deref().map(written),
            server_name: self.server_name.as_deref().map(written),
            insecure_skip_verify: self.insecure_skip_verify.then(|| written("true")),
            ..TlsOptions::default()
        };
        is_wished.then(|| nowhere(Tls::Options(Box::new(options))))
    }
}

/// What the errors call what is in no file; whoever shows them shows the message and the hint alone.
const NOWHERE: &str = "the command line";

fn nowhere<T>(value: T) -> Spanned<T> {
    Spanned::new(value, Location::UNKNOWN, Location::UNKNOWN)
}

/// A value as a file would have it: a dollar is two there.
fn written(text: &str) -> Text {
    nowhere(text.replace('$', "$$"))
}

fn kind_of(name: &str) -> Result<Kind, Refusal> {
    let found = KINDS.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, kind)| kind).ok_or_else(|| {
        let names = KINDS.map(|(name, _)| name);
        let hint = match closest(name, &names) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write one of: {}", names.join(", ")),
        };
        Refusal::new(format!("`{name}` is no type of endpoint"), hint)
    })
}

/// `dns:NAME` asks the servers of this machine (RFC 4501).
fn question(text: &str) -> Option<(&str, &str)> {
    text.split_once(':').filter(|(scheme, _)| *scheme == "dns")
}

/// The type of a scheme: one of the list, or a type that speaks HTTP before `+http` or `+https`.
fn scheme_of(scheme: &str) -> Result<(Kind, bool), Refusal> {
    if let Some((_, kind, is_secure)) = SCHEMES.into_iter().find(|(known, ..)| *known == scheme) {
        return Ok((kind, is_secure));
    }
    let (name, http) = scheme.split_once('+').unwrap_or((scheme, ""));
    let kind = KINDS.into_iter().find(|(known, kind)| *known == name && kind.speaks_http());
    match (kind, http) {
        (Some((_, kind)), "http" | "https") => return Ok((kind, http == "https")),
        (Some((name, _)), _) => {
            let hint = format!("write `{name}+http://` or `{name}+https://`");
            return Err(Refusal::new(format!("`{scheme}://` does not say whether there is TLS"), hint));
        }
        _ => {}
    }
    let hint = match closest(scheme, &SCHEMES.map(|(known, ..)| known)) {
        Some(meant) => format!("did you mean `{meant}://`? There are: {}", schemes()),
        None => format!("there are: {}", schemes()),
    };
    Err(Refusal::new(format!("`{scheme}://` is no scheme that netsplit knows"), hint))
}

/// All schemes, in words.
fn schemes() -> String {
    let mut all = SCHEMES.map(|(scheme, ..)| scheme).join(" ");
    for (name, kind) in KINDS {
        if kind.speaks_http() && kind != Kind::Http {
            // Writing to a string does not fail.
            let _ = write!(all, " {name}+http(s)");
        }
    }
    all
}

/// `10.0.0.1:6379`: what is most likely meant, by the port.
fn no_scheme(text: &str) -> Refusal {
    // What stands before an `@` may be a secret, which is not to be repeated.
    let text = text.rsplit_once('@').map_or(text, |(_, whereto)| whereto);
    let port = text.rsplit_once(':').map_or("", |(_, port)| port);
    let meant = WELL_KNOWN.into_iter().find(|(known, _)| *known == port).map_or("tcp", |(_, scheme)| scheme);
    let hint =
        format!("write how it is asked: `{meant}://{text}`, or `--type {}`", meant.split('+').next().unwrap_or(meant));
    Refusal::new("the URL has no scheme", hint)
}

/// `dns:NAME?type=SRV`, `dns://SERVER/NAME?type=SRV` (RFC 4501).
fn with_question(mut keys: Endpoint, rest: &str) -> Result<Endpoint, Refusal> {
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (server, name) = rest.trim_start_matches('/').split_once('/').unwrap_or(("", rest.trim_start_matches('/')));
    keys.query = (!name.is_empty()).then(|| written(name));
    keys.server = (!server.is_empty()).then(|| written(server));
    match query.map(str::to_ascii_lowercase) {
        None => {}
        Some(query) => {
            let Some(record) = query.strip_prefix("type=") else {
                return Err(Refusal::new("the URL asks for something else than a type of record", "write `?type=SRV`"));
            };
            keys.record = Some(written(record));
        }
    }
    Ok(keys)
}

/// What the path of a URL means to a type that has one.
fn set_path(keys: &mut Endpoint, kind: Kind, path: &str) -> Result<(), Refusal> {
    let inside = path.strip_prefix('/').unwrap_or(path);
    let meant = match kind {
        Kind::Grpc => &mut keys.service,
        Kind::Amqp => &mut keys.virtual_host,
        Kind::Postgres | Kind::Mysql => &mut keys.database,
        _ => {
            let message = format!("the URL has a path, and the type {} has none", kind.name());
            return Err(Refusal::new(message, "take out what follows the host and the port"));
        }
    };
    if inside.contains(['?', '#', '/']) {
        let hint = "keep what follows the host short: one name; write a slash in it as `%2F`";
        return Err(Refusal::new("the URL has more than one part behind the host", hint));
    }
    let name = decoded(inside).ok_or_else(|| {
        Refusal::new(
            "the URL has a `%` that stands for nothing",
            "write `%` and two hexadecimal digits, or `%25` for it",
        )
    })?;
    *meant = Some(written(&name));
    Ok(())
}

/// Without the `%` and two digits that stand for a byte (RFC 3986, section 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::whereabouts;
    use super::*;

    fn asked(whereto: &str) -> Asked {
        Asked { whereto: whereto.to_owned(), ..Asked::default() }
    }

    fn with_login(whereto: &str) -> Asked {
        let (username, password_file) = (Some("me".to_owned()), Some("/password".to_owned()));
        Asked { username, password_file, ..asked(whereto) }
    }

    /// The type and the place.
    fn read(asked: &Asked) -> String {
        let check = asked.read().unwrap_or_else(|errors| panic!("{errors}")).target.check;
        format!("{} {}", check.kind(), whereabouts(&check))
    }

    fn refused(asked: &Asked) -> String {
        let errors = asked.read().unwrap_err();
        let problem = &errors.problems()[0];
        format!("{}: {}", problem.message, problem.hint)
    }

    #[test]
    fn a_scheme_says_the_type_and_the_port() {
        for (url, meant) in [
            ("http://app", "http http://app/"),
            ("https://app:8443/healthz", "http https://app:8443/healthz"),
            ("tcp://app:1", "tcp app:1"),
            ("tls://app:1/", "tcp app:1"),
            ("icmp://10.0.0.1", "icmp 10.0.0.1"),
            ("icmp://[fd00::1]", "icmp fd00::1"),
            ("dns:app.example", "dns A app.example. at the servers of /etc/resolv.conf"),
            ("dns:///app.example?type=aaaa", "dns AAAA app.example. at the servers of /etc/resolv.conf"),
            ("dns://10.0.0.1/app.example?type=SRV", "dns SRV app.example. at 10.0.0.1:53"),
            ("grpc://app:1", "grpc app:1"),
            ("grpcs://app:1/orders.v1.Orders", "grpc app:1"),
            ("amqp://app", "amqp app:5672"),
            ("amqps://app", "amqp app:5671"),
            ("kafka://app", "kafka app:9092"),
            ("kafkas://app", "kafka app:9092"),
            ("redis://app", "redis app:6379"),
            ("rediss://app", "redis app:6379"),
            ("postgres://app", "postgres app:5432"),
            ("postgresql://app", "postgres app:5432"),
            ("mysql://app", "mysql app:3306"),
            ("etcd+http://app:2379", "etcd http://app:2379"),
            ("consul+https://app:8501/prefix/", "consul https://app:8501/prefix"),
            ("kubernetes+https://app", "kubernetes https://app"),
            ("registry+https://app", "registry https://app"),
        ] {
            assert_eq!(read(&asked(url)), meant, "{url}");
        }
        assert_eq!(read(&with_login("rabbitmq+http://app:15672")), "rabbitmq http://app:15672");
    }

    #[test]
    fn a_type_beside_an_address_or_a_url_of_http_is_enough() {
        for (kind, whereto, meant) in [
            ("etcd", "http://app:2379", "etcd http://app:2379"),
            ("redis", "app", "redis app:6379"),
            ("redis", "redis://app", "redis app:6379"),
            ("icmp", "node-1", "icmp node-1"),
            ("dns", "app.example", "dns A app.example. at the servers of /etc/resolv.conf"),
            ("registry", "registry+https://app", "registry https://app"),
        ] {
            assert_eq!(read(&Asked { kind: Some(kind.to_owned()), ..asked(whereto) }), meant, "{kind} {whereto}");
        }
    }

    #[test]
    fn what_is_behind_the_host_is_a_name_in_the_terms_of_the_type() {
        for (url, name) in [("amqp://app/%2Fa", "/a"), ("postgres://app/my$db", "my$db"), ("mysql://app/%C3%A4", "ä")]
        {
            let found = match with_login(url).read().unwrap().target.check {
                crate::probe::Check::Amqp(amqp) => amqp.virtual_host,
                crate::probe::Check::Postgres(postgres) => postgres.database,
                crate::probe::Check::Mysql(mysql) => mysql.database,
                other => panic!("{other:?}"),
            };
            assert_eq!(found, name);
        }
    }

    #[test]
    fn what_cannot_be_is_told_with_what_would_be_right() {
        for (url, told) in [
            ("reddis://app", "`reddis://` is no scheme that netsplit knows: did you mean `redis://`?"),
            ("gopher://app", "`gopher://` is no scheme that netsplit knows: there are: http https tcp"),
            ("etcd://app", "`etcd://` does not say whether there is TLS: write `etcd+http://` or `etcd+https://`"),
            ("10.0.0.1:5432", "the URL has no scheme: write how it is asked: `postgres://10.0.0.1:5432`"),
            ("tcp://app", "the address `app` has no port"),
            ("redis://app/0", "the URL has a path, and the type redis has none"),
            ("grpc://app:1/a/b", "the URL has more than one part behind the host"),
            ("mysql://app/a%2", "the URL has a `%` that stands for nothing"),
            ("mysql://app/a", "database needs a login"),
            ("dns:", "an endpoint of the type dns has no query"),
            ("dns:app.example?class=IN", "the URL asks for something else"),
            ("rabbitmq+http://app", "the management API of RabbitMQ tells nothing without a login"),
        ] {
            assert!(refused(&asked(url)).starts_with(told), "{url}: {}", refused(&asked(url)));
        }
    }

    #[test]
    fn no_error_repeats_a_password() {
        for url in
            ["http://me:hunter2@app/", "redis://:hunter2@app", "postgres://me:hunter2@app/db", "me:hunter2@app:1"]
        {
            let told = asked(url).read().unwrap_err().to_string();
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn whoever_takes_any_certificate_is_warned() {
        let any = Asked { insecure_skip_verify: true, ..asked("https://app") };
        assert_eq!(any.read().unwrap().warnings.len(), 1);
        assert_eq!(asked("https://app").read().unwrap().warnings, []);
    }

    proptest! {
        #[test]
        fn reading_never_panics(url in "(https?|dns|amqp|icmp|etcd[+]http)?(://|:)?([\\[\\]:@/.?#%$]|a|1|é|\\PC){0,20}") {
            let _ = with_login(&url).read();
        }
    }
}
