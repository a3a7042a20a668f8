//! A page as a browser's parser reads it.

use html5ever::{parse_document, tendril::TendrilSink as _};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// An element with its attributes.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    /// Names of the elements around it, outermost first.
    pub(crate) within: Vec<String>,
    /// Its text and that of what is in it.
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|(key, _)| key.as_str())
    }
}

/// All elements of a page, and what its parser complained about.
pub(crate) struct Document {
    pub(crate) errors: Vec<String>,
    pub(crate) elements: Vec<Element>,
}

impl Document {
    pub(crate) fn parse(html: &str) -> Self {
        let dom = parse_document(RcDom::default(), html5ever::ParseOpts::default()).one(html);
        let mut elements = Vec::new();
        collect(&dom.document, &[], &mut elements);
        let errors = dom
            .errors
            .borrow()
            .iter()
            .map(ToString::to_string)
            .collect();
        Self { errors, elements }
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&Element> {
        self.elements
            .iter()
            .filter(|element| element.name == name)
            .collect()
    }

    pub(crate) fn with_id(&self, id: &str) -> bool {
        self.elements
            .iter()
            .any(|element| element.get("id") == Some(id))
    }

    /// Where the page leads to or takes things from, forms among them.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let found = self.elements.iter().flat_map(|element| {
            ["href", "src", "action"]
                .into_iter()
                .filter_map(|key| element.get(key))
        });
        found.map(ToOwned::to_owned).collect()
    }
}

fn collect(node: &Handle, within: &[String], elements: &mut Vec<Element>) {
    let mut inside = within.to_vec();
    if let NodeData::Element { name, attrs, .. } = &node.data {
        let attributes = attrs.borrow();
        elements.push(Element {
            name: name.local.to_string(),
            attributes: attributes
                .iter()
                .map(|one| (one.name.local.to_string(), one.value.to_string()))
                .collect(),
            within: inside.clone(),
            text: text(node),
        });
        inside.push(name.local.to_string());
    }
    for child in node.children.borrow().iter() {
        collect(child, &inside, elements);
    }
}

fn text(node: &Handle) -> String {
    match &node.data {
        NodeData::Text { contents } => contents.borrow().to_string(),
        _ => node.children.borrow().iter().map(text).collect(),
    }
}
