//! `/admin/scopes`, `/admin/resources` and `/admin/authorization-details-types`: what clients may ask for, and where it means something.
//!
//! The scopes of the admin API and the admin API as a resource are part of the program: they are listed, and can neither be
//! changed nor taken away nor registered. So nobody can take the restriction away that keeps them from being asked for.

// What authorization details there are.
pub(in crate::admin) mod authorization_details_types;
// APIs that accept our tokens.
pub(in crate::admin) mod resources;
// What a token allows.
pub(in crate::admin) mod scopes;

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::PATH;
use super::endpoint::Endpoints;
use crate::app::App;
use crate::http::problem::{Problem, ProblemType, Violation};
use crate::model::admin_scope;
use crate::model::catalog::{Localized, Resource, Scope};
use crate::model::id::ResourceUri;
use crate::protocol::client_metadata;
use crate::storage::postgres::scope_record::Removal;

/// What the names of scopes begin with that only the server itself defines.
pub(in crate::admin) const RESERVED: &str = "admin:";

/// The endpoints of this folder.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    endpoints.with(scopes::endpoints).with(resources::endpoints).with(authorization_details_types::endpoints)
}

/// Which part of a list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct ListQuery {
    /// So many on a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    pub(in crate::admin) limit: Option<u16>,
    /// The `next` of the page before.
    pub(in crate::admin) cursor: Option<String>,
}

/// When something was registered, and when it last changed. What is part of the program was neither.
type Times = (DateTime<Utc>, DateTime<Utc>);

/// What is part of the program.
fn built_in(app: &App) -> (Vec<Scope>, Resource) {
    admin_scope::catalog(ResourceUri::new(app.url(PATH)))
}

/// What is wrong with a text that people are shown.
pub(super) fn text_violations(pointer: &str, texts: &Localized) -> Vec<Violation> {
    if texts.is_empty() {
        return vec![Violation::new(pointer, "a text must be there in English (en)")];
    }
    let found = client_metadata::localized_violations(pointer, texts);
    found.into_iter().map(|(pointer, detail)| Violation::new(pointer, detail)).collect()
}

/// What [`text_violations`] lets through.
fn text_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["en"],
        "propertyNames": {"pattern": "^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*$", "maxLength": 35},
        "additionalProperties": {"type": "string", "maxLength": 200, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*\\S[^\\u0000-\\u001f\\u007f-\\u009f]*$"},
    })
}

/// The answer to whoever wants to touch what is part of the program.
fn stays() -> Problem {
    Problem::new(ProblemType::Conflict).with_detail("it is part of the server and stays as it is")
}

/// Whether it is gone.
fn removed(outcome: Removal) -> Result<(), Problem> {
    match outcome {
        Removal::Removed => Ok(()),
        Removal::Named => {
            let detail = "something that is registered still names it: take it from there first";
            Err(Problem::new(ProblemType::Conflict).with_detail(detail))
        }
        Removal::Stale => Err(Problem::new(ProblemType::PreconditionFailed)),
        Removal::Absent => Err(Problem::not_found()),
    }
}
