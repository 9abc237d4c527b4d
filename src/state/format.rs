//! A state as bytes: a line of JSON that says all of it, and a line with the SHA-256 of the first.
//!
//! Both lines are for `cat` and `jq`; only this file reads them. What was altered anywhere, or cut off anywhere, does not
//! read back: a state is whole or it is lost.

#![deny(clippy::indexing_slicing, clippy::as_conversions, clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Write as _;
use std::io;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::detector::saved::Saved;

/// The version of the format. To be raised whenever a state of before would no longer be read, or read as something
/// else.
const VERSION: u64 = 1;

/// Whose state it is. That of another node or cluster is of no use, and worse: its electorate could elect here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// The cluster.
    pub cluster: String,
    /// The node.
    pub node: String,
}

/// Why a file is no state of this agent.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// The system does not give it out.
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
    /// It is larger than any state.
    #[error("it is larger than any state")]
    TooLarge,
    /// It does not end as a state does.
    #[error("it was cut off, or is something else")]
    Torn,
    /// Its checksum is another.
    #[error("its checksum is wrong: it was altered")]
    Altered,
    /// It was written by another version of netsplit.
    #[error("it has version {0} of the format, and this netsplit knows version {VERSION}")]
    Version(u64),
    /// It belongs to somebody else.
    #[error("it is that of node {node} in cluster {cluster}")]
    SomebodyElses {
        /// The cluster in it.
        cluster: String,
        /// The node in it.
        node: String,
    },
    /// It says what no state says.
    #[error("its content is no state: {0}")]
    Malformed(serde_json::Error),
}

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    cluster: &'a str,
    node: &'a str,
    state: &'a Saved,
}

#[derive(Deserialize)]
struct Heading {
    version: u64,
    cluster: String,
    node: String,
}

#[derive(Deserialize)]
struct Body {
    state: Saved,
}

/// The bytes of a state.
pub fn encode(whose: &Whose, state: &Saved) -> io::Result<Vec<u8>> {
    let Whose { cluster, node } = whose;
    let mut bytes = serde_json::to_vec(&Written { version: VERSION, cluster, node, state })?;
    let seal = seal_of(&bytes);
    bytes.extend_from_slice(seal.as_bytes());
    Ok(bytes)
}

/// The state in these bytes, if they are one of `whose`.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn decode(whose: &Whose, bytes: &[u8]) -> Result<Saved, Flaw> {
    let seal_size = seal_of(&[]).len();
    let content = bytes.len().checked_sub(seal_size).and_then(|at| bytes.split_at_checked(at));
    let (content, seal) = content.filter(|(_, seal)| seal.starts_with(b"\n{")).ok_or(Flaw::Torn)?;
    if seal != seal_of(content).as_bytes() {
        return Err(Flaw::Altered);
    }
    let Heading { version, cluster, node } = serde_json::from_slice(content).map_err(Flaw::Malformed)?;
    if version != VERSION {
        return Err(Flaw::Version(version));
    }
    if (&cluster, &node) != (&whose.cluster, &whose.node) {
        return Err(Flaw::SomebodyElses { cluster, node });
    }
    serde_json::from_slice(content).map(|Body { state }| state).map_err(Flaw::Malformed)
}

