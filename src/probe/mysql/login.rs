//! The greeting of a server, and the answer to it: who we are, and the proof by each plugin that is known here.
//!
//! Whatever happens, the server gets an answer that is one: who leaves before it is counted against the host
//! (`max_connect_errors`), and a host that is blocked is blocked for everybody on it.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use super::packet::{Fields, Packets};
use crate::detector::outcome::Cause;
use crate::probe::report::Fault;
use crate::probe::stream::Stream;
use crate::probe::words::words;

// Capability flags, as MySQL's protocol documentation has them.
const LONG_PASSWORD: u32 = 1;
const CONNECT_WITH_DATABASE: u32 = 1 << 3;
const PROTOCOL_41: u32 = 1 << 9;
const TLS: u32 = 1 << 11;
const TRANSACTIONS: u32 = 1 << 13;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTHENTICATION: u32 = 1 << 19;
const CONNECTION_ATTRIBUTES: u32 = 1 << 20;

const NATIVE: &str = "mysql_native_password";
const CACHING_SHA2: &str = "caching_sha2_password";
const CLEAR: &str = "mysql_clear_password";

/// Who this is, for `performance_schema.session_connect_attrs`: the length of all, then each name and value after its own.
const ATTRIBUTES: &[u8] = b"\x16\x0cprogram_name\x08netsplit";

/// utf8mb4: the names are ours.
const CHARACTERS: u8 = 45;

/// The largest packet that we would take.
const LARGEST: u32 = 64 * 1024;

/// A login needs four packets at most; a server that sends more keeps us busy for as long as it likes.
const MOST: usize = 8;

/// Who logs in.
pub(super) struct User<'a> {
    pub(super) name: &'a str,
    /// Empty: none.
    pub(super) password: &'a str,
    /// Empty: none.
    pub(super) database: &'a str,
}

/// What the server says of itself first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) version: String,
    capabilities: u32,
    salt: Vec<u8>,
    plugin: String,
}

impl Greeting {
    /// Version 10 of the handshake, which every server since MySQL 4.1 speaks.
    pub(super) fn read(packet: &[u8]) -> Result<Self, Fault> {
        let greeting = Self::fields(Fields(packet)).filter(|greeting| greeting.capabilities & PROTOCOL_41 != 0);
        greeting.ok_or_else(|| Fault::protocol("it does not greet as MySQL does since 4.1"))
    }

    fn fields(mut fields: Fields<'_>) -> Option<Self> {
        if fields.u8()? != 10 {
            return None;
        }
        let version = String::from_utf8_lossy(fields.until_zero()?).into_owned();
        // The number of its thread.
        fields.take(4)?;
        let mut salt = fields.take(8)?.to_vec();
        fields.take(1)?;
        let low = fields.u16()?;
        // The character set and the state.
        fields.take(3)?;
        let capabilities = u32::from(low) | u32::from(fields.u16()?) << 16;
        // The length of the salt, which is always the same, and what is reserved.
        fields.take(11)?;
        salt.extend_from_slice(fields.take(12)?);
        fields.take(1)?;
        let plugin = fields.until_zero().map_or(NATIVE.into(), String::from_utf8_lossy).into_owned();
        Some(Self { version, capabilities, salt, plugin })
    }

    pub(super) fn offers_tls(&self) -> bool {
        self.capabilities & TLS != 0
    }

    /// Asks to go on with TLS.
    pub(super) async fn ask_for_tls(&self, packets: &mut Packets, user: &User<'_>) -> Result<(), Fault> {
        packets.say(&self.head(user, true)).await
    }

    /// How every answer begins. With TLS it is said twice, and some servers believe the first.
    fn head(&self, user: &User<'_>, tls: bool) -> Vec<u8> {
        let mut flags = LONG_PASSWORD | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION;
        flags |= self.capabilities & (PLUGIN_AUTHENTICATION | CONNECTION_ATTRIBUTES);
        flags |= if tls { TLS } else { 0 };
        flags |= if user.database.is_empty() { 0 } else { CONNECT_WITH_DATABASE };
        [&flags.to_le_bytes()[..], &LARGEST.to_le_bytes(), &[CHARACTERS], &[0; 23]].concat()
    }

    fn response(&self, user: &User<'_>, tls: bool) -> Result<Vec<u8>, Fault> {
        if user.name.contains('\0') || user.database.contains('\0') {
            return Err(Fault::local("a name has a zero byte in it"));
        }
        let plugin = if self.plugin == CACHING_SHA2 { CACHING_SHA2 } else { NATIVE };
        let proof = proof(plugin, user.password, &self.salt);
        let length = u8::try_from(proof.len()).map_err(|error| Fault::local(error.to_string()))?;
        let mut response = self.head(user, tls);
        response.extend_from_slice(user.name.as_bytes());
        response.extend_from_slice(&[0, length]);
        response.extend_from_slice(&proof);
        if !user.database.is_empty() {
            response.extend_from_slice(user.database.as_bytes());
            response.push(0);
        }
        response.extend_from_slice(plugin.as_bytes());
        response.push(0);
        if self.capabilities & CONNECTION_ATTRIBUTES != 0 {
            response.extend_from_slice(ATTRIBUTES);
        }
        Ok(response)
    }

