//! `tls`: whether a connection is secured, and how.

use serde_yaml::{Location, Spanned};

use super::super::error::Refusal;
use super::super::name;
use super::super::reader::{Reader, Setting};
use super::super::schema::Text;
use super::entry::{file, truth};
use super::schema::{Endpoint, Tls as Written, TlsOptions};
use crate::probe::Tls;

/// What an entry says of TLS.
pub(super) enum Wish {
    /// Nothing.
    Silent,
    /// No.
    No(Location),
    /// Yes, and how.
    Yes(Tls, Location),
}

impl Wish {
    /// For types that have it only if told to.
    pub(super) fn if_wished(self) -> Option<Tls> {
        match self {
            Self::Yes(tls, _) => Some(tls),
            Self::Silent | Self::No(_) => None,
        }
    }
}

/// Reads `tls`. `None` if something is wrong with it, which was said.
pub(super) fn read(keys: &Endpoint, reader: &mut Reader<'_>) -> Option<Wish> {
    let Some(Spanned { value, referenced: place, .. }) = &keys.tls else { return Some(Wish::Silent) };
    match value {
        Written::Word(word) => {
            let word = Spanned::new(word.clone(), *place, *place);
            let (is_wished, place) = truth("tls", Some(&word), reader).given()?;
            Some(if is_wished { Wish::Yes(Tls::default(), place) } else { Wish::No(place) })
        }
        Written::Options(options) => Some(Wish::Yes(with_options(options, reader)?, *place)),
    }
}

fn with_options(options: &TlsOptions, reader: &mut Reader<'_>) -> Option<Tls> {
    let ca_file = file("tls.ca_file", options.ca_file.as_ref(), reader);
    let certificate = file("tls.certificate_file", options.certificate_file.as_ref(), reader);
    let key = file("tls.key_file", options.key_file.as_ref(), reader);
    let server_name = server_name(options.server_name.as_ref(), reader);
    let any = truth("tls.insecure_skip_verify", options.insecure_skip_verify.as_ref(), reader);
    if let Setting::Given(true, place) = any {
        warn(place, reader);
    }
    let identity = match (certificate, key) {
        (Setting::Absent, Setting::Absent) => Some(None),
        (Setting::Given(certificate, _), Setting::Given(key, _)) => Some(Some((certificate, key))),
        (Setting::Given(_, place), Setting::Absent) => half("certificate_file", "key_file", place, reader),
        (Setting::Absent, Setting::Given(_, place)) => half("key_file", "certificate_file", place, reader),
        _ => None,
    };
    let ca_file = match ca_file {
        Setting::Refused => None,
        Setting::Absent => Some(None),
        Setting::Given(file, _) => Some(Some(file)),
    };
    Some(Tls {
        ca_file: ca_file?,
        identity: identity?,
        server_name: server_name?,
        insecure_skip_verify: any.or(false)?,
    })
}

fn half<T>(has: &str, lacks: &str, place: Location, reader: &mut Reader<'_>) -> Option<T> {
    let hint = format!("write `{lacks}` beside it: a certificate is of no use without its key");
    reader.refuse(place, Refusal::new(format!("tls has a {has} and no {lacks}"), hint));
    None
}

#[expect(clippy::option_option, reason = "a wrong name is not the same as none")]
fn server_name(text: Option<&Text>, reader: &mut Reader<'_>) -> Option<Option<String>> {
    let hint = "write the name that stands in the certificate";
    let read = reader.read("tls.server_name", text, |text| match text.parse::<std::net::IpAddr>() {
        Ok(ip) => Ok(Some(ip.to_string())),
        Err(_) => name::domain(text).map(|_| Some(text.to_owned())).map_err(|no| Refusal::new(no.message, hint)),
    });
    read.or(None)
}

fn warn(place: Location, reader: &mut Reader<'_>) {
    let message = "insecure_skip_verify takes any certificate: whoever is in between can pose as this endpoint, and \
                   is sent its password";
    reader.warn(place, Refusal::new(message, "take it out, and name its authority by `ca_file`"));
}
