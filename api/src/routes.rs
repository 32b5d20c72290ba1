//! Every route, once: the same list makes the router and its description.

mod agents;
mod batches;
mod checkpoints;
mod contexts;
mod dead_letters;
mod events;
mod housekeeping;
mod messages;
mod models;
mod money;
mod provider;
mod queue;
mod routing_rules;
mod schedules;
mod sessions;
mod sleep_cycles;
mod system;
mod tasks;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    routing::{MethodFilter, on},
};
use tokio::sync::Semaphore;
use utoipa::{OpenApi, Path, openapi::HttpMethod};

use crate::{
    app::App,
    auth,
    error::ApiError,
    load, observe,
    openapi::{Common, OPEN_PATHS},
};

/// `endpoints! { list, name of the router function, name of the document }`: one file per entry, whose handler is
/// called `handle`; path and method stand in its `utoipa::path` attribute alone.
macro_rules! endpoints {
    ($($family:ident::$endpoint:ident,)*) => {
        #[derive(OpenApi)]
        #[openapi(
            paths($($family::$endpoint::handle,)*),
            modifiers(&Common),
            info(title = "Agent Hive", description = "Tasks for a fleet of agents."),
        )]
        struct Document;

        fn all() -> Vec<(String, Router<Arc<App>>)> {
            vec![$({
                use $family::$endpoint::{__path_handle as Described, handle};
                let path = Described::path();
                let filter = Described::methods().iter().map(filter).reduce(MethodFilter::or);
                let filter = filter.expect("the attribute names a method");
                (path.clone(), Router::new().route(&path, on(filter, handle)))
            },)*]
        }
    };
}

endpoints! {
    agents::create,
    agents::list,
    agents::show,
    agents::update,
    agents::deactivate,
    agents::sleeps,
    agents::sleep_settings,
    agents::set_sleep_settings,
    contexts::store,
    contexts::search,
    contexts::assemble,
    contexts::show,
    contexts::history,
    contexts::update,
    contexts::redact,
    contexts::delete,
    models::list,
    models::refresh,
    routing_rules::list,
    routing_rules::create,
    routing_rules::show,
    routing_rules::activate,
    sessions::create,
    sessions::list,
    sessions::show,
    sleep_cycles::begin,
    sleep_cycles::list,
    sleep_cycles::show,
    sleep_cycles::diff,
    sleep_cycles::cancel,
    sleep_cycles::rollback,
    housekeeping::list,
    housekeeping::order,
    housekeeping::run,
    schedules::create,
    schedules::list,
    schedules::show,
    schedules::update,
    schedules::delete,
    schedules::run,
    tasks::create,
    tasks::bulk,
    tasks::list,
    tasks::act,
    tasks::action,
    tasks::show,
    tasks::reprioritise,
    tasks::steps,
    tasks::diff,
    tasks::artifacts,
    tasks::artifact,
    tasks::events,
    tasks::assign,
    tasks::complete,
    tasks::cancel,
    tasks::tell,
    tasks::messages,
    tasks::fork,
    tasks::outcome,
    tasks::why,
    provider::show,
    provider::resume,
    queue::pause,
    queue::resume,
    queue::pauses,
    queue::limits,
    queue::set_limit,
    queue::drop_limit,
    money::budgets,
    money::set_budget,
    money::remove_budget,
    money::usage,
    batches::list,
    messages::send,
    messages::search,
    messages::dead,
    messages::redrive,
    messages::list,
    messages::receive,
    messages::ack,
    messages::inbox,
    messages::set_inbox,
    messages::events,
    messages::conversation,
    tasks::retry,
    tasks::depend,
    dead_letters::list,
    events::list,
    events::watch,
    checkpoints::create,
    checkpoints::list,
    checkpoints::show,
    system::sleep,
    system::wake,
    system::health,
    system::live,
    system::ready,
    system::metrics,
    system::openapi,
}

/// The description of all routes.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// All routes with what lies before them: ids and metrics, bounds, and the token.
pub fn router(app: Arc<App>, metrics_open: bool) -> Router {
    let open = |path: &str| OPEN_PATHS.contains(&path) || (metrics_open && path == system::metrics::PATH);
    let (open, guarded): (Vec<_>, Vec<_>) = all().into_iter().partition(|(path, _)| open(path));
    let join = |routes: Vec<(String, Router<Arc<App>>)>| {
        routes.into_iter().fold(Router::new(), |all, (_, route)| all.merge(route))
    };
    // Health answers when there is no room for work.
    let guarded = join(guarded)
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(Arc::new(Semaphore::new(load::MAX_IN_FLIGHT)), load::bound))
        .layer(from_fn_with_state(Arc::clone(&app), auth::require_token));
    let open = join(open).method_not_allowed_fallback(no_method);
    guarded.merge(open).layer(from_fn(observe::observe)).with_state(app)
}

fn filter(method: &HttpMethod) -> MethodFilter {
    match method {
        HttpMethod::Get => MethodFilter::GET,
        HttpMethod::Post => MethodFilter::POST,
        HttpMethod::Put => MethodFilter::PUT,
        HttpMethod::Delete => MethodFilter::DELETE,
        HttpMethod::Options => MethodFilter::OPTIONS,
        HttpMethod::Head => MethodFilter::HEAD,
        HttpMethod::Patch => MethodFilter::PATCH,
        HttpMethod::Trace => MethodFilter::TRACE,
    }
}

async fn no_route() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "no_such_route",
        "there is nothing at this path; /openapi.json lists all",
    )
}

async fn no_method(request: Request) -> ApiError {
    let detail = format!("this path does not take {}", request.method());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