    /// Logs in. A server that wants what is not known here gets an answer all the same, and its refusal is waited for.
    pub(super) async fn log_in(&self, packets: &mut Packets, user: &User<'_>) -> Result<(), Fault> {
        let secure = matches!(packets.stream, Stream::Secure(_));
        packets.say(&self.response(user, secure)?).await?;
        let mut unable = None;
        for _ in 0..MOST {
            let packet = packets.next().await?;
            let answer = match packet.split_first() {
                Some((0x00, _)) => return Ok(()),
                Some((0xff, _)) => return Err(unable.unwrap_or_else(|| super::refusal(&packet))),
                Some((0xfe, switch)) => switched(switch, user, secure),
                // The cache knew the password: OK follows.
                Some((0x01, [3])) => continue,
                Some((0x01, [4])) if secure => Ok(in_clear(user)),
                Some((0x01, [4])) => {
                    Err("it does not have the password in its cache, and wants it, which is said over TLS only"
                        .to_owned())
                }
                _ => return Err(Fault::protocol("the answer to the login is not one of MySQL")),
            };
            let answer = answer.unwrap_or_else(|why| {
                unable = Some(Fault::new(Cause::Auth, why));
                vec![0]
            });
            packets.say(&answer).await?;
        }
        Err(Fault::protocol("the login does not end"))
    }
}

/// The proof for another plugin, or why there is none. A request that names no plugin is for the passwords of before 4.1.
fn switched(switch: &[u8], user: &User<'_>, secure: bool) -> Result<Vec<u8>, String> {
    let mut fields = Fields(switch);
    let plugin = fields.until_zero().unwrap_or(b"mysql_old_password");
    let salt = fields.0.strip_suffix(b"\0").unwrap_or(fields.0);
    match std::str::from_utf8(plugin) {
        Ok(plugin @ (NATIVE | CACHING_SHA2)) => Ok(proof(plugin, user.password, salt)),
        Ok(CLEAR) if secure => Ok(in_clear(user)),
        Ok(CLEAR) => Err("it wants the password in clear text, which is said over TLS only".to_owned()),
        _ => Err(format!("it wants a proof of identity by {}, which is not known here", words(plugin))),
    }
}

fn in_clear(user: &User<'_>) -> Vec<u8> {
    [user.password.as_bytes(), b"\0"].concat()
}

/// The proof that one knows the password; nothing where there is none.
fn proof(plugin: &str, password: &str, salt: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    if plugin == CACHING_SHA2 {
        let once = digest(&SHA256, password.as_bytes());
        let twice = digest(&SHA256, once.as_ref());
        return xor(once.as_ref(), digest(&SHA256, &[twice.as_ref(), salt].concat()).as_ref());
    }
    let once = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let twice = digest(&SHA1_FOR_LEGACY_USE_ONLY, once.as_ref());
    xor(once.as_ref(), digest(&SHA1_FOR_LEGACY_USE_ONLY, &[salt, twice.as_ref()].concat()).as_ref())
}

fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Protocol::HandshakeV10` in MySQL's protocol documentation: a greeting of MySQL 5.5.2.
    const GREETING: &[u8] = b"\x0a5.5.2-m2\0\x0b\0\0\0\x64\x76\x48\x40\x49\x2d\x43\x4a\0\xff\xf7\x08\x02\0\
        \0\0\0\0\0\0\0\0\0\0\0\0\0\x2a\x34\x64\x7c\x63\x5a\x77\x6b\x34\x5e\x5d\x3a\0";

    #[test]
    fn a_greeting_is_read() {
        assert_eq!(GREETING.len(), 0x36, "as the documentation has it");
        let greeting = Greeting::read(GREETING).unwrap();
        assert_eq!(greeting.version, "5.5.2-m2");
        assert_eq!(greeting.salt, b"dvH@I-CJ*4d|cZwk4^]:");
        assert_eq!((greeting.plugin.as_str(), greeting.offers_tls()), (NATIVE, false));
    }

    // The vectors of the test of github.com/go-sql-driver/mysql.
    #[test]
    fn a_password_is_proved_by_sha256() {
        let salt = [10, 47, 74, 111, 75, 73, 34, 48, 88, 76, 114, 74, 37, 13, 3, 80, 82, 2, 23, 21];
        let expected = [0xf490_e76f_66d9_d866_u64, 0x65ce_54d9_8c78_d0ac, 0xfe2f_b0b0_8b42_3da8, 0x0714_4873_d30b_312c];
        let expected: Vec<u8> = expected.iter().flat_map(|part| part.to_be_bytes()).collect();
        assert_eq!(proof(CACHING_SHA2, "secret", &salt), expected);
        assert!(proof(CACHING_SHA2, "", &salt).is_empty());
    }

    #[test]
    fn a_greeting_that_is_cut_short_is_none() {
        for length in 0..GREETING.len() {
            assert!(Greeting::read(&GREETING[..length]).is_err(), "{length}");
        }
        assert!(Greeting::read(b"SSH-2.0-OpenSSH_10.0\r\n").is_err());
    }
}
