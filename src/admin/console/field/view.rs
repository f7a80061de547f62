//! Fields as a page shows them: filled in, with what is wrong beside.

use serde_json::{Map, Value};

use super::{Choice, Field, Group, Kind};
use crate::admin::json;
use crate::http::pages::locale::Locale;
use crate::http::problem::Violation;

/// With more to choose from than this, names are typed instead of ticked.
const MOST_BOXES: usize = 40;

/// A group as a page shows it.
pub(in crate::admin::console) struct GroupView {
    pub(in crate::admin::console) title: &'static str,
    pub(in crate::admin::console) hint: &'static str,
    pub(in crate::admin::console) fields: Vec<FieldView>,
}

/// A field as a page shows it.
pub(in crate::admin::console) struct FieldView {
    pub(in crate::admin::console) name: &'static str,
    pub(in crate::admin::console) id: String,
    pub(in crate::admin::console) label: &'static str,
    pub(in crate::admin::console) hint: &'static str,
    /// What is wrong with what was typed.
    pub(in crate::admin::console) errors: Vec<String>,
    /// What stands there by now, if that is something else.
    pub(in crate::admin::console) meanwhile: Option<String>,
    pub(in crate::admin::console) input: Input,
}

/// How it is typed.
pub(in crate::admin::console) enum Input {
    Line { value: String, is_number: bool },
    Area { value: String, rows: usize },
    Secret,
    Texts(Vec<TextView>),
    Switch { is_on: bool },
    Select(Vec<ChoiceView>),
    Boxes(Vec<ChoiceView>),
}

/// A text in one language.
pub(in crate::admin::console) struct TextView {
    pub(in crate::admin::console) tag: String,
    pub(in crate::admin::console) value: String,
}

/// Something to choose.
pub(in crate::admin::console) struct ChoiceView {
    pub(in crate::admin::console) value: String,
    pub(in crate::admin::console) label: String,
    pub(in crate::admin::console) is_chosen: bool,
}

impl Field {
    fn input(&self, value: &Value) -> Input {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let list: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        match &self.kind {
            Kind::Line => Input::Line { value: text, is_number: false },
            Kind::Paragraph => Input::Area { rows: text.lines().count().clamp(3, 12), value: text },
            Kind::Json => {
                let text = if value.is_object() { format!("{value:#}") } else { text };
                Input::Area { rows: text.lines().count().clamp(3, 12), value: text }
            }
            Kind::Secret => Input::Secret,
            Kind::Flag => {
                let choices = [("", "Not said"), ("true", "Yes"), ("false", "No")];
                let word = value.as_bool().map(|flag| flag.to_string()).unwrap_or_default();
                Input::Select(chosen(&choices.map(|(value, label)| Choice::new(value, label)), &[word.as_str()]))
            }
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

/// The groups, filled with what `typed` says. With `now`, what stands there by now is told beside.
pub(in crate::admin::console) fn views(
    groups: &[Group],
    typed: &Value,
    now: Option<&Value>,
    errors: &[Violation],
) -> Vec<GroupView> {
    let group = |group: &Group| GroupView {
        title: group.title,
        hint: group.hint,
        fields: group.fields.iter().map(|field| field.view(typed, now, errors)).collect(),
    };
    groups.iter().map(group).collect()
}

/// What is wrong and belongs to no field.
pub(in crate::admin::console) fn stray(groups: &[Group], errors: &[Violation]) -> Vec<String> {
    let is_owned = |pointer: &str| groups.iter().flat_map(|group| &group.fields).any(|field| field.owns(pointer));
    let strays = errors.iter().filter(|violation| !is_owned(&violation.pointer));
    strays.map(|violation| format!("{}: {}", violation.pointer, violation.detail)).collect()
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
pub(in crate::admin::console) fn capitalized(detail: &str) -> String {
    let mut rest = detail.chars();
    let first: String = rest.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", rest.as_str())
}
