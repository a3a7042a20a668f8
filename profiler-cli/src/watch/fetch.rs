//! One refresh: what the agent is and what has grown.

use profiler_proto::v1::{GetStatusResponse, Selector, TopRequest, TopResponse};

use crate::{
    args::{By, Order},
    client::{Client, Endpoint},
    failure::Failure,
};

/// What a refresh asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    pub(super) selector: Option<Selector>,
    pub(super) by: By,
    pub(super) order: Order,
    pub(super) limit: u32,
    /// Growth on behalf of this connection alone; 0: all.
    pub(super) connection: u64,
}

/// What a refresh brings.
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    pub(super) status: GetStatusResponse,
    pub(super) top: TopResponse,
}

/// A connection that is made again after it was lost.
pub(super) struct Source {
    endpoint: Endpoint,
    client: Option<Client>,
}

impl Source {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        Self {
            endpoint: endpoint.clone(),
            client: None,
        }
    }

    /// Status and growth.
    pub(super) async fn refresh(&mut self, question: &Question) -> Result<Refresh, Failure> {
        let mut client = self.client().await?;
        let status = client.status().await?;
        let top = client.top(request(question)).await?;
        self.client = Some(client);
        Ok(Refresh { status, top })
    }

    /// Growth alone.
    pub(super) async fn top(&mut self, question: &Question) -> Result<TopResponse, Failure> {
        let mut client = self.client().await?;
        let top = client.top(request(question)).await?;
        self.client = Some(client);
        Ok(top)
    }

    /// Takes the connection: it is put back only by those who found it well.
    async fn client(&mut self) -> Result<Client, Failure> {
        match self.client.take() {
            Some(client) => Ok(client),
            None => Client::connect(&self.endpoint).await,
        }
    }
}

fn request(question: &Question) -> TopRequest {
    TopRequest {
        selector: question.selector.clone(),
        by: question.by.to_wire(),
        order: question.order.to_wire(),
        limit: question.limit,
        connection: question.connection,
        ..TopRequest::default()
    }
}
