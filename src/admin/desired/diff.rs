//! How two states differ, thing by thing and member by member.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::Key;

/// What happens to a thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Step {
    /// It is made.
    Create {
        /// What it is given, beyond what every new one has.
        members: Vec<Member>,
    },
    /// Members of it change.
    Change {
        /// Which.
        members: Vec<Member>,
    },
    /// It is taken away: it stood in the document that was applied last, and does no more.
    Delete,
    /// It gets the secret of its file.
    Secret,
}

/// A member that changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Member {
    /// Its name, with those above it.
    pub name: String,
    /// What is there; absent: nothing.
    pub from: Option<Value>,
    /// What shall be there; absent: nothing.
    pub to: Option<Value>,
    /// Whether the document says what it said the last time, so that somebody else changed it.
    pub is_drift: bool,
}

/// The steps from `actual` to `desired`, when `applied` was desired the last time. What neither of the two documents names
/// is nobody's concern. `new` is a thing of that kind to which nobody gave anything.
pub(super) fn steps(
    desired: &BTreeMap<Key, Value>,
    actual: &BTreeMap<Key, Value>,
    applied: &BTreeMap<Key, Value>,
    new: impl Fn(&Key) -> Value,
) -> Vec<(Key, Step)> {
    let mut steps = Vec::new();
    for (key, to) in desired {
        match actual.get(key) {
            None => {
                let mut members = Vec::new();
                compare("", Some(&new(key)), Some(to), None, &mut members);
                let members = members.into_iter().map(|member| Member { from: None, ..member }).collect();
                steps.push((key.clone(), Step::Create { members }));
            }
            Some(from) if from == to => {}
            Some(from) => {
                let mut members = Vec::new();
                compare("", Some(from), Some(to), applied.get(key), &mut members);
                steps.push((key.clone(), Step::Change { members }));
            }
        }
    }
    let gone = applied.keys().filter(|key| !desired.contains_key(*key) && actual.contains_key(*key));
    steps.extend(gone.map(|key| (key.clone(), Step::Delete)));
    steps
}

fn compare(name: &str, from: Option<&Value>, to: Option<&Value>, applied: Option<&Value>, members: &mut Vec<Member>) {
    if from == to {
        return;
    }
    if let (Some(Value::Object(from)), Some(Value::Object(to))) = (from, to) {
        let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
        for member in names {
            let path = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
            compare(&path, from.get(member), to.get(member), applied.and_then(|object| object.get(member)), members);
        }
        return;
    }
    let is_drift = applied.is_some() && applied == to;
    members.push(Member { name: name.to_owned(), from: from.cloned(), to: to.cloned(), is_drift });
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        write!(f, "{}: {} -> {}", self.name, text(&self.from), text(&self.to))?;
        if self.is_drift {
            f.write_str("   (drift: changed by somebody else since the last apply)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::id::ClientId;

    fn state(pairs: &[(&str, Value)]) -> BTreeMap<Key, Value> {
        pairs.iter().map(|(id, value)| (Key::client(&ClientId::new(*id)), value.clone())).collect()
    }

    #[test]
    fn what_neither_document_names_is_left_alone() {
        let actual = state(&[("theirs", json!({})), ("gone", json!({})), ("same", json!({"a": 1}))]);
        let desired = state(&[("same", json!({"a": 1})), ("new", json!({}))]);
        let applied = state(&[("gone", json!({})), ("never", json!({}))]);
        let steps = steps(&desired, &actual, &applied, |_| json!({}));
        let steps: Vec<_> = steps.into_iter().map(|(key, step)| (key.id, step)).collect();
        let made = Step::Create { members: Vec::new() };
        assert_eq!(steps, [("new".to_owned(), made), ("gone".to_owned(), Step::Delete)]);
    }

    #[test]
    fn a_new_thing_tells_what_it_is_given() {
        let desired = state(&[("a", json!({"x": 1, "y": [2], "deep": {"z": null, "w": true}}))]);
        let new = |_: &Key| json!({"x": 1, "y": [], "deep": {"z": null, "w": false}});
        let [(_, Step::Create { members })] = &steps(&desired, &state(&[]), &state(&[]), new)[..] else {
            panic!("one new thing")
        };
        let told: Vec<_> = members.iter().map(|member| (member.name.as_str(), member.from.clone())).collect();
        assert_eq!(told, [("deep.w", None), ("y", None)]);
    }

    #[test]
    fn a_member_that_somebody_else_changed_is_drift_and_one_of_the_document_is_not() {
        let applied = state(&[("a", json!({"x": 1, "deep": {"y": 1}}))]);
        let actual = state(&[("a", json!({"x": 2, "deep": {"y": 1}}))]);
        let desired = state(&[("a", json!({"x": 1, "deep": {"y": 3}}))]);
        let [(_, Step::Change { members })] = &steps(&desired, &actual, &applied, |_| json!({}))[..] else {
            panic!("one change")
        };
        let found: Vec<_> = members.iter().map(|member| (member.name.as_str(), member.is_drift)).collect();
        assert_eq!(found, [("deep.y", false), ("x", true)]);
    }
}
