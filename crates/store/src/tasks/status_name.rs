//! A status as the parameter of a statement.

use hive_domain::TaskStatus;
use sqlx::{
    Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo},
};

/// Sent with the type of the column. A text that is cast in the statement hides from the planner which rows it names,
/// and a list of a rare status would read the whole table.
pub(super) struct StatusName(pub(super) TaskStatus);

impl Type<Postgres> for StatusName {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("task_status")
    }
}

impl PgHasArrayType for StatusName {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::array_of("task_status")
    }
}

impl Encode<'_, Postgres> for StatusName {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <&str as Encode<Postgres>>::encode(self.0.as_str(), buffer)
    }
}
