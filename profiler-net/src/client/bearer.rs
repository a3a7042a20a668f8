//! The token on each request.

use tonic::{Request, Status, metadata::AsciiMetadataValue, service::Interceptor};

use crate::token::Tokens;

/// Adds the first token of a file, as it is at the time, to each request.
#[derive(Clone, Debug)]
pub struct Bearer(Option<Tokens>);

impl Bearer {
    pub(super) fn new(tokens: Tokens) -> Self {
        Self(Some(tokens))
    }

    /// Adds nothing.
    pub fn none() -> Self {
        Self(None)
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = self.0.as_ref().and_then(Tokens::first) {
            let value = AsciiMetadataValue::try_from(format!("Bearer {token}"));
            let mut value =
                value.map_err(|_| Status::internal("the token does not fit into a header"))?;
            value.set_sensitive(true);
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}
