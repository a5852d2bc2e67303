//! What a page names.

use std::fs;

use crate::repository::in_root;

/// Prefixes of the environment variables that are ours.
const VARIABLES: [&str; 3] = ["QDN_", "TWILIO_", "SLACK_"];

/// One page for contributors.
pub(crate) struct Page {
    name: String,
    text: String,
}

impl Page {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Page {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What stands in backticks, without code blocks.
    pub(crate) fn spans(&self) -> Vec<String> {
        let prose: Vec<&str> = self.text.split("```").step_by(2).collect();
        spans(&prose.concat())
    }

    /// What stands in backticks, and each line of a code block without its comment.
    pub(crate) fn code(&self) -> Vec<String> {
        let blocks = self.text.split("```").skip(1).step_by(2);
        let lines = blocks.flat_map(str::lines);
        let lines = lines.filter_map(|line| line.split(" # ").next());
        let lines = lines.map(str::to_owned);
        self.spans().into_iter().chain(lines).collect()
    }

    pub(crate) fn variables(&self) -> Vec<String> {
        let mut words = words_of(&self.text);
        words.retain(|word| VARIABLES.iter().any(|prefix| word.starts_with(prefix)));
        words
    }

    /// The targets of links that are no file, or no heading of this page.
    pub(crate) fn broken_links(&self) -> Vec<String> {
        let links = self.text.split("](").skip(1);
        let targets = links.filter_map(|rest| rest.split(')').next());
        let file = in_root(&self.name);
        let is_broken = |target: &&str| {
            let (path, anchor) = target.split_once('#').unwrap_or((*target, ""));
            let path = match path {
                "" => file.clone(),
                path => file.with_file_name(path),
            };
            let text = if path == file {
                Some(self.text.clone())
            } else {
                fs::read_to_string(path).ok()
            };
            text.is_none_or(|text| !anchor.is_empty() && !anchors(&text).any(|it| it == anchor))
        };
        targets
            .filter(|target| !target.contains("://"))
            .filter(is_broken)
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn section(&self, heading: &str) -> &str {
        let rest = self.text.split_once(&format!("\n## {heading}\n"));
        rest.unwrap().1.split("\n## ").next().unwrap()
    }

    /// The names in backticks behind the word `Table` or `Tables`.
    pub(crate) fn named_tables(&self) -> Vec<String> {
        let text = self.text.replace("Tables `", "Table `");
        let mut named = Vec::new();
        for list in text.split("Table `").skip(1) {
            let names = list.split('`').step_by(2);
            let gaps = list.split('`').skip(1).step_by(2);
            let is_table = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let mut follows = true;
            for (name, gap) in names.zip(gaps) {
                if !follows || !is_table(name) {
                    break;
                }
                named.push(name.to_owned());
                follows = gap.trim() == ",";
            }
        }
        named
    }
}

/// What stands in backticks, on one line.
pub(crate) fn spans(text: &str) -> Vec<String> {
    let parts: Vec<&str> = text.split('`').collect();
    assert!(parts.len() % 2 == 1, "a backtick without another: {text}");
    let spans = parts.into_iter().skip(1).step_by(2);
    let one_line = |span: &str| span.split_whitespace().collect::<Vec<_>>().join(" ");
    spans.map(one_line).collect()
}

/// Whether the words in backticks are a name of the code, such as `Tx::commit`, `to_texts` or `CallEvent`.
pub(crate) fn is_name(span: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_.:()".contains(c);
    let has_humps = span.chars().filter(char::is_ascii_uppercase).count() > 1
        && span.chars().any(|c| c.is_ascii_lowercase());
    span.chars().all(is_part) && (span.contains("::") || span.contains('_') || has_humps)
}

/// The words of letters, digits and `_`.
pub(crate) fn words_of(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// The anchors that GitHub gives to the headings of a page.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    })
}
