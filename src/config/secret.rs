//! Secrets that stand in a configuration, where none belongs: an error shows the line that is wrong, and must not show them.

/// What shows that something was left out.
const LEFT_OUT: char = '…';

/// Keys behind which a secret would stand.
const NAMES: [&str; 9] =
    ["password", "passwd", "token", "secret", "authorization", "cookie", "api_key", "apikey", "api-key"];

/// From how many hex digits in a row on they are taken for a key, though one has [`crate::keys::KEY_DIGITS`]: some may be
/// missing, or mistyped.
const DIGITS: usize = 32;

/// The line up to the first secret that can be seen in it.
pub(super) fn without_secrets(line: &str) -> String {
    let end = [user_in_url(line), login(line), named(line), key(line)].into_iter().flatten().min();
    match end.and_then(|end| line.get(..end)) {
        Some(harmless) => format!("{harmless}{LEFT_OUT}"),
        None => line.to_owned(),
    }
}

/// Where the user name of a URL begins. A password may have been written with any character in it, so that the whole
/// word counts.
fn user_in_url(line: &str) -> Option<usize> {
    let mut begin = 0;
    while let Some(found) = line.get(begin..).and_then(|rest| rest.find("://")) {
        begin += found + "://".len();
        let rest = line.get(begin..)?;
        let word = rest.split([' ', '\t', '"', '\'']).next().unwrap_or_default();
        if word.contains('@') {
            return Some(begin);
        }
    }
    None
}

/// Where a word begins that is a name, a password and a host: `me:secret@db`.
fn login(line: &str) -> Option<usize> {
    let mut begin = 0;
    for word in line.split_inclusive([' ', '\t', '"', '\'']) {
        if word.split_once(':').is_some_and(|(_, rest)| rest.contains('@')) && !word.contains("://") {
            return Some(begin);
        }
        begin += word.len();
    }
    None
}

/// Where the value of a key begins that is named like a secret. `password_file` is not: its value is a path.
fn named(line: &str) -> Option<usize> {
    let lowercase = line.to_ascii_lowercase();
    let of = |name: &str| {
        let mut ends = lowercase.match_indices(name).map(|(begin, name)| begin + name.len());
        ends.find_map(|end| {
            let rest = line.get(end..)?;
            let value = rest.trim_start_matches(['"', '\'', ' ']).strip_prefix(':')?.trim_start();
            (!value.is_empty()).then(|| line.len() - value.len())
        })
    };
    NAMES.iter().filter_map(|name| of(name)).min()
}

/// Where a key of the cluster begins, or what is left of one, mistyped or not. Beside a `/` it is the name of a file.
pub(super) fn key(text: &str) -> Option<usize> {
    let mut begin = 0;
    for word in text.split_inclusive(|sign: char| !sign.is_ascii_alphanumeric() && sign != '/') {
        let digits = word.chars().filter(char::is_ascii_hexdigit).count();
        if digits >= DIGITS && digits * 8 >= word.len() * 7 && !word.contains('/') {
            return Some(begin);
        }
        begin += word.len();
    }
    None
}

/// Whether a key is named like a secret.
pub(super) fn is_secret(key: &str) -> bool {
    NAMES.contains(&key.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_ends_before_its_first_secret() {
        for (line, shown) in [
            ("url: \"http://me:hunter2@db/\"", "url: \"http://…"),
            ("url: http://me:hun/ter2@db/", "url: http://…"),
            ("a: http://b, c: http://me@d", "a: http://b, c: http://…"),
            ("{address: \"me:hunter2@db:1\"}", "{address: \"…"),
            ("{name: db, password: hunter2}", "{name: db, password: …"),
            ("  Password: \"hunter2\"", "  Password: …"),
            ("authentication: [0123456789ABCDEF0123456789abcdef]", "authentication: […"),
            ("authentication: {key: 0123456789O123456789abcdef0123456789abcdef}", "authentication: {key: …"),
            ("headers: {\"Authorization\": \"Bearer x\"}", "headers: {\"Authorization\": …"),
        ] {
            assert_eq!(without_secrets(line), shown);
        }
    }

    #[test]
    fn a_line_without_a_secret_is_shown_whole() {
        for line in [
            "",
            "url: \"http://db/a\"",
            "{username: me, password_file: /run/password}",
            "password:",
            "keys: /run/0123456789abcdef0123456789abcdef",
            "keys: 0123456789abcdef0123456789abcdef/keys",
            "token_file: /var/run/token",
            "é: ü",
        ] {
            assert_eq!(without_secrets(line), line);
        }
    }

    proptest! {
        #[test]
        fn looking_for_secrets_never_panics(line in "(://|@|password|:|é|İ|\\PC){0,20}") {
            let _ = without_secrets(&line);
        }
    }
}
