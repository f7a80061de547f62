//! Reading and merging the sources.
//!
//! 1. The defaults, written out, are the tree of every key that there is.
//! 2. The file and then the variables are put over it leaf by leaf, each tried by itself, so that one bad value neither
//!    hides another nor an unknown key.
//! 3. The merged tree becomes a [`Config`], and what must hold between settings is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::environment::{VARIABLES, Variable, is_secret};
use super::{Config, ConfigError, ConfigErrors, validate};

/// Where settings come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file of `--config`, which must exist; absent: `.env.yaml` in `directory`, if it is there.
    pub file: Option<PathBuf>,
    /// The folder where `.env.yaml` and a misplaced `.env` are looked for.
    pub directory: PathBuf,
    /// The environment.
    pub environment: BTreeMap<String, String>,
}

impl Sources {
    /// The sources of this process.
    pub fn from_process(file: Option<PathBuf>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file, directory: PathBuf::from("."), environment }
    }
}

/// Reads every source and checks the result; every error at once.
pub fn load(sources: &Sources) -> Result<Config, ConfigErrors> {
    match examine(sources) {
        (Some(config), errors) if errors.is_empty() => Ok(config),
        (_, errors) => Err(ConfigErrors(errors)),
    }
}

/// The same for whoever goes on to look for more that is wrong: the settings with what could be read of them, and the errors.
pub fn examine(sources: &Sources) -> (Option<Config>, Vec<ConfigError>) {
    let mut merge = Merge::new();
    merge.refuse_dotenv(&sources.directory);
    if let Some(text) = merge.read_settings_file(sources) {
        merge.put_file(&text);
    }
    for variable in VARIABLES {
        merge.put_variable(variable, &sources.environment);
    }
    merge.finish()
}

struct Merge {
    defaults: Value,
    merged: Value,
    refused: BTreeSet<String>,
    errors: Vec<ConfigError>,
}

impl Merge {
    fn new() -> Self {
        let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
        Self { merged: defaults.clone(), defaults, refused: BTreeSet::new(), errors: Vec::new() }
    }

    fn error(&mut self, key: impl Into<String>, problem: impl Into<String>, mend: impl Into<String>) {
        self.errors.push(ConfigError::new(key, problem, mend));
    }

