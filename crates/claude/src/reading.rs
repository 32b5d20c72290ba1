//! From a response's body to a reply, streamed or in one piece.

use crate::assemble::{self, Assembler, Failure, Progress, Step};
use crate::body::Body;
use crate::error::{Error, ErrorBody};
use crate::head::Head;
use crate::sse::Decoder;
use crate::wire::message::{Envelope, Message};
use crate::wire::usage::Usage;

/// Reads a stream up to its `message_stop`: the reply to a request of so many `max_tokens`.
pub(crate) async fn stream(
    body: &mut Body<'_>,
    head: &Head,
    max_tokens: u32,
    on_event: &mut impl FnMut(Progress<'_>),
) -> Result<(Message, String, Usage), Error> {
    let (mut decoder, mut assembler) = (Decoder::default(), Assembler::within(max_tokens));
    while let Some(bytes) = body.next(assembler.usage(decoder.torn())).await? {
        let mut outcome = Ok(Step::Nothing);
        let decoded = decoder.push(&bytes, |event| {
            if matches!(outcome, Ok(Step::Nothing | Step::Content)) {
                match assembler.accept(&event, on_event) {
                    Ok(Step::Nothing) => {}
                    other => outcome = other,
                }
            }
        });
        match outcome {
            Ok(Step::Done) => {
                let partial = body.partial(assembler.usage(0));
                return assembler.finish().map_err(|message| Error::Protocol { message, partial });
            }
            Ok(Step::Content) => body.alive(),
            Ok(Step::Nothing) => {}
            Err(Failure::Api(error)) => {
                return Err(Error::Api(Box::new(head.error(error, assembler.usage(0)))));
            }
            Err(Failure::Protocol(message)) => {
                return Err(Error::Protocol {
                    message,
                    partial: body.partial(assembler.usage(decoder.torn())),
                });
            }
        }
        if let Err(error) = decoded {
            return Err(Error::Protocol {
                message: error.to_string(),
                partial: body.partial(assembler.usage(decoder.torn())),
            });
        }
    }
    Err(Error::Cut { partial: body.partial(assembler.usage(decoder.torn())), source: None })
}

/// Reads the answer of a server that does not stream.
pub(crate) fn whole(
    document: &[u8],
    head: &Head,
    on_event: &mut impl FnMut(Progress<'_>),
) -> Result<(Message, String, Usage), Error> {
    if let Ok(error) = serde_json::from_slice::<ErrorBody>(document) {
        return Err(Error::Api(Box::new(head.error(error, None))));
    }
    let envelope: Envelope = serde_json::from_slice(document).map_err(|error| {
        let message = format!("content type {:?}: {error}", head.content_type);
        Error::Protocol { message, partial: head.partial(None) }
    })?;
    let partial = head.partial(Some(envelope.usage));
    let whole = assemble::whole(envelope).map_err(|message| Error::Protocol { message, partial })?;
    on_event(Progress::Started { message_id: &whole.0.id, model: &whole.0.model });
    on_event(Progress::Usage(whole.2));
    Ok(whole)
}
