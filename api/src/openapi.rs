//! The description of this interface, as OpenAPI 3.1.

use utoipa::{
    Modify, PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder,
        path::Operation,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    error::{FieldError, Problem},
    routes,
};

/// Paths that answer without the token.
pub const OPEN_PATHS: [&str; 2] = ["/health/live", "/health/ready"];

/// The document, as it is served and committed.
///
/// # Panics
/// Never: it holds nothing that JSON cannot express.
#[must_use]
pub fn document() -> String {
    let json = routes::document().to_pretty_json();
    json.expect("a description holds nothing that JSON cannot express") + "\n"
}

/// Adds what every route has in common: the token, and a problem for each error.
#[derive(Debug)]
pub struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut OpenApi) {
        let mut components = document.components.take().unwrap_or_else(|| ComponentsBuilder::new().build());
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        for (name, schema) in
            [(Problem::name(), Problem::schema()), (FieldError::name(), FieldError::schema())]
        {
            components.schemas.insert(name.into_owned(), schema);
        }
        document.components = Some(components);
        for (path, item) in &mut document.paths.paths {
            let operations =
                [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                describe_errors(operation);
                if !OPEN_PATHS.contains(&path.as_str()) {
                    let token = SecurityRequirement::new::<_, _, String>("token", []);
                    operation.security = Some(vec![token]);
                }
            }
        }
    }
}

fn describe_errors(operation: &mut Operation) {
    for (status, meaning) in [
        ("4XX", "The request cannot be carried out as it is."),
        ("5XX", "The server could not carry it out; 503 says in Retry-After when to come back."),
    ] {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
        let response =
            ResponseBuilder::new().description(meaning).content("application/problem+json", content).build();
        operation.responses.responses.insert(status.to_owned(), RefOr::T(response));
    }
}
