//! The little XML that refusals need: elements that hold either a text or other elements.

/// An element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    name: &'static str,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Text(String),
    Elements(Vec<Element>),
}

impl Element {
    /// One with a text.
    pub(crate) fn text(name: &'static str, text: &str) -> Element {
        Element { name, content: Content::Text(escaped(text)) }
    }

    /// One with others in it, or empty.
    pub(crate) fn of(name: &'static str, elements: Vec<Element>) -> Element {
        Element { name, content: Content::Elements(elements) }
    }

    /// A document of which it is the root, laid out as the published examples are.
    pub(crate) fn document(&self) -> String {
        let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned();
        self.write(&mut text, "");
        text
    }

    fn write(&self, text: &mut String, indent: &str) {
        let Element { name, content } = self;
        let written = match content {
            Content::Elements(elements) if elements.is_empty() => format!("{indent}<{name}/>\n"),
            Content::Text(content) => format!("{indent}<{name}>{content}</{name}>\n"),
            Content::Elements(elements) => {
                let deeper = format!("{indent}  ");
                text.push_str(&format!("{indent}<{name}>\n"));
                elements.iter().for_each(|element| element.write(text, &deeper));
                format!("{indent}</{name}>\n")
            }
        };
        text.push_str(&written);
    }
}

/// A text that is safe between two tags; what no XML may hold is replaced.
///
/// Source: XML 1.0, sections 2.2 and 2.4.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\r' => safe.push_str("&#13;"),
            '\t' | '\n' => safe.push(one),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            one if one.is_ascii_control() && one != '\u{7f}' => safe.push('\u{fffd}'),
            one => safe.push(one),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stand_safely_between_tags() {
        let check = |text: &str, expected: &str| {
            let document = Element::of("a", vec![Element::text("b", text)]).document();
            let whole = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>\n  <b>{expected}</b>\n</a>\n"
            );
            assert_eq!(document, whole, "{text}");
        };
        check("plain", "plain");
        check("", "");
        check("a < b & c > d", "a &lt; b &amp; c &gt; d");
        check("</b><c/>", "&lt;/b&gt;&lt;c/&gt;");
        check("]]>", "]]&gt;");
        check("&amp;", "&amp;amp;");
        check("bell\u{7} nul\0", "bell\u{fffd} nul\u{fffd}");
        check("\u{ffff}", "\u{fffd}");
        check("line\r\nend", "line&#13;\nend");
        check("žluťoučký 电话", "žluťoučký 电话");
    }

    #[test]
    fn an_element_without_others_is_one_tag() {
        let document = Element::of("a", vec![Element::of("b", Vec::new())]).document();
        assert_eq!(document, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>\n  <b/>\n</a>\n");
    }
}
