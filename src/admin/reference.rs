//! `/admin/docs`: the description of the API as a page, made of the same document that programs read.
//!
//! Without a script, so that the content security policy stays as strict as on every other page and nothing foreign runs
//! beside a signed-in administrator. Like the document it needs no token.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::Value;

use super::{PATH, openapi};
use crate::app::App;
use crate::http::headers::page_csp;
use crate::http::pages::html;
use crate::http::pages::locale::Locale;
use crate::http::pages::reference::{Field, Kind, Operation, ReferencePage, Section, Type};
use crate::http::pages::view::Site;
use crate::http::problem::ProblemType;

/// The page. In English, as the API is.
pub(super) async fn get(State(app): State<App>) -> Response {
    let (site, document) = (Site::new(Locale::En, app.issuer()), openapi::description(&app));
    let page = ReferencePage {
        site: &site,
        version: env!("CARGO_PKG_VERSION"),
        audience: &app.url(PATH),
        sections: sections(&document),
        types: types(&document),
        problems: ProblemType::ALL.iter().map(|kind| (kind.uri(), kind.status(), kind.title())).collect(),
    };
    let headers = [
        (CONTENT_TYPE, http::HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, page_csp(&[], &[], false)),
    ];
    (headers, html(&page)).into_response()
}

fn sections(document: &Value) -> Vec<Section> {
    let section = |tag: &Value| Section {
        name: text(tag, "name"),
        description: text(tag, "description"),
        operations: operations(document, tag.get("name")),
    };
    array(document.get("tags")).map(section).collect()
}

fn operations(document: &Value, tag: Option<&Value>) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in object(document.get("paths")) {
        for (method, operation) in object(Some(item)) {
            if array(operation.get("tags")).next() == tag {
                found.push(describe(path, method, operation));
            }
        }
    }
    found
}

fn describe(path: &str, method: &str, operation: &Value) -> Operation {
    let content = object(operation.pointer("/requestBody/content")).next();
    let success = object(operation.get("responses")).find(|(status, _)| status.starts_with('2'));
    let refusals =
        object(operation.get("responses")).map(|(status, _)| status).filter(|status| !status.starts_with('2'));
    Operation {
        id: text(operation, "operationId"),
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        summary: text(operation, "summary"),
        paragraphs: text(operation, "description").split("\n\n").map(|words| words.replace('`', "")).collect(),
        parameters: array(operation.get("parameters")).map(parameter).collect(),
        body: content.map(|(media_type, media)| (media_type.clone(), kind(media.get("schema")))),
        example: content.and_then(|(_, media)| serde_json::to_string_pretty(media.get("example")?).ok()),
        success: success.map(|(status, _)| status.clone()).unwrap_or_default(),
        answer: success
            .and_then(|(_, response)| response.pointer("/content/application~1json/schema"))
            .map(|schema| kind(Some(schema))),
        refusals: refusals.cloned().collect::<Vec<_>>().join(", "),
    }
}

fn parameter(parameter: &Value) -> Field {
    Field {
        name: text(parameter, "name"),
        place: text(parameter, "in"),
        is_required: parameter.get("required") == Some(&Value::Bool(true)),
        kind: kind(parameter.get("schema")),
        description: plain(parameter),
    }
}

fn types(document: &Value) -> Vec<Type> {
    let described = |(name, schema): (&String, &Value)| Type {
        name: name.clone(),
        description: plain(schema),
        kind: if schema.get("properties").is_some() { Kind::default() } else { kind(Some(schema)) },
        fields: fields(schema),
    };
    object(document.pointer("/components/schemas")).map(described).collect()
}

fn fields(schema: &Value) -> Vec<Field> {
    let required: Vec<&Value> = array(schema.get("required")).collect();
    let field = |(name, schema): (&String, &Value)| Field {
        name: name.clone(),
        place: String::new(),
        is_required: required.iter().any(|one| *one == name),
        kind: kind(Some(schema)),
        description: plain(schema),
    };
    object(schema.get("properties")).map(field).collect()
}

/// What a schema says, in few words.
fn kind(schema: Option<&Value>) -> Kind {
    let Some(schema) = schema else { return Kind::default() };
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return Kind { words: name.to_owned(), link: name.to_owned() };
    }
    for choices in ["anyOf", "oneOf", "allOf"] {
        let kinds: Vec<Kind> = array(schema.get(choices)).map(|choice| kind(Some(choice))).collect();
        if !kinds.is_empty() {
            let words: Vec<&str> = kinds.iter().map(|kind| kind.words.as_str()).collect();
            let link = kinds.iter().find(|kind| !kind.link.is_empty()).map(|kind| kind.link.clone());
            return Kind { words: words.join(" or "), link: link.unwrap_or_default() };
        }
    }
    if let Some(constant) = schema.get("const") {
        return Kind { words: constant.to_string(), link: String::new() };
    }
    let values: Vec<String> = array(schema.get("enum")).map(ToString::to_string).collect();
    if !values.is_empty() {
        return Kind { words: values.join(" or "), link: String::new() };
    }
    typed(schema)
}

fn typed(schema: &Value) -> Kind {
    let types = match schema.get("type") {
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    };
    if types.starts_with("array") {
        let Kind { words, link } = kind(schema.get("items"));
        return Kind { words: format!("list of {words}"), link };
    }
    let members: Vec<String> = object(schema.get("properties"))
        .map(|(name, schema)| format!("{name}: {}", kind(Some(schema)).words))
        .collect();
    if !members.is_empty() {
        return Kind { words: format!("{{{}}}", members.join(", ")), link: String::new() };
    }
    let format = schema.get("format").and_then(Value::as_str).filter(|format| !format.starts_with("uint"));
    let words = match (format, schema.get("minimum"), schema.get("maximum")) {
        (Some(format), _, _) => format!("{types} ({format})"),
        (None, Some(least), Some(most)) => format!("{types} from {least} to {most}"),
        _ => types,
    };
    Kind { words, link: String::new() }
}

/// The description without the marks of code.
fn plain(schema: &Value) -> String {
    text(schema, "description").replace(['`', '[', ']'], "")
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn array(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn object(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}
