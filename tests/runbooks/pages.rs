//! The pages that are checked, and what stands in them: fenced blocks by language, commands in sentences, links, headings.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Languages that a block may have. Of `text` and `json` nothing is to be typed.
const LANGUAGES: [&str; 5] = ["bash", "promql", "yaml", "text", "json"];

/// Programs whose calls are checked where they stand in a sentence, too.
const MENTIONED: [&str; 3] = ["netsplit ", "kubectl ", "crictl "];

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// One document.
pub(crate) struct Page {
    /// From the root of the repository, such as `docs/install.md`.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A fenced block.
pub(crate) struct Block {
    pub(crate) language: String,
    /// The number of its first line in the page, from 1.
    pub(crate) line: usize,
    /// Without the indentation of the fence.
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn read(name: &str) -> Self {
        Self { name: name.to_owned(), text: read(name) }
    }

    /// The fenced blocks. One whose language nobody knows is refused: nothing shall escape the checks by its fence.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<(Block, usize)> = None;
        for (at, line) in self.text.lines().enumerate() {
            let fence = line.trim_start().strip_prefix("```");
            match (fence, open.take()) {
                (Some(language), None) => {
                    assert!(LANGUAGES.contains(&language), "{}:{}: a block of `{language}`", self.name, at + 1);
                    let block = Block { language: language.to_owned(), line: at + 2, text: String::new() };
                    open = Some((block, line.len() - line.trim_start().len()));
                }
                (Some(_), Some((block, _))) => blocks.push(block),
                (None, Some((mut block, indent))) => {
                    block.text += line.get(indent..).unwrap_or_default();
                    block.text.push('\n');
                    open = Some((block, indent));
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block is never closed", self.name);
        blocks
    }

    /// The blocks of a language.
    pub(crate) fn blocks_of(&self, language: &str) -> Vec<Block> {
        self.blocks().into_iter().filter(|block| block.language == language).collect()
    }

    /// Everything that the page tells to type in `bash`, in its order and at its lines: what bash complains of has the
    /// number of the line in the page. Commands in sentences are marked as mentioned.
    pub(crate) fn script(&self) -> String {
        let mut lines = vec![String::new(); self.text.lines().count()];
        for block in self.blocks_of("bash") {
            for (offset, line) in block.text.lines().enumerate() {
                line.clone_into(&mut lines[block.line - 1 + offset]);
            }
        }
        for (at, line) in self.prose() {
            let spans = line.split('`').skip(1).step_by(2);
            // Two words name a command: `kubectl exec`.
            let commands = spans.filter(|span| MENTIONED.iter().any(|program| span.starts_with(program)));
            let commands = commands.filter(|span| span.starts_with("netsplit ") || span.split(' ').count() > 2);
            let commands: Vec<String> = commands.map(|span| format!("MENTIONED= {span}")).collect();
            lines[at] = commands.join("; ");
        }
        lines.join("\n") + "\n"
    }

    /// The lines outside of blocks, with their places.
    fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut is_inside = false;
        self.text.lines().enumerate().filter(move |(_, line)| {
            let is_fence = line.trim_start().starts_with("```");
            is_inside ^= is_fence;
            !is_inside && !is_fence
        })
    }

    /// The headings of a level, such as `"## "`.
    pub(crate) fn headings(&self, level: &str) -> Vec<&str> {
        self.prose().filter_map(|(_, line)| line.strip_prefix(level)).collect()
    }

    /// What it links to, but for other sites.
    fn links(&self) -> Vec<&str> {
        let prose = self.prose().flat_map(|(_, line)| line.split("](").skip(1));
        let links = prose.filter_map(|rest| rest.split(')').next());
        links.filter(|link| !link.contains("://")).collect()
    }

    /// The names that a link into the page may have behind its `#`.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose().filter(|(_, line)| line.starts_with('#'));
        let slugs = headings.map(|(_, line)| slug(line.trim_start_matches('#').trim()));
        let named = self.text.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next());
        slugs.chain(named.map(str::to_owned)).collect()
    }

    /// Links that lead nowhere.
    pub(crate) fn dead_links(&self) -> Vec<String> {
        let directory = Path::new(&self.name).parent().unwrap();
        let is_dead = |link: &&str| {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let name = if file.is_empty() { PathBuf::from(&self.name) } else { directory.join(file) };
            if !root().join(&name).exists() {
                return true;
            }
            !anchor.is_empty() && !Self::read(name.to_str().unwrap()).anchors().contains(anchor)
        };
        self.links().into_iter().filter(is_dead).map(|link| format!("{}: {link}", self.name)).collect()
    }
}

/// What GitHub calls a heading in links.
fn slug(heading: &str) -> String {
    let text = heading.to_lowercase().replace(' ', "-");
    text.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).collect()
}

/// The names of the documents in a directory.
pub(crate) fn documents(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(directory)).unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.filter_map(|name| name.into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.strip_suffix(".md").is_some()).collect();
    names.sort();
    names.into_iter().map(|name| format!("{directory}/{name}")).collect()
}

/// The pages whose commands are checked.
pub(crate) fn pages() -> Vec<Page> {
    let names = documents("docs/runbooks").into_iter().chain(["docs/install.md".to_owned()]);
    names.map(|name| Page::read(&name)).collect()
}
