//! What the answers for IPv4 and for IPv6 come to, together.
//!
//! An answer has to be whole, since the nodes that are missing from it may be removed. So the addresses of one family
//! count only if the other family has an answer too, be it that there are none. Where that was SERVFAIL or silence, the
//! other half of the cluster may just not be known: then the round has failed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::super::{Answer, Cause, Failure};
use crate::detector::Listing;

/// What was found of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// These addresses, for so long.
    Addresses {
        /// As the server sent them.
        addresses: Vec<IpAddr>,
        /// The least time to live of all records on the way.
        good_for: Duration,
    },
    /// For certain: nothing.
    Nothing(Lack),
    /// It is not known.
    Failed(Failure),
}

/// Why there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// The name has no records of this family.
    NoRecords,
    /// The name does not exist.
    NoSuchName,
}

/// The answer of all families that were asked for, or why there is none.
pub(super) fn judge(families: impl IntoIterator<Item = Found>, port: u16) -> Result<Answer, Failure> {
    let (mut found, mut good_for, mut lacks) = (Vec::new(), Duration::MAX, Vec::new());
    for family in families {
        match family {
            Found::Addresses { addresses, good_for: so_long } => {
                found.extend(addresses.into_iter().map(|address| address.to_canonical()));
                good_for = good_for.min(so_long);
            }
            Found::Nothing(lack) => lacks.push(lack),
            Found::Failed(failure) => return Err(failure),
        }
    }
    let published = found.len();
    found.retain(|&address| could_be_an_agent(address));
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return Err(nobody(published, &lacks));
    }
    let addresses = found.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    Ok(Answer { listing: Listing::of_addresses(addresses), good_for })
}

fn nobody(published: usize, lacks: &[Lack]) -> Failure {
    if published > 0 {
        return Failure::new(Cause::Empty, format!("none of the {published} addresses can be that of an agent"));
    }
    if lacks.iter().all(|&lack| lack == Lack::NoSuchName) {
        return Failure::new(Cause::NotFound, "the name does not exist");
    }
    Failure::new(Cause::Empty, "the name has no addresses")
}

/// Not nobody's, a group's or everybody's address.
fn could_be_an_agent(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !is_broadcast
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(addresses: &[&str], seconds: u64) -> Found {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Found::Addresses { addresses, good_for: Duration::from_secs(seconds) }
    }

    fn failed(cause: Cause) -> Found {
        Found::Failed(Failure::new(cause, "so"))
    }

    fn cause(families: [Found; 2]) -> Cause {
        judge(families, 7475).unwrap_err().cause
    }

    fn addresses(families: [Found; 2]) -> Vec<String> {
        judge(families, 7475).unwrap().listing.addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn both_families_are_one_list_for_the_shorter_of_their_times() {
        let answer = judge([found(&["10.0.0.2", "10.0.0.1", "10.0.0.2"], 60), found(&["fd00::1"], 20)], 7000).unwrap();
        assert_eq!(answer.good_for, Duration::from_secs(20));
        let expected = ["10.0.0.1:7000", "10.0.0.2:7000", "[fd00::1]:7000"].map(|address| address.parse().unwrap());
        assert_eq!(answer.listing.addresses, expected);
    }

    #[test]
    fn a_family_that_has_nothing_for_certain_does_not_hide_the_other() {
        for lack in [Lack::NoRecords, Lack::NoSuchName] {
            assert_eq!(addresses([found(&["10.0.0.1"], 60), Found::Nothing(lack)]), ["10.0.0.1:7475"]);
            assert_eq!(addresses([Found::Nothing(lack), found(&["fd00::1"], 60)]), ["[fd00::1]:7475"]);
        }
    }

    #[test]
    fn half_an_answer_is_none() {
        for half in [Cause::ServerFailure, Cause::Timeout, Cause::Truncated] {
            assert_eq!(cause([found(&["10.0.0.1"], 60), failed(half)]), half);
            assert_eq!(cause([failed(half), found(&["fd00::1"], 60)]), half);
            assert_eq!(cause([failed(half), Found::Nothing(Lack::NoSuchName)]), half);
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_told_from_one_without_addresses() {
        let nothing = Found::Nothing;
        assert_eq!(cause([nothing(Lack::NoSuchName), nothing(Lack::NoSuchName)]), Cause::NotFound);
        assert_eq!(cause([nothing(Lack::NoRecords), nothing(Lack::NoRecords)]), Cause::Empty);
        assert_eq!(cause([nothing(Lack::NoRecords), nothing(Lack::NoSuchName)]), Cause::Empty);
    }

    #[test]
    fn what_cannot_be_an_agent_is_left_out() {
        let odd = ["0.0.0.0", "224.0.0.1", "255.255.255.255", "10.0.0.1"];
        assert_eq!(
            addresses([found(&odd, 60), found(&["::", "ff02::1", "::ffff:10.0.0.2"], 60)]),
            ["10.0.0.1:7475", "10.0.0.2:7475"]
        );
        assert_eq!(cause([found(&["0.0.0.0"], 60), Found::Nothing(Lack::NoRecords)]), Cause::Empty);
    }
}
