//! The pages people see.

use serde::{Deserialize, Serialize};

/// The pages people see.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PagesConfig {
    /// The language when the browser and the request ask for none that there is: `en` or `de`.
    pub default_locale: String,
}

impl PagesConfig {
    /// The languages that there are.
    pub const LOCALES: [&str; 2] = ["en", "de"];
}

impl Default for PagesConfig {
    fn default() -> Self {
        Self { default_locale: "en".into() }
    }
}
