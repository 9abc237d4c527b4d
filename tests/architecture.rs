//! Proves the shape of the house from its source: the core decides and does nothing, dependencies flow one way, and
//! one file reads the clock.
//!
//! The source is read as tokens, so comments, strings and the way a `use` is folded do not matter; what only exists
//! under `#[cfg(test)]` is left out. What this cannot see is a path that a macro of another crate makes, and a method
//! of a value (`.elapsed()`): the second is what `disallowed-methods` in clippy.toml is for.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

// ---------------------------------------------------------------------------------------------- the rules

/// Something that code must not name.
#[derive(Clone, Copy)]
enum Ban {
    /// Anything of this crate.
    Crate(&'static str),
    /// A path that starts like this.
    Path(&'static [&'static str]),
    /// A path with this in a row anywhere.
    Name(&'static [&'static str]),
    /// A call of this macro.
    Macro(&'static str),
}

/// What would let the core do something, or know something that its caller did not tell it.
const IMPURE: &[Ban] = &[
    Ban::Name(&["Instant"]),
    Ban::Name(&["SystemTime"]),
    Ban::Name(&["UdpSocket"]),
    Ban::Name(&["TcpStream"]),
    Ban::Name(&["TcpListener"]),
    Ban::Name(&["Mutex"]),
    Ban::Name(&["RwLock"]),
    Ban::Name(&["Condvar"]),
    Ban::Name(&["OsRng"]),
    Ban::Name(&["SysRng"]),
    Ban::Name(&["ThreadRng"]),
    Ban::Name(&["thread_rng"]),
    Ban::Name(&["from_os_rng"]),
    Ban::Name(&["thread_local"]),
    Ban::Path(&["std", "env"]),
    Ban::Path(&["std", "fs"]),
    Ban::Path(&["std", "os"]),
    Ban::Path(&["std", "process"]),
    Ban::Path(&["std", "thread"]),
    Ban::Path(&["std", "sync", "mpsc"]),
    Ban::Path(&["ring", "rand"]),
    Ban::Crate("getrandom"),
    Ban::Crate("http_body_util"),
    Ban::Crate("hyper"),
    Ban::Crate("hyper_util"),
    Ban::Crate("jiff"),
    Ban::Crate("nix"),
    Ban::Crate("rand"),
    Ban::Crate("socket2"),
    Ban::Crate("surge_ping"),
    Ban::Crate("tokio"),
    Ban::Crate("tracing"),
    Ban::Macro("print"),
    Ban::Macro("println"),
    Ban::Macro("eprint"),
    Ban::Macro("eprintln"),
    Ban::Macro("dbg"),
];

/// Collections whose order is random: the same input would not give the same output.
const UNORDERED: &[Ban] = &[Ban::Name(&["HashMap"]), Ban::Name(&["HashSet"]), Ban::Name(&["RandomState"])];

/// What reads a clock, or makes the exception that lets it be read.
const CLOCK_READS: &[Ban] = &[
    Ban::Name(&["Instant", "now"]),
    Ban::Name(&["SystemTime", "now"]),
    Ban::Name(&["Timestamp", "now"]),
    Ban::Name(&["Zoned", "now"]),
    Ban::Name(&["ClockId"]),
    Ban::Name(&["clock_gettime"]),
    Ban::Path(&["clippy", "disallowed_methods"]),
];

/// The core, and all that it may use of this crate: what is added here is held to the same rules.
const CORE: [&str; 4] = ["detector", "wire", "identity", "hlc"];

/// The core does nothing: it names nothing that could.
fn impurities(house: &House) -> Vec<String> {
    let mut found = house.named(IMPURE, File::is_core);
    found.extend(house.named(UNORDERED, |file| file.top() == "detector"));
    for (file, mention) in house.mentions().filter(|(file, _)| file.is_core()) {
        if mention.path.first().is_some_and(|root| root == "std") && mention.path.last().is_some_and(|end| end == "*") {
            found.push(mention.told(file, "hides which names it brings"));
        }
    }
    found
}

/// The core knows nobody but itself.
fn acquaintances_of_the_core(house: &House) -> Vec<String> {
    let uses = house.mentions().filter(|(file, _)| file.is_core());
    uses.filter(|(file, mention)| mention.target(file).is_some_and(|to| !CORE.contains(&to[0].as_str())))
        .map(|(file, mention)| mention.told(file, "is not of the core"))
        .collect()
}

