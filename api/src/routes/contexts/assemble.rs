//! `POST /api/v1/context/assemble`

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use hive_domain::ContextId;
use hive_memory::assemble::{LeftOut, Piece, assemble};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::reader::Sought;
use crate::{app::App, body::Body, error::Result, faults::Faults, named};

/// The largest budget, in tokens.
const MAX_BUDGET: usize = 200_000;

/// What is to be put together, and how large it may be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContextAssembly)]
pub struct Assembly {
    /// What is looked for.
    #[serde(deserialize_with = "crate::body::object::only")]
    search: Sought,
    /// Tokens that the whole may have.
    #[schema(minimum = 1, maximum = 200_000)]
    budget_tokens: usize,
}

/// The text, and a receipt of what went into it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AssembledContext)]
pub struct Assembled {
    /// What is to be sent: each entry between marks that say whose word it is.
    text: String,
    /// What it counts: the sum over what is included.
    tokens: usize,
    /// What was allowed.
    budget_tokens: usize,
    /// What went in, in its order.
    included: Vec<Included>,
    /// What did not, and why.
    left_out: Vec<Omitted>,
    /// The time that was asked about.
    at: DateTime<Utc>,
}

/// An entry that went in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IncludedContext)]
pub struct Included {
    /// Its id.
    id: Uuid,
    /// What it counts, with its marks.
    tokens: usize,
}

/// An entry that did not go in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OmittedContext)]
pub struct Omitted {
    /// Its id.
    id: Uuid,
    /// What it would have counted.
    tokens: usize,
    /// `budget`: there was no room. `same`: another one says the same. `unrelated`: it has too little to do with what was
    /// asked.
    reason: &'static str,
    /// That other one.
    same_as: Option<Uuid>,
}

/// Puts together what fits a question and a budget, in the form in which agents read it. Tokens are those of the embedded
/// tokenizer.
#[utoipa::path(
    post,
    path = "/api/v1/context/assemble",
    operation_id = "assemble_context",
    tag = "contexts",
    request_body = Assembly,
    responses((status = 200, body = Assembled, description = "The text and its receipt."))
)]
pub async fn handle(State(app): State<Arc<App>>, Body(assembly): Body<Assembly>) -> Result<Json<Assembled>> {
    let mut faults = Faults::default();
    let bound = (1..=MAX_BUDGET).contains(&assembly.budget_tokens);
    faults.demand(bound, "/budget_tokens", "must be 1 to 200000");
    faults.within("/search");
    let named = assembly.search.named();
    let recall = assembly.search.check(faults)?;
    let recalled = async { Ok(app.memory.recall(&recall).await?) };
    let (recalled, ()) = tokio::try_join!(recalled, named::demand(&app, &named, "/search"))?;
    let pieces: Vec<Piece> = recalled.hits.into_iter().map(Piece::from).collect();
    let receipt = assemble(&pieces, assembly.budget_tokens, |text| app.memory.count_tokens(text));
    app.memory.count_recalls(receipt.included.iter().map(|(id, _)| *id));
    Ok(Json(Assembled {
        text: receipt.text,
        tokens: receipt.tokens,
        budget_tokens: assembly.budget_tokens,
        included: receipt
            .included
            .into_iter()
            .map(|(id, tokens)| Included { id: id.uuid(), tokens })
            .collect(),
        left_out: receipt.left_out.into_iter().map(omitted).collect(),
        at: recalled.at,
    }))
}

fn omitted((id, tokens, why): (ContextId, usize, LeftOut)) -> Omitted {
    let (reason, same_as) = match why {
        LeftOut::Budget => ("budget", None),
        LeftOut::SameAs(other) => ("same", Some(other.uuid())),
        LeftOut::Unrelated => ("unrelated", None),
    };
    Omitted { id: id.uuid(), tokens, reason, same_as }
}
