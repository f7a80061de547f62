//! Fields of forms. A form is a list of [`Field`]s: what it shows comes from a JSON document and what was typed becomes one,
//! so that the API's own operations judge it and the violations that they name find their fields by their pointers.

use serde_json::{Map, Value};

use crate::admin::json;
use crate::http::pages::locale::Locale;
use crate::http::problem::{Problem, Violation};
use crate::model::catalog::{Resource, Scope};
use crate::protocol::form::Form;

/// With more to choose from than this, names are typed instead of ticked.
const MOST_BOXES: usize = 40;

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
    /// A text in several languages.
    Texts,
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

/// A group as a page shows it.
pub(super) struct GroupView {
    pub(super) title: &'static str,
    pub(super) hint: &'static str,
    pub(super) fields: Vec<FieldView>,
}

/// A field as a page shows it.
pub(super) struct FieldView {
    pub(super) name: &'static str,
    pub(super) id: String,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    /// What is wrong with what was typed.
    pub(super) errors: Vec<String>,
    /// What stands there by now, if that is something else.
    pub(super) meanwhile: Option<String>,
    pub(super) input: Input,
}

/// How it is typed.
pub(super) enum Input {
    Line { value: String, is_number: bool },
    Area { value: String, rows: usize },
    Texts(Vec<TextView>),
    Switch { is_on: bool },
    Select(Vec<ChoiceView>),
    Boxes(Vec<ChoiceView>),
}

/// A text in one language.
pub(super) struct TextView {
    pub(super) tag: String,
    pub(super) value: String,
}

/// Something to choose.
pub(super) struct ChoiceView {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) is_chosen: bool,
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

    fn input(&self, value: &Value) -> Input {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let list: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        match &self.kind {
            Kind::Line => Input::Line { value: text, is_number: false },
            Kind::Number => Input::Line { value: text, is_number: true },
            Kind::Switch => Input::Switch { is_on: value.as_bool().unwrap_or_default() },
            Kind::Choice(choices) => Input::Select(chosen(choices, &[text.as_str()])),
            Kind::Several(choices) if choices.len() <= MOST_BOXES => {
                // What stands there comes first and in its order, so that a form that was only looked at changes nothing.
                let find = |name: &&str| choices.iter().find(|choice| choice.value == **name).cloned();
                let own = list.iter().map(|name| find(name).unwrap_or_else(|| Choice::new(*name, *name)));
                let others = choices.iter().filter(|choice| !list.contains(&choice.value.as_str())).cloned();
                Input::Boxes(chosen(&own.chain(others).collect::<Vec<_>>(), &list))
            }
            Kind::Lines | Kind::Several(_) => Input::Area { rows: list.len().clamp(2, 12), value: list.join("\n") },
            Kind::Texts => {
                let texts = value.as_object();
                let own = texts.into_iter().flatten().map(|(tag, _)| tag.as_str());
                let spoken = Locale::ALL.map(Locale::tag);
                let others = own.filter(|tag| !spoken.contains(tag));
                let view = |tag: &str| TextView {
                    tag: tag.to_owned(),
                    value: value.get(tag).and_then(Value::as_str).unwrap_or_default().to_owned(),
                };
                Input::Texts(spoken.into_iter().chain(others).map(view).collect())
            }
        }
    }

    fn view(&self, typed: &Value, now: Option<&Value>, violations: &[Violation]) -> FieldView {
        let value = typed.pointer(&self.pointer()).unwrap_or(&Value::Null);
        let now = now.map(|now| now.pointer(&self.pointer()).unwrap_or(&Value::Null));
        let own = violations.iter().filter(|violation| self.owns(&violation.pointer));
        FieldView {
            name: self.name,
            id: self.name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"),
            label: self.label,
            hint: self.hint,
            errors: own.map(|violation| self.sentence(violation, value)).collect(),
            meanwhile: now.filter(|now| !is_same(now, value)).map(words),
            input: self.input(value),
        }
    }

    /// What is wrong, for a person: which line, and what a number is.
    fn sentence(&self, violation: &Violation, value: &Value) -> String {
        let detail = &violation.detail;
        if matches!(self.kind, Kind::Number) && value.is_string() {
            return "It must be a whole number.".to_owned();
        }
        let line = violation.pointer.strip_prefix(&self.pointer()).and_then(|rest| rest.strip_prefix('/'));
        match line.and_then(|line| line.parse::<usize>().ok()) {
            Some(index) if matches!(self.kind, Kind::Lines) => format!("Line {}: {detail}.", index + 1),
            Some(index) => {
                let name = value.get(index).and_then(Value::as_str).unwrap_or_default();
                format!("{name}: {detail}.")
            }
            None => capitalized(detail),
        }
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

/// The groups, filled with what `typed` says. With `now`, what stands there by now is told beside.
pub(super) fn views(groups: &[Group], typed: &Value, now: Option<&Value>, errors: &[Violation]) -> Vec<GroupView> {
    let group = |group: &Group| GroupView {
        title: group.title,
        hint: group.hint,
        fields: group.fields.iter().map(|field| field.view(typed, now, errors)).collect(),
    };
    groups.iter().map(group).collect()
}

/// What is wrong and belongs to no field.
pub(super) fn stray(groups: &[Group], errors: &[Violation]) -> Vec<String> {
    let is_owned = |pointer: &str| groups.iter().flat_map(|group| &group.fields).any(|field| field.owns(pointer));
    let strays = errors.iter().filter(|violation| !is_owned(&violation.pointer));
    strays.map(|violation| format!("{}: {}", violation.pointer, violation.detail)).collect()
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

fn chosen(choices: &[Choice], values: &[&str]) -> Vec<ChoiceView> {
    let view = |choice: &Choice| ChoiceView {
        value: choice.value.clone(),
        label: choice.label.clone(),
        is_chosen: values.contains(&choice.value.as_str()),
    };
    choices.iter().map(view).collect()
}

/// Nothing, no text at all and an empty list are the same on a page.
fn is_same(one: &Value, other: &Value) -> bool {
    let plain = |value: &Value| match value {
        Value::Object(object) => Value::Object(json::merge(Map::new(), object.clone())),
        Value::Array(list) if list.is_empty() => Value::Null,
        other => other.clone(),
    };
    let (one, other) = (plain(one), plain(other));
    one == other || words(&one) == words(&other)
}

/// A value in words.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "nothing".to_owned(),
        Value::Array(list) => list.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(object) if object.is_empty() => "nothing".to_owned(),
        Value::Object(object) => {
            object.iter().map(|(tag, text)| format!("{} ({tag})", words(text))).collect::<Vec<_>>().join(", ")
        }
    }
}

/// A detail as a sentence.
pub(super) fn capitalized(detail: &str) -> String {
    let mut rest = detail.chars();
    let first: String = rest.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", rest.as_str())
}