/// What the datagram says is data for the detector: so of the detector it holds only what needs no datagram.
fn datagrams_that_know_decisions(house: &House) -> Vec<String> {
    let parts: BTreeSet<String> = house
        .files
        .iter()
        .filter(|file| file.top() == "detector")
        .filter_map(|file| file.module.get(1).cloned())
        .collect();
    let node = |to: &[String]| match to.get(1) {
        Some(part) if to[0] == "detector" && parts.contains(part) => format!("detector::{part}"),
        _ => to[0].clone(),
    };
    let mut graph = house.graph(|file| node(&file.module), |to| CORE.contains(&to[0].as_str()).then(|| node(to)));
    // `crate::detector::Name` may be anything that mod.rs passes on.
    let passes_on = parts.iter().map(|part| (format!("detector::{part}"), "src/detector/mod.rs".to_owned()));
    graph.entry("detector".to_owned()).or_default().extend(passes_on);
    cycle_through("wire", &graph).into_iter().collect()
}

/// No two modules at the top of src need each other. `detector` and `wire` count as one, the core: the rule between
/// them is [`datagrams_that_know_decisions`].
fn cycles(house: &House) -> Vec<String> {
    let node = |top: &str| if ["detector", "wire"].contains(&top) { "core" } else { top }.to_owned();
    let tops: BTreeSet<&str> = house.files.iter().map(File::top).filter(|top| !top.is_empty()).collect();
    let graph = house.graph(|file| node(file.top()), |to| tops.contains(to[0].as_str()).then(|| node(&to[0])));
    graph.keys().filter(|top| !top.is_empty()).filter_map(|top| cycle_through(top, &graph)).collect()
}

/// Only clock.rs reads time.
fn clock_reads(house: &House) -> Vec<String> {
    house.named(CLOCK_READS, |file| file.path != "src/clock.rs")
}

/// A library says what failed in a type of its own; only who talks to people may stop caring.
fn untyped_errors(house: &House) -> Vec<String> {
    house.named(&[Ban::Crate("anyhow")], |file| file.path != "src/main.rs" && file.top() != "command")
}

/// Every file opens by saying what it is.
fn files_that_do_not_introduce_themselves(house: &House) -> Vec<String> {
    let silent = house.files.iter().filter(|file| !file.introduces_itself);
    silent.map(|file| format!("{}:1: the file does not open with `//!`", file.path)).collect()
}

// ------------------------------------------------------------------------------------- reading the source

/// The source of the library and the binary, without its tests.
struct House {
    files: Vec<File>,
}

struct File {
    /// As in `src/detector/link.rs`.
    path: String,
    /// As in `detector`, `link`; empty for lib.rs and main.rs.
    module: Vec<String>,
    introduces_itself: bool,
    mentions: Vec<Mention>,
}

/// A path as the code names it. A `use` of several is several.
#[derive(Debug)]
struct Mention {
    path: Vec<String>,
    line: usize,
    place: Place,
    /// The modules inside the file around it.
    inside: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Use,
    Code,
    Macro,
}

impl House {
    fn of(sources: &[(&str, &str)]) -> Self {
        let mut files = Vec::new();
        let mut tests = Vec::new();
        for (path, text) in sources {
            let module = module_of(path);
            let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
            let mut reader = Reader::default();
            reader.read(&tokens.into_iter().collect::<Vec<_>>());
            tests.extend(reader.test_modules.iter().map(|inside| [module.as_slice(), inside].concat()));
            let introduces_itself = text.trim_start().starts_with("//!");
            files.push(File { path: (*path).to_owned(), module, introduces_itself, mentions: reader.mentions });
        }
        files.retain(|file| !tests.iter().any(|test| file.module.starts_with(test)));
        Self { files }
    }

    fn of_this_package() -> Self {
        let mut sources = Vec::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        collect(root, &root.join("src"), &mut sources);
        sources.sort();
        Self::of(&sources.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>())
    }

    fn mentions(&self) -> impl Iterator<Item = (&File, &Mention)> {
        self.files.iter().flat_map(|file| file.mentions.iter().map(move |mention| (file, mention)))
    }

