//! The endpoints as a table: the router, the rules of who may call, and the words of the OpenAPI document come from the
//! same lines, so that none of them can lack what another has.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::app::App;
use crate::model::admin_scope::AdminScope;

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A caller that holds this scope.
    Scope(AdminScope),
}

/// One endpoint: a method of a path.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The method.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// Who may call.
    pub access: Access,
    /// Whether it takes parameters in the query.
    pub has_query: bool,
}

/// An endpoint of the API, described.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// Who may call it.
    pub(super) rule: Rule,
    /// What the OpenAPI document says.
    pub(super) doc: Doc,
}

/// Makes a schema, and leaves the definitions that it refers to with the generator.
type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

/// What the OpenAPI document says of an endpoint.
#[derive(Clone, Debug)]
pub(super) struct Doc {
    /// One line, in the imperative.
    pub(super) summary: &'static str,
    /// What is to be known of it beside.
    pub(super) description: &'static str,
    /// A body, as JSON, that the endpoint takes.
    pub(super) example: Option<&'static str>,
    /// The parameters in the query.
    pub(super) query: Option<MakeSchema>,
    /// The body and its media type.
    pub(super) body: Option<(&'static str, MakeSchema)>,
    /// The status of success.
    pub(super) status: u16,
    /// The document that success answers with.
    pub(super) answer: Option<MakeSchema>,
    /// Whether it heeds `Idempotency-Key`.
    pub(super) is_creation: bool,
    /// Whether it demands `If-Match`.
    pub(super) is_conditional: bool,
    /// Whether it heeds `If-Match` without demanding it.
    pub(super) heeds_if_match: bool,
    /// Whether the answer has an `ETag`.
    pub(super) has_etag: bool,
    /// Whether the answer has a `Location`.
    pub(super) has_location: bool,
    /// Statuses of refusals, beside those that every endpoint has.
    pub(super) refusals: &'static [u16],
}

impl Doc {
    /// An endpoint that answers 204 without a body.
    pub(super) fn new(summary: &'static str) -> Self {
        Self {
            summary,
            description: "",
            example: None,
            query: None,
            body: None,
            status: 204,
            answer: None,
            is_creation: false,
            is_conditional: false,
            heeds_if_match: false,
            has_etag: false,
            has_location: false,
            refusals: &[],
        }
    }

    /// What is to be known of it beside its summary, in Markdown.
    pub(super) fn says(self, description: &'static str) -> Self {
        Self { description, ..self }
    }

    /// A body that it takes.
    pub(super) fn example(self, json: &'static str) -> Self {
        Self { example: Some(json), ..self }
    }

    /// It takes parameters in the query.
    pub(super) fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(SchemaGenerator::root_schema_of::<T>), ..self }
    }

    /// It takes a JSON document.
    pub(super) fn body<T: JsonSchema>(self) -> Self {
        Self { body: Some(("application/json", SchemaGenerator::subschema_for::<T>)), ..self }
    }

    /// It takes changes to a document (RFC 7396), and needs to be told which state of it they are for.
    pub(super) fn patch<T: JsonSchema>(self) -> Self {
        let body = Some(("application/merge-patch+json", SchemaGenerator::subschema_for::<T> as MakeSchema));
        Self { body, ..self }.conditional()
    }

    /// It answers 200 with a document.
    pub(super) fn answers<T: JsonSchema>(self) -> Self {
        Self { status: 200, answer: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// It answers 201 with a document, and the same once more to the same `Idempotency-Key`.
    pub(super) fn creates<T: JsonSchema>(self) -> Self {
        Self { status: 201, answer: Some(SchemaGenerator::subschema_for::<T>), is_creation: true, ..self }
    }

    /// The same, if what is made can be read at an address of its own: the answer has that address, and an entity tag.
    pub(super) fn creates_at_a_place<T: JsonSchema>(self) -> Self {
        Self { has_location: true, has_etag: true, ..self.creates::<T>() }
    }

    /// The answer has an entity tag.
    pub(super) fn tagged(self) -> Self {
        Self { has_etag: true, ..self }
    }

    /// It demands `If-Match`.
    pub(super) fn conditional(self) -> Self {
        Self { is_conditional: true, ..self }
    }

    /// It heeds `If-Match` where one is sent.
    pub(super) fn heeds_if_match(self) -> Self {
        Self { heeds_if_match: true, ..self }
    }

    /// It answers the same once more to the same `Idempotency-Key`.
    pub(super) fn repeatable(self) -> Self {
        Self { is_creation: true, ..self }
    }

    /// It may also refuse with these.
    pub(super) fn refuses(self, refusals: &'static [u16]) -> Self {
        Self { refusals, ..self }
    }
}

/// A `root_schema_for` that fits [`MakeSchema`]: query parameters are written out, not referred to.
trait RootSchema {
    fn root_schema_of<T: JsonSchema>(&mut self) -> Schema;
}

impl RootSchema for SchemaGenerator {
    fn root_schema_of<T: JsonSchema>(&mut self) -> Schema {
        T::json_schema(self)
    }
}

/// The table while it is being written.
#[derive(Default)]
pub(super) struct Endpoints {
    router: Router<App>,
    endpoints: Vec<Endpoint>,
}

impl Endpoints {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The endpoints of one file.
    pub(super) fn with(self, add: fn(Self) -> Self) -> Self {
        add(self)
    }

    /// A GET, which a HEAD is answered by too.
    pub(super) fn get<H, T>(self, path: &'static str, scope: AdminScope, handler: H, doc: Doc) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add((Method::GET, MethodFilter::GET), path, scope, handler, doc)
    }

    /// A POST.
    pub(super) fn post<H, T>(self, path: &'static str, scope: AdminScope, handler: H, doc: Doc) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add((Method::POST, MethodFilter::POST), path, scope, handler, doc)
    }

    /// A PUT.
    pub(super) fn put<H, T>(self, path: &'static str, scope: AdminScope, handler: H, doc: Doc) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add((Method::PUT, MethodFilter::PUT), path, scope, handler, doc)
    }

    /// A PATCH.
    pub(super) fn patch<H, T>(self, path: &'static str, scope: AdminScope, handler: H, doc: Doc) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add((Method::PATCH, MethodFilter::PATCH), path, scope, handler, doc)
    }

    /// A DELETE.
    pub(super) fn delete<H, T>(self, path: &'static str, scope: AdminScope, handler: H, doc: Doc) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add((Method::DELETE, MethodFilter::DELETE), path, scope, handler, doc)
    }

    fn add<H, T>(
        mut self,
        (method, filter): (Method, MethodFilter),
        path: &'static str,
        scope: AdminScope,
        handler: H,
        doc: Doc,
    ) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.router = self.router.route(path, on(filter, handler));
        self.endpoints.push(Endpoint {
            rule: Rule { method, path, access: Access::Scope(scope), has_query: doc.query.is_some() },
            doc,
        });
        self
    }

    /// The router and the descriptions.
    pub(super) fn into_parts(self) -> (Router<App>, Vec<Endpoint>) {
        (self.router, self.endpoints)
    }
}
