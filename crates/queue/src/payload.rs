//! A ticket's payload as apalis carries it: bytes, never decoded inside apalis.
//!
//! A payload that apalis cannot decode kills the worker and then the next one that meets it. Bytes always
//! decode, so what they mean is our question, asked where a bad answer costs one ticket.

use apalis_core::backend::codec::Codec;
use std::convert::Infallible;

/// The bytes found under a ticket's id.
#[derive(Debug)]
pub(crate) struct Payload(pub(crate) Vec<u8>);

/// The codec that cannot fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsIs;

impl Codec<Payload> for AsIs {
    type Error = Infallible;
    type Compact = Vec<u8>;

    fn encode(&self, payload: &Payload) -> Result<Vec<u8>, Infallible> {
        Ok(payload.0.clone())
    }

    fn decode(&self, bytes: &Vec<u8>) -> Result<Payload, Infallible> {
        Ok(Payload(bytes.clone()))
    }
}