    fn named(&self, bans: &[Ban], where_banned: impl Fn(&File) -> bool) -> Vec<String> {
        let here = self.mentions().filter(|(file, _)| where_banned(file));
        here.filter(|(_, mention)| bans.iter().any(|ban| ban.meets(mention)))
            .map(|(file, mention)| mention.told(file, "does not belong here"))
            .collect()
    }

    /// Who names whom, and where first. lib.rs and main.rs know everybody and are left out.
    fn graph(&self, from: impl Fn(&File) -> String, to: impl Fn(&[String]) -> Option<String>) -> Graph {
        let mut graph = Graph::new();
        for (file, mention) in self.mentions().filter(|(file, _)| !file.module.is_empty()) {
            let from = from(file);
            if let Some(to) = mention.target(file).and_then(|path| to(&path)).filter(|to| *to != from) {
                let place = format!("{}:{}", file.path, mention.line);
                graph.entry(from).or_default().entry(to).or_insert(place);
            }
        }
        graph
    }
}

fn collect(root: &Path, directory: &Path, into: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            into.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn module_of(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || ["lib", "main"].contains(&inner) {
        module.pop();
    }
    module
}

impl File {
    fn top(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    fn is_core(&self) -> bool {
        CORE.contains(&self.top())
    }
}

impl Mention {
    /// The path from the root of this crate, if it is in this crate and says so.
    fn target(&self, file: &File) -> Option<Vec<String>> {
        let mut module = [file.module.as_slice(), &self.inside].concat();
        let mut rest = self.path.as_slice();
        match rest.first()?.as_str() {
            "crate" => module.clear(),
            "self" | "super" => {}
            _ => return None,
        }
        while let Some((step @ ("crate" | "self" | "super"), after)) = rest.split_first().map(|(a, b)| (a.as_str(), b))
        {
            if step == "super" {
                module.pop();
            }
            rest = after;
        }
        module.extend_from_slice(rest);
        (!module.is_empty()).then_some(module)
    }

    fn told(&self, file: &File, what: &str) -> String {
        format!("{}:{}: `{}` {what}", file.path, self.line, self.path.join("::"))
    }
}

impl Ban {
    fn meets(self, mention: &Mention) -> bool {
        let path = &mention.path;
        match self {
            // A field or a variable may share its name with a crate.
            Self::Crate(name) => path[0] == name && (path.len() > 1 || mention.place != Place::Code),
            Self::Path(start) => path.len() >= start.len() && path.iter().zip(start).all(|(a, b)| a == b),
            Self::Name(names) => path.windows(names.len()).any(|part| part == names),
            Self::Macro(name) => mention.place == Place::Macro && path.last().is_some_and(|last| last == name),
        }
    }
}

/// Turns tokens into mentions.
#[derive(Default)]
struct Reader {
    mentions: Vec<Mention>,
    /// Modules in files of their own that exist only under test.
    test_modules: Vec<Vec<String>>,
    inside: Vec<String>,
}

impl Reader {
    fn read(&mut self, tokens: &[TokenTree]) {
        let mut at = 0;
        while at < tokens.len() {
            at = match &tokens[at] {
                _ if is_test_only(&tokens[at..]) => self.skip_item(tokens, at),
                TokenTree::Ident(word) if *word == "use" && !is_punct(tokens.get(at + 1), '<') => {
                    let end = (at..tokens.len()).find(|&end| is_punct(tokens.get(end), ';')).unwrap_or(tokens.len());
                    self.read_use(&tokens[at + 1..end], &[]);
                    end
                }
                TokenTree::Ident(word) if *word == "mod" => self.read_module(tokens, at),
                TokenTree::Ident(_) => self.read_path(tokens, at),
                TokenTree::Group(group) => {
                    self.read(&group.stream().into_iter().collect::<Vec<_>>());
                    at + 1
                }
                _ => at + 1,
            };
        }
    }

    fn read_module(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) = (tokens.get(at + 1), tokens.get(at + 2))
        else {
            return at + 1;
        };
        self.inside.push(name.to_string());
        self.read(&body.stream().into_iter().collect::<Vec<_>>());
        self.inside.pop();
        at + 3
    }

    fn read_path(&mut self, tokens: &[TokenTree], start: usize) -> usize {
        let mut path = vec![tokens[start].to_string()];
        let mut at = start + 1;
        while is_path_separator(tokens, at)
            && let Some(TokenTree::Ident(segment)) = tokens.get(at + 2)
        {
            path.push(segment.to_string());
            at += 3;
        }
        let called = is_punct(tokens.get(at), '!') && matches!(tokens.get(at + 1), Some(TokenTree::Group(_)));
        self.mention(path, &tokens[start], if called { Place::Macro } else { Place::Code });
        at
    }

    /// One tree of a `use`, without the `;`.
    fn read_use(&mut self, tokens: &[TokenTree], prefix: &[String]) {
        let mut path = prefix.to_vec();
        for token in tokens {
            match token {
                TokenTree::Ident(word) if *word == "as" => break,
                TokenTree::Ident(word) if *word == "self" && !path.is_empty() => {}
                TokenTree::Ident(segment) => path.push(segment.to_string()),
                TokenTree::Punct(star) if star.as_char() == '*' => path.push("*".to_owned()),
                TokenTree::Group(group) => {
                    let branches = group.stream().into_iter().collect::<Vec<_>>();
                    return branches
                        .split(|token| is_punct(Some(token), ','))
                        .for_each(|tree| self.read_use(tree, &path));
                }
                _ => {}
            }
        }
        if let Some(token) = tokens.first() {
            self.mention(path, token, Place::Use);
        }
    }

    fn mention(&mut self, path: Vec<String>, token: &TokenTree, place: Place) {
        let line = token.span().start().line;
        self.mentions.push(Mention { path, line, place, inside: self.inside.clone() });
    }

    /// Where the item ends whose first attribute is at `at`: behind its `;` or its braces.
    fn skip_item(&mut self, tokens: &[TokenTree], mut at: usize) -> usize {
        while is_punct(tokens.get(at), '#') {
            at += 2;
        }
        let body = tokens.get(at..).unwrap_or_default();
        let is_use = body.iter().take(3).any(|token| matches!(token, TokenTree::Ident(word) if *word == "use"));
        let ends = |token: &TokenTree| match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !is_use,
            token => is_punct(Some(token), ';'),
        };
        let length = body.iter().position(ends).map_or(body.len(), |last| last + 1);
        if let Some([TokenTree::Ident(word), TokenTree::Ident(name), end]) = body.get(length.saturating_sub(3)..length)
            && *word == "mod"
            && is_punct(Some(end), ';')
        {
            self.test_modules.push([self.inside.as_slice(), &[name.to_string()]].concat());
        }
        at + length
    }
}

