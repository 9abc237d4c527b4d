//! Entity tags (RFC 9110, section 8.8): what an asker has, and whether that still holds.

use hyper::HeaderMap;
use hyper::header::{HeaderValue, IF_NONE_MATCH};
use serde::Serialize;

use crate::identity::Hash;

/// The tag of an answer: another one when something changed that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag(String);

impl Tag {
    /// The tag of an answer of which this matters.
    pub(super) fn of(matters: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(matters).unwrap_or_default();
        Self(format!("\"{:016x}\"", u64::from_be_bytes(Hash::new().field(&bytes).first())))
    }

    pub(super) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("\"\""))
    }
}

/// What an asker has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Had {
    /// It did not say.
    Nothing,
    /// Whatever there is: `*`.
    Anything,
    /// Answers of these tags.
    Tagged(Vec<String>),
}

impl Had {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let tags: Vec<String> = values
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/").to_owned())
            .filter(|tag| !tag.is_empty())
            .collect();
        match tags.as_slice() {
            [] => Self::Nothing,
            tags if tags.iter().any(|tag| tag == "*") => Self::Anything,
            _ => Self::Tagged(tags),
        }
    }

    /// Whether the answer of this tag is among what the asker has.
    pub(super) fn has(&self, tag: &Tag) -> bool {
        match self {
            Self::Nothing => false,
            Self::Anything => true,
            Self::Tagged(tags) => tags.contains(&tag.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn had(value: &'static str) -> Had {
        Had::of(&[(IF_NONE_MATCH, HeaderValue::from_static(value))].into_iter().collect())
    }

    #[test]
    fn equal_answers_have_equal_tags_and_others_have_others() {
        assert_eq!(Tag::of(&("normal", 3)), Tag::of(&("normal", 3)));
        assert_ne!(Tag::of(&("normal", 3)), Tag::of(&("normal", 2)));
    }

    #[test]
    fn what_an_asker_has_is_compared_weakly_as_the_rfc_wants_it() {
        let tag = Tag("\"a\"".to_owned());
        for (value, has) in
            [("\"a\"", true), ("W/\"a\"", true), ("\"b\", \"a\"", true), ("*", true), ("\"b\"", false), ("", false)]
        {
            assert_eq!(had(value).has(&tag), has, "{value}");
        }
        assert!(!Had::of(&HeaderMap::new()).has(&tag));
    }
}
