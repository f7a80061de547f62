//! Fields of forms. A form is a list of [`Field`]s: what it shows comes from a JSON document and what was typed becomes one,
//! so that the API's own operations judge it and the violations that they name find their fields by their pointers.

// Fields as a page shows them.
pub(super) mod view;

use serde_json::{Map, Value};

use crate::http::problem::Problem;
use crate::model::authorization_details::AuthorizationDetailsType;
use crate::model::catalog::{Resource, Scope};
use crate::protocol::form::Form;

/// Fields that belong together.
pub(super) struct Group {
    /// What they are about.
    pub(super) title: &'static str,
    /// What is to be known of them.
    pub(super) hint: &'static str,
    /// The fields.
    pub(super) fields: Vec<Field>,
}

/// One member of a document.
pub(super) struct Field {
    /// Its JSON pointer without the first slash.
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    kind: Kind,
}

/// What can be typed.
pub(super) enum Kind {
    /// A text, or nothing.
    Line,
    /// A list, one thing on each line.
    Lines,
    /// A text of several lines, or nothing.
    Paragraph,
    /// A JSON document, or nothing.
    Json,
    /// What is never shown again: what was typed is typed anew.
    Secret,
    /// A text in several languages.
    Texts,
    /// Yes, no, or not said.
    Flag,
    /// Yes or no.
    Switch,
    /// A number, or nothing.
    Number,
    /// One word of these; the empty one stands for nothing.
    Choice(Vec<Choice>),
    /// Some of these.
    Several(Vec<Choice>),
}

/// Something to choose.
#[derive(Clone)]
pub(super) struct Choice {
    value: String,
    label: String,
}

impl Choice {
    pub(super) fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into() }
    }

    /// A scope.
    pub(super) fn scope(scope: &Scope) -> Self {
        let sentence = scope.description.get("en").map(|text| format!(" – {text}")).unwrap_or_default();
        Self::new(&scope.name, format!("{}{sentence}", scope.name))
    }

    /// A type of authorization details.
    pub(super) fn details_type(known: &AuthorizationDetailsType) -> Self {
        let label = known.name.get("en").map(|name| format!("{name} – {}", known.name_of_type));
        Self::new(&known.name_of_type, label.unwrap_or_else(|| known.name_of_type.clone()))
    }

    /// A resource.
    pub(super) fn resource(resource: &Resource) -> Self {
        let uri = resource.uri.as_str();
        let label = resource.name.get("en").map_or_else(|| uri.to_owned(), |name| format!("{name} – {uri}"));
        Self::new(uri, label)
    }
}

impl Field {
    pub(super) fn new(name: &'static str, label: &'static str, hint: &'static str, kind: Kind) -> Self {
        Self { name, label, hint, kind }
    }

    fn pointer(&self) -> String {
        format!("/{}", self.name)
    }

    /// Whether a violation at `pointer` is one of this field.
    fn owns(&self, pointer: &str) -> bool {
        pointer.strip_prefix(&self.pointer()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn read(&self, form: &Form) -> Result<Value, Problem> {
        let one = || Ok::<_, Problem>(form.one(self.name)?.map(str::trim).filter(|text| !text.is_empty()));
        let text = |text: Option<&str>| text.map_or(Value::Null, Value::from);
        Ok(match &self.kind {
            Kind::Line | Kind::Choice(_) => text(one()?),
            // Browsers send both characters for the end of a line.
            Kind::Paragraph => one()?.map_or(Value::Null, |text| text.replace("\r\n", "\n").into()),
            // What is no JSON stays a text, and is refused as one.
            Kind::Json => one()?.map_or(Value::Null, |text| serde_json::from_str(text).unwrap_or_else(|_| text.into())),
            // Blanks are part of it.
            Kind::Secret => text(form.one(self.name)?),
            Kind::Flag => match one()? {
                Some("true") => Value::Bool(true),
                Some("false") => Value::Bool(false),
                _ => Value::Null,
            },
            Kind::Switch => Value::Bool(form.has(self.name)),
            // What is no number stays a text, and is refused as one.
            Kind::Number => one()?.map_or(Value::Null, |text| text.parse::<u64>().map_or(text.into(), Value::from)),
            Kind::Lines | Kind::Several(_) => {
                let lines = form.all(self.name).flat_map(str::lines).map(str::trim);
                lines.filter(|line| !line.is_empty()).map(Value::from).collect()
            }
            Kind::Texts => {
                let mut texts = Map::new();
                for name in form.all(&format!("{}.tags", self.name)) {
                    let typed = form.one(&format!("{}.{name}", self.name))?.map(str::trim);
                    texts.insert(name.to_owned(), text(typed.filter(|text| !text.is_empty())));
                }
                Value::Object(texts)
            }
        })
    }
}

/// What was typed, as a merge patch: what was left empty is null.
pub(super) fn read(groups: &[Group], form: &Form) -> Result<Map<String, Value>, Problem> {
    let mut typed = Map::new();
    for field in groups.iter().flat_map(|group| &group.fields) {
        let mut value = field.read(form)?;
        let mut segments: Vec<&str> = field.name.split('/').collect();
        while segments.len() > 1 {
            let last = segments.pop().unwrap_or_default();
            value = Value::Object([(last.to_owned(), value)].into_iter().collect());
        }
        let patch = [(segments.concat(), value)].into_iter().collect();
        typed = merged(typed, patch);
    }
    Ok(typed)
}

/// The pointers of the secrets that were not typed.
pub(super) fn missing_secrets<'a>(groups: &'a [Group], form: &'a Form) -> impl Iterator<Item = String> + 'a {
    let fields = groups.iter().flat_map(|group| &group.fields);
    fields.filter(|field| matches!(field.kind, Kind::Secret) && !form.has(field.name)).map(Field::pointer)
}

/// Keeps nulls, which a merge patch takes for removals.
fn merged(mut target: Map<String, Value>, patch: Map<String, Value>) -> Map<String, Value> {
    for (name, value) in patch {
        let value = match (target.remove(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => Value::Object(merged(old, new)),
            (_, value) => value,
        };
        target.insert(name, value);
    }
    target
}