fn is_punct(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(first)) if first.as_char() == ':' && first.spacing() == Spacing::Joint)
        && is_punct(tokens.get(at + 1), ':')
}

/// Whether attributes begin here of which one is `#[cfg(test)]`, `#[cfg(all(test, …))]` or `#[test]`.
fn is_test_only(tokens: &[TokenTree]) -> bool {
    tokens.chunks(2).take_while(|pair| is_punct(pair.first(), '#')).any(|pair| {
        let Some(TokenTree::Group(attribute)) = pair.get(1) else { return false };
        let text: String = attribute.stream().into_iter().map(|token| token.to_string().replace(' ', "")).collect();
        text == "test" || text == "cfg(test)" || text.starts_with("cfg(all(test,")
    })
}

// ---------------------------------------------------------------------------------------------- the cycles

/// From whom to whom, and a place where it is so.
type Graph = BTreeMap<String, BTreeMap<String, String>>;

/// The shortest way from `start` back to itself, told with its places.
fn cycle_through(start: &str, graph: &Graph) -> Option<String> {
    let mut came_from: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(here) = waiting.pop_front() {
        for (next, place) in graph.get(here).into_iter().flatten() {
            if !came_from.contains_key(next.as_str()) {
                came_from.insert(next, (here, place));
                waiting.push_back(next);
            }
        }
    }
    let mut steps = Vec::new();
    let mut here = start;
    while steps.is_empty() || here != start {
        let (before, place) = came_from.get(here)?;
        steps.push(format!("{here} ({place})"));
        here = before;
    }
    steps.push(start.to_owned());
    steps.reverse();
    Some(steps.join(" → "))
}

// ------------------------------------------------------------------------------------- the house as it is

#[track_caller]
fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn the_core_does_nothing() {
    assert_none(&impurities(&House::of_this_package()));
}

#[test]
fn the_core_knows_nobody() {
    assert_none(&acquaintances_of_the_core(&House::of_this_package()));
}