/// What follows the first line: its end, and the second line.
fn seal_of(content: &[u8]) -> String {
    let mut seal = String::from("\n{\"sha256\":\"");
    for byte in digest(&SHA256, content).as_ref() {
        // Into a String nothing fails.
        let _ = write!(seal, "{byte:02x}");
    }
    seal.push_str("\"}\n");
    seal
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detector::electorate::{Elector, Electorate, Floor};
    use crate::detector::mode::Mode;
    use crate::detector::saved::{Micros, SavedNode, SavedStop};
    use crate::identity::{Epoch, Incarnation, NodeId};

    pub(crate) fn whose() -> Whose {
        Whose { cluster: "production".into(), node: "node-1".into() }
    }

    /// A state with something of everything.
    pub(crate) fn some_state(incarnation: u64) -> Saved {
        let node = SavedNode {
            name: "node-2".into(),
            zone: "east".into(),
            address: "[fd00::2]:7475".parse().unwrap(),
            host: Some("10.0.0.2".parse().unwrap()),
            http_port: Some(7476),
            heard: Some(Micros(9)),
        };
        let electors = vec![Elector { id: NodeId(u64::MAX), stamp: 3, removed: true }];
        Saved {
            epoch: Epoch(7),
            incarnation: Incarnation(incarnation),
            roster: vec![node],
            electorates: vec![Electorate::of(electors, Floor { stamp: 1, members: 2 })],
            stopped: Some(SavedStop { mode: Mode::Normal, at: Micros(10) }),
        }
    }

    /// The file of a state of version 1, as every later version that keeps the number must read it. If this fails,
    /// `Saved` has changed: either let old files be read (`#[serde(default)]`), or raise the version.
    const VERSION_1: &str = concat!(
        r#"{"version":1,"cluster":"production","node":"node-1","state":{"epoch":7,"incarnation":11,"roster":[{"name":"node-2","zone":"east","address":"[fd00::2]:7475","host":"10.0.0.2","http_port":7476,"heard":9}],"electorates":[{"electors":[{"id":"ffffffffffffffff","stamp":3,"removed":true}],"floor":{"stamp":1,"members":2}}],"stopped":{"mode":"normal","at":10}}}"#,
        "\n",
        r#"{"sha256":"SEAL"}"#,
        "\n"
    );

    #[test]
    fn a_file_of_version_1_is_read() {
        let seal = seal_of(VERSION_1.lines().next().unwrap().as_bytes());
        let file = VERSION_1.replace("\n{\"sha256\":\"SEAL\"}\n", &seal);
        assert_eq!(decode(&whose(), file.as_bytes()).unwrap(), some_state(11));
    }

    #[test]
    fn a_state_reads_back_as_it_was() {
        for state in [Saved::default(), some_state(1), some_state(u64::MAX)] {
            assert_eq!(decode(&whose(), &encode(&whose(), &state).unwrap()).unwrap(), state);
        }
    }

    #[test]
    fn a_state_of_another_cluster_or_node_is_not_ours() {
        for (cluster, node) in [("production", "node-2"), ("staging", "node-1")] {
            let other = Whose { cluster: cluster.into(), node: node.into() };
            let bytes = encode(&other, &some_state(1)).unwrap();
            assert!(matches!(decode(&whose(), &bytes), Err(Flaw::SomebodyElses { .. })));
        }
    }

    #[test]
    fn a_state_of_another_version_says_which() {
        let bytes = encode(&whose(), &some_state(1)).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let content = text.lines().next().unwrap().replace("\"version\":1", "\"version\":2");
        let later = format!("{content}{}", seal_of(content.as_bytes()));
        assert!(matches!(decode(&whose(), later.as_bytes()), Err(Flaw::Version(2))));
    }

    #[test]
    fn a_state_that_was_cut_off_anywhere_is_lost() {
        let bytes = encode(&whose(), &some_state(1)).unwrap();
        for length in 0..bytes.len() {
            assert!(decode(&whose(), &bytes[..length]).is_err(), "{length} bytes of it");
        }
    }

    #[test]
    fn a_bit_that_flipped_anywhere_is_noticed() {
        let bytes = encode(&whose(), &some_state(1)).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&whose(), &bytes).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(decode(&whose(), &bytes).is_err());
        }

        #[test]
        fn no_content_with_a_right_checksum_makes_it_panic(
            content in "(\\{|\\}|\\[|\\]|,|:|\"(version|cluster|node|state|epoch|incarnation|roster|production|node-1)\"|[0-9]{1,20}|-1|null|\\PC){0,40}"
        ) {
            let sealed = format!("{content}{}", seal_of(content.as_bytes()));
            let _ = decode(&whose(), sealed.as_bytes());
        }

        #[test]
        fn a_state_with_a_patch_is_lost_even_if_only_its_end_was_torn(
            at in any::<prop::sample::Index>(),
            patch in proptest::collection::vec(any::<u8>(), 1..64),
        ) {
            let bytes = encode(&whose(), &some_state(1)).unwrap();
            let at = at.index(bytes.len());
            let mut patched = bytes.clone();
            patched.splice(at..(at + patch.len()).min(bytes.len()), patch);
            prop_assert_eq!(decode(&whose(), &patched).is_ok(), patched == bytes);
        }
    }
}