    /// A `.env` file looks as if it were read and is not: half of a configuration would be missing without a word.
    fn refuse_dotenv(&mut self, directory: &Path) {
        let Ok(text) = std::fs::read_to_string(directory.join(".env")) else { return };
        let names = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim());
        let renames: Vec<_> = names
            .map(|name| name.strip_prefix("export ").unwrap_or(name))
            .filter_map(|name| VARIABLES.iter().find(|variable| variable.name == name))
            .map(|variable| format!("{} becomes {}", variable.name, variable.key))
            .collect();
        let lines =
            if renames.is_empty() { "see .env.yaml.example for the keys".to_owned() } else { renames.join(", ") };
        self.error(
            ".env",
            "a `.env` file is not read",
            format!("rename it, `mv .env .env.yaml`, and write its settings as YAML: {lines}"),
        );
    }

    fn read_settings_file(&mut self, sources: &Sources) -> Option<String> {
        let path = sources.file.clone().unwrap_or_else(|| sources.directory.join(".env.yaml"));
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && sources.file.is_none() => None,
            Err(error) => {
                self.error(
                    path.display().to_string(),
                    format!("cannot be read: {error}"),
                    "name a readable UTF-8 file with --config, or start from .env.yaml.example",
                );
                None
            }
        }
    }

    fn put_file(&mut self, text: &str) {
        let parsed = serde_yaml_ng::from_str::<serde_yaml_ng::Value>(text)
            .map_err(|error| match error.location() {
                // The message of a syntax error may repeat a secret, its place cannot.
                Some(place) => format!("is not YAML at line {}, column {}", place.line(), place.column()),
                None => "is not YAML: a key is there twice, perhaps".to_owned(),
            })
            .and_then(|yaml| serde_json::to_value(yaml).map_err(|_| "has keys that are not text".to_owned()));
        match parsed {
            Ok(Value::Null) => {}
            Ok(Value::Object(sections)) => sections.into_iter().for_each(|(name, keys)| self.put_section(&name, keys)),
            Ok(_) => self.error("settings file", "is not a mapping of sections", "start from .env.yaml.example"),
            Err(problem) => self.error("settings file", problem, "mend the syntax; .env.yaml.example shows it"),
        }
    }

    fn put_section(&mut self, name: &str, keys: Value) {
        let Some(known) = self.defaults.get(name).and_then(Value::as_object) else {
            let mend = format!("remove it; the sections are {}", names_of(self.defaults.as_object()));
            return self.error(name, "is not a section", mend);
        };
        let known_names = names_of(Some(known));
        match keys {
            Value::Null => {}
            Value::Object(keys) => {
                for (key, value) in keys {
                    let path = format!("{name}.{key}");
                    if self.defaults.pointer(&pointer(&path)).is_none() {
                        self.error(path, "is not a setting", format!("remove it; the keys here are {known_names}"));
                    } else if !value.is_null() {
                        self.put(&path, &path, [value]);
                    }
                }
            }
            _ => self.error(name, "is not a mapping", format!("write its keys below it; they are {known_names}")),
        }
    }

    fn put_variable(&mut self, variable: &Variable, environment: &BTreeMap<String, String>) {
        let find = |name: &str| environment.get(name).filter(|text| !text.is_empty());
        let file_name = format!("{}_FILE", variable.name);
        let direct = find(variable.name).cloned();
        let file = if variable.is_secret { find(&file_name) } else { None };
        let text = match (direct, file) {
            (None, None) => return,
            (Some(_), Some(_)) => {
                let problem = format!("both {} and {file_name} are set", variable.name);
                return self.error(variable.name, problem, "unset one of them");
            }
            (Some(text), None) => text,
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => text.trim_end().to_owned(),
                Err(error) => {
                    let problem = format!("the file it names cannot be read: {error}");
                    self.refused.insert(variable.key.to_owned());
                    return self.error(file_name, problem, "name a file that this account may read");
                }
            },
        };
        let source = format!("{} ({})", variable.name, variable.key);
        if self.defaults.pointer(&pointer(variable.key)).is_some_and(Value::is_array) {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            self.put(variable.key, &source, [Value::from_iter(items)]);
        } else {
            let number = text.parse::<i64>().ok().map(Value::from);
            let boolean = text.parse::<bool>().ok().map(Value::from);
            self.put(variable.key, &source, [Some(Value::from(text)), number, boolean].into_iter().flatten());
        }
    }

    /// Puts the first reading of a value that its setting takes.
    fn put(&mut self, key: &str, source: &str, readings: impl IntoIterator<Item = Value>) {
        let mut problem = None;
        for reading in readings {
            let mut trial = self.defaults.clone();
            set(&mut trial, key, reading.clone());
            match serde_json::from_value::<Config>(trial) {
                Ok(_) => return set(&mut self.merged, key, reading),
                Err(error) => problem = problem.or(Some(error.to_string())),
            }
        }
        let problem = problem.filter(|_| !is_secret(key)).unwrap_or_else(|| "is not a text".to_owned());
        self.refused.insert(key.to_owned());
        self.error(source, problem, format!("write `{key}` as .env.yaml.example shows"));
    }

    fn finish(mut self) -> (Option<Config>, Vec<ConfigError>) {
        match serde_json::from_value::<Config>(self.merged) {
            Ok(config) => {
                let found = validate(&config).into_iter().filter(|error| !self.refused.contains(&error.key));
                self.errors.extend(found);
                (Some(config), self.errors)
            }
            Err(error) => {
                self.errors.push(ConfigError::new("settings", error.to_string(), "see .env.yaml.example"));
                (None, self.errors)
            }
        }
    }
}

fn names_of(keys: Option<&Map<String, Value>>) -> String {
    keys.map(|keys| keys.keys().cloned().collect::<Vec<_>>().join(", ")).unwrap_or_default()
}

fn pointer(key: &str) -> String {
    format!("/{}", key.replace('.', "/"))
}

/// A file that gives some keys of a nested section has left out the others, which a variable may set nevertheless.
fn set(tree: &mut Value, key: &str, value: Value) {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    if let Some(Value::Object(section)) = tree.pointer_mut(&pointer(section)) {
        section.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests;
