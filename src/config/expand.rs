//! `${NAME}`, `${NAME:-default}` and `$$` in one value. Works on values after parsing, so that no variable can add a key;
//! what a variable brings in is not looked at again.

use super::environment::Environment;
use super::error::Refusal;

/// Replaces every `${NAME}` in `text`.
///
/// `${NAME:-default}` takes the default, as it stands, where the variable is unset or empty; `$$` is one dollar.
///
/// # Errors
/// A variable that is unset and has no default, or a dollar that begins none of the three.
pub fn expand(text: &str, environment: &Environment) -> Result<String, Refusal> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let (inside, after) = after.split_once('}').ok_or_else(unclosed)?;
            out.push_str(reference(inside, environment)?);
            rest = after;
        } else {
            return Err(Refusal::new(
                "has a lone `$`",
                "write `${NAME}` for an environment variable, or `$$` for a dollar",
            ));
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn reference<'a>(inside: &'a str, environment: &'a Environment) -> Result<&'a str, Refusal> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_name(name) {
        return Err(not_a_name(inside));
    }
    if default.is_some_and(|default| default.contains("${")) {
        let hint = "a default is taken as it stands: set the variable where netsplit is started instead";
        return Err(Refusal::new(format!("has a variable inside the default of `{name}`"), hint));
    }
    match (environment.variable(name), default) {
        (None | Some(""), Some(default)) => Ok(default),
        (Some(value), _) => Ok(value),
        (None, None) => Err(unset(name)),
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn unset(name: &str) -> Refusal {
    let message = format!("takes the environment variable {name}, which is not set");
    Refusal::new(message, format!("set {name} where netsplit is started, or write a default: `${{{name}:-value}}`"))
}

fn unclosed() -> Refusal {
    Refusal::new("has a `${` without its `}`", "write `${NAME}` for an environment variable, or `$$` for a dollar")
}

fn not_a_name(inside: &str) -> Refusal {
    let message = format!("has `${{{inside}}}`, which names no environment variable");
    Refusal::new(message, "write `${NAME}` or `${NAME:-default}`; a name is made of letters, digits and `_`")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expanded(text: &str) -> Result<String, Refusal> {
        expand(text, &Environment::of([("NODE_NAME", "node-1"), ("EMPTY", ""), ("TRICK", "${NODE_NAME}")]))
    }

    #[test]
    fn a_variable_is_replaced_wherever_it_stands() {
        assert_eq!(expanded("a-${NODE_NAME}-b-${NODE_NAME}").unwrap(), "a-node-1-b-node-1");
    }

    #[test]
    fn a_default_stands_in_for_a_variable_that_is_unset_or_empty() {
        assert_eq!(expanded("${NOPE:-x:-y}${EMPTY:-z}${NODE_NAME:-w}").unwrap(), "x:-yznode-1");
        assert_eq!(expanded("${NOPE:-}").unwrap(), "");
    }

    #[test]
    fn a_variable_that_is_set_to_nothing_is_nothing() {
        assert_eq!(expanded("[${EMPTY}]").unwrap(), "[]");
    }

    #[test]
    fn two_dollars_are_one() {
        assert_eq!(expanded("$$5 $${NODE_NAME} $$$$").unwrap(), "$5 ${NODE_NAME} $$");
    }

    #[test]
    fn what_a_variable_brings_in_is_not_looked_at_again() {
        assert_eq!(expanded("${TRICK}").unwrap(), "${NODE_NAME}");
    }

    #[test]
    fn what_names_no_variable_is_refused() {
        for bad in ["${NOPE}", "$NODE_NAME", "${NODE_NAME", "${}", "${1A}", "${A B}", "${A:-${B}}", "5$"] {
            assert!(expanded(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn expansion_never_panics(text in "([$]|[{]|[}]|:-|NODE_NAME|é|\\PC){0,20}") {
            let _ = expanded(&text);
        }

        #[test]
        fn a_text_with_its_dollars_doubled_comes_back(text in "\\PC{0,30}") {
            prop_assert_eq!(expanded(&text.replace('$', "$$")).unwrap(), text);
        }
    }
}