#[test]
fn the_datagram_knows_no_decision() {
    assert_none(&datagrams_that_know_decisions(&House::of_this_package()));
}

#[test]
fn no_modules_need_each_other() {
    assert_none(&cycles(&House::of_this_package()));
}

#[test]
fn only_the_clock_reads_time() {
    assert_none(&clock_reads(&House::of_this_package()));
}

#[test]
fn only_commands_have_untyped_errors() {
    assert_none(&untyped_errors(&House::of_this_package()));
}

#[test]
fn every_file_says_what_it_is() {
    assert_none(&files_that_do_not_introduce_themselves(&House::of_this_package()));
}

#[test]
fn there_is_a_core_to_look_at() {
    let house = House::of_this_package();
    for part in ["src/detector/mod.rs", "src/detector/row.rs", "src/wire/mod.rs", "src/identity.rs"] {
        assert!(house.files.iter().any(|file| file.path == part && !file.mentions.is_empty()), "{part} was not read");
    }
}

// -------------------------------------------------------------------------- the checks see what they are for

/// What `rule` finds in one file.
fn found(rule: fn(&House) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
    rule(&House::of(&[(path, text)]))
}

#[test]
fn whatever_does_something_is_reported_in_the_core() {
    for violation in [
        "use std::time::Instant;",
        "use std::time::{Duration, Instant as Clock};",
        "fn f() { let t = std::time::SystemTime::now(); }",
        "use tokio::sync::watch;",
        "use tokio;",
        "fn f() { ::tokio::spawn(async {}); }",
        "use std::{net::{SocketAddr, UdpSocket}, fmt};",
        "use std::fs;",
        "use std::thread::{self};",
        "fn f() { tracing::debug!(\"heard\"); }",
        "#[tracing::instrument] fn f() {}",
        "fn f() -> u8 { rand::rng().random() }",
        "fn f() { println!(\"{}\", 1); }",
        "fn f() { assert!(std::env::var(\"HOME\").is_ok()); }",
        "struct S { lock: std::sync::Mutex<u8> }",
        "use std::sync::{Arc, RwLock};",
        "use std::net::*;",
        "use std::collections::HashMap;",
        "mod inner { use ring::rand::SystemRandom; }",
        "#[cfg(test)] use std::fmt; use std::fs;",
        "#[cfg(test)] mod tests { use std::fmt; } use std::fs;",
        "#[cfg(not(test))] use std::fs;",
    ] {
        assert_eq!(found(impurities, "src/detector/link.rs", violation).len(), 1, "{violation}");
    }
}

#[test]
fn what_is_data_comment_string_or_test_is_not_reported_in_the_core() {
    for fine in [
        "//! Reads no std::time::Instant.\n/* tokio::spawn */ fn f() {}",
        "/// Unlike [`std::time::Instant`].\nfn f() -> &'static str { \"std::fs::read and tokio::spawn\" }",
        "use std::net::{IpAddr, SocketAddr};\nuse std::time::Duration;",
        "fn f() -> &'static str { r#\"println!(\"x\")\"# }",
        "fn f(&self) -> u8 { self.rand + self.tracing }",
        "use rand_chacha::ChaCha12Rng;",
        "#[cfg(test)]\nmod tests { use std::time::Instant; #[test] fn t() { println!(\"x\"); } }",
        "#[cfg(all(test, unix))] #[expect(dead_code)] fn f() { std::fs::read(\"x\"); }",
        "#[test] fn t() { std::fs::read(\"x\"); }",
        "fn f<'a>() -> impl Iterator<Item = &'a u8> + use<'a> { [].iter() }",
    ] {
        assert_none(&found(impurities, "src/wire/codec.rs", fine));
    }
    assert_none(&found(impurities, "src/agent.rs", "use tokio::net::UdpSocket; use std::time::Instant;"));
}

#[test]
fn a_violation_is_told_with_its_place() {
    let told = found(impurities, "src/wire.rs", "//! Bytes.\n\nuse std::{\n    fmt,\n    fs::File,\n};\n");
    assert_eq!(told, ["src/wire.rs:5: `std::fs::File` does not belong here"]);
}

