//! XML read strictly into a small tree.

use anyhow::{Context, bail};
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// An element with its attributes, its children, and its own text without theirs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Element>,
    pub(super) text: String,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// How deep elements may be nested; TwiML needs three.
const MAX_DEPTH: usize = 16;

/// Reads a document with one root. An error is what Twilio calls a document parse failure.
pub(super) fn parse(xml: &str) -> anyhow::Result<Element> {
    if let Some(c) = xml.chars().find(|&c| !is_xml_char(c)) {
        bail!("the character U+{:04X} is not allowed in XML", u32::from(c));
    }
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().context("not well-formed")? {
            Event::Start(start) => {
                if open.len() == MAX_DEPTH {
                    bail!("nested too deep");
                }
                open.push(element(&start)?);
            }
            Event::Empty(start) => close(element(&start)?, &mut open, &mut root)?,
            Event::End(_) => {
                let closed = open.pop().context("an end without a start")?;
                close(closed, &mut open, &mut root)?;
            }
            Event::Text(text) => add_text(&text.xml10_content(), &mut open)?,
            Event::CData(text) => add_text(&text.xml10_content(), &mut open)?,
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref().context("a bad reference")? {
                    Some(c) if is_xml_char(c) => c,
                    Some(_) => bail!("a reference to a character that XML does not allow"),
                    None => match quick_xml::escape::resolve_predefined_entity(&reference) {
                        Some(text) => text.chars().next().unwrap_or_default(),
                        None => bail!("the entity &{}; is not known", &*reference),
                    },
                };
                add_text(resolved.encode_utf8(&mut [0; 4]), &mut open)?;
            }
            Event::DocType(_) => bail!("a DOCTYPE"),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    if !open.is_empty() {
        bail!("an element is not closed");
    }
    root.context("there is no element")
}

fn element(start: &BytesStart<'_>) -> anyhow::Result<Element> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.context("a bad attribute")?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.context("a bad attribute value")?.into_owned();
        if value.chars().any(|c| !is_xml_char(c)) {
            bail!("a reference to a character that XML does not allow");
        }
        attributes.push((attribute.key.as_ref().to_owned(), value));
    }
    Ok(Element {
        name: start.name().as_ref().to_owned(),
        attributes,
        ..Element::default()
    })
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) -> anyhow::Result<()> {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_none() => *root = Some(element),
        None => bail!("more than one root"),
    }
    Ok(())
}

fn add_text(text: &str, open: &mut [Element]) -> anyhow::Result<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => bail!("text outside of the root"),
    }
    Ok(())
}

fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_a_tree() {
        let root =
            parse("<?xml version=\"1.0\"?>\n<A b='1 &lt; 2'><C>x &amp; &#x79;<![CDATA[ & z]]></C><D/></A>")
                .unwrap();
        assert_eq!(root.attribute("b"), Some("1 < 2"));
        assert_eq!(root.children[0].text, "x & y & z");
        assert_eq!(root.children[1].name, "D");
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for xml in [
            "",
            "words",
            "<A>",
            "<A></B>",
            "<A/><B/>",
            "<A/>words",
            "<A b=1/>",
            "<A b='1' b='2'/>",
            "<A>&nbsp;</A>",
            "<A>a & b</A>",
            "<A b='a & b'/>",
            "<A>\u{1}</A>",
            "<A>&#1;</A>",
            "<A b='&#1;'/>",
            "<!DOCTYPE A><A/>",
        ] {
            assert!(parse(xml).is_err(), "{xml}");
        }
    }
}
