//! The reference of the admin API.

use askama::Template;

use super::view::Site;

/// Every endpoint, every type and every problem.
#[derive(Template)]
#[template(path = "reference.html", config = "src/http/pages/askama.toml")]
pub struct ReferencePage<'a> {
    /// The server.
    pub site: &'a Site,
    /// Its version.
    pub version: &'a str,
    /// The one audience of tokens for the API.
    pub audience: &'a str,
    /// The parts of the API.
    pub sections: Vec<Section>,
    /// The types of bodies and answers.
    pub types: Vec<Type>,
    /// The types of problems: URI, status, title.
    pub problems: Vec<(String, u16, &'static str)>,
}

/// A part of the API.
pub struct Section {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// What can be done there.
    pub operations: Vec<Operation>,
}

/// A method of a path.
pub struct Operation {
    /// Its identifier, which is also its anchor.
    pub id: String,
    /// The method.
    pub method: String,
    /// The path, with its parameters in braces.
    pub path: String,
    /// What it does, in a few words.
    pub summary: String,
    /// What is to be known of it.
    pub paragraphs: Vec<String>,
    /// Its parameters, wherever they are.
    pub parameters: Vec<Field>,
    /// The media type and the type of its body.
    pub body: Option<(String, Kind)>,
    /// A body that it takes.
    pub example: Option<String>,
    /// The status of success.
    pub success: String,
    /// What success answers.
    pub answer: Option<Kind>,
    /// The statuses of refusals.
    pub refusals: String,
}

/// What a value is, in few words.
#[derive(Default)]
pub struct Kind {
    /// The words.
    pub words: String,
    /// The type that they name; empty: none.
    pub link: String,
}

/// A parameter, or a member of a type.
pub struct Field {
    /// Its name.
    pub name: String,
    /// `path`, `query` or `header`; empty for a member.
    pub place: String,
    /// Whether it must be there.
    pub is_required: bool,
    /// What it is.
    pub kind: Kind,
    /// What it means.
    pub description: String,
}

/// A type of a body or an answer.
pub struct Type {
    /// Its name, which is also its anchor.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// What it is, if it has no members.
    pub kind: Kind,
    /// Its members.
    pub fields: Vec<Field>,
}