#[test]
fn a_test_module_in_a_file_of_its_own_is_left_out() {
    let house = House::of(&[
        ("src/detector/mod.rs", "#[cfg(test)]\nmod tests;\nmod link;"),
        ("src/detector/tests.rs", "use std::fs;"),
        ("src/detector/tests/histories.rs", "use std::fs;"),
        ("src/detector/link.rs", "use std::fs;"),
    ]);
    assert_eq!(impurities(&house), ["src/detector/link.rs:1: `std::fs` does not belong here"]);
}

#[test]
fn the_core_is_caught_knowing_somebody() {
    for (path, text) in [
        ("src/detector/mode.rs", "use crate::{config::Config, identity::NodeId};"),
        ("src/wire/seal.rs", "fn f() { crate::clock::wall(); }"),
        ("src/wire/seal.rs", "use super::super::audit;"),
        ("src/detector/mod.rs", "use super::agent::Agent;"),
        ("src/identity.rs", "use crate::config::Config;"),
        ("src/wire.rs", "mod inner { use super::super::agent::Agent; }"),
    ] {
        assert_eq!(found(acquaintances_of_the_core, path, text).len(), 1, "{text}");
    }
    let fine = "use super::link::Link; use crate::wire::Datagram; use crate::identity::*; mod a { use super::b; }";
    assert_none(&found(acquaintances_of_the_core, "src/detector/mode.rs", fine));
}

#[test]
fn a_datagram_may_hold_data_of_the_detector_but_not_what_handles_datagrams() {
    let house = |wire: &str| {
        House::of(&[
            ("src/detector/mod.rs", "mod bits; mod row; mod link;"),
            ("src/detector/bits.rs", ""),
            ("src/detector/row.rs", "use super::bits::Bits;"),
            ("src/detector/link.rs", "use crate::wire::Datagram; use super::row::Cells;"),
            ("src/wire/datagram.rs", wire),
        ])
    };
    assert_none(&datagrams_that_know_decisions(&house("use crate::detector::row::Cells;")));
    let told = datagrams_that_know_decisions(&house("use crate::detector::link::Link;"));
    assert_eq!(told, ["wire → detector::link (src/wire/datagram.rs:1) → wire (src/detector/link.rs:1)"]);
    assert_eq!(datagrams_that_know_decisions(&house("use crate::detector::Link;")).len(), 1);
}

#[test]
fn modules_that_need_each_other_are_reported() {
    let told = cycles(&House::of(&[
        ("src/lib.rs", "pub use crate::audit::Log;"),
        ("src/agent.rs", "use crate::http;"),
        ("src/http/mod.rs", "pub mod api;"),
        ("src/http/api.rs", "use crate::agent::Agent; use crate::audit::Log;"),
        ("src/audit/mod.rs", "#[cfg(test)] mod tests { use crate::agent::Agent; }"),
    ]));
    let place = ("src/agent.rs:1", "src/http/api.rs:1");
    assert_eq!(told[0], format!("agent → http ({}) → agent ({})", place.0, place.1));
    assert_eq!(told.len(), 2, "once from each end");
}

#[test]
fn only_the_clock_may_read_time_or_make_the_exception() {
    for violation in [
        "fn f() { Instant::now(); }",
        "fn f() { tokio::time::Instant::now(); }",
        "fn f() { jiff::Timestamp::now(); }",
        "use nix::time::{ClockId, TimerFlags};",
        "#![expect(clippy::disallowed_methods, reason = \"just once\")]",
    ] {
        assert_eq!(found(clock_reads, "src/agent.rs", violation).len(), 1, "{violation}");
        assert_none(&found(clock_reads, "src/clock.rs", violation));
    }
    assert_none(&found(
        clock_reads,
        "src/agent.rs",
        "use std::time::Instant; fn f(now: Now) { now.since(Now::START); }",
    ));
}

#[test]
fn untyped_errors_are_reported_outside_of_commands() {
    let text = "fn f() -> anyhow::Result<()> { Ok(()) }";
    assert_eq!(found(untyped_errors, "src/audit/mod.rs", text).len(), 1);
    assert_none(&found(untyped_errors, "src/command/run.rs", text));
    assert_none(&found(untyped_errors, "src/main.rs", text));
}

#[test]
fn a_file_that_opens_with_code_is_reported() {
    assert_eq!(found(files_that_do_not_introduce_themselves, "src/a.rs", "// Not yet.\nfn f() {}").len(), 1);
    assert_none(&found(files_that_do_not_introduce_themselves, "src/a.rs", "//! The letter a.\nfn f() {}"));
}
