//! Asks `profiler.v1.Query` as any other client would, with a limit on time.

use std::{future::Future, sync::Arc, time::Duration};

use profiler_proto::v1::{
    DiffRequest, DiffResponse, GetStatusRequest, GetStatusResponse, ListConnectionsRequest,
    ListConnectionsResponse, ListNodesRequest, ListNodesResponse, ListSeriesRequest,
    ListSeriesResponse, ListTargetsRequest, ListTargetsResponse, Selector, TopRequest, TopResponse,
    query_server::Query,
};
use tonic::{Request, Response, Status};

use super::failure::Failure;

/// Where answers come from.
#[derive(Clone)]
pub(super) struct Ask {
    query: Arc<dyn Query>,
    limit: Duration,
}

impl Ask {
    pub(super) fn new(query: Arc<dyn Query>, limit: Duration) -> Self {
        Self { query, limit }
    }

    pub(super) async fn status(&self) -> Result<GetStatusResponse, Failure> {
        let request = Request::new(GetStatusRequest {});
        self.within(self.query.get_status(request)).await
    }

    pub(super) async fn nodes(&self, selector: Selector) -> Result<ListNodesResponse, Failure> {
        let request = Request::new(ListNodesRequest {
            selector: Some(selector),
        });
        self.within(self.query.list_nodes(request)).await
    }

    pub(super) async fn targets(
        &self,
        request: ListTargetsRequest,
    ) -> Result<ListTargetsResponse, Failure> {
        let request = Request::new(request);
        self.within(self.query.list_targets(request)).await
    }

    pub(super) async fn series(
        &self,
        request: ListSeriesRequest,
    ) -> Result<ListSeriesResponse, Failure> {
        let request = Request::new(request);
        self.within(self.query.list_series(request)).await
    }

    pub(super) async fn top(&self, request: TopRequest) -> Result<TopResponse, Failure> {
        self.within(self.query.top(Request::new(request))).await
    }

    pub(super) async fn diff(&self, request: DiffRequest) -> Result<DiffResponse, Failure> {
        self.within(self.query.diff(Request::new(request))).await
    }

    pub(super) async fn connections(
        &self,
        request: ListConnectionsRequest,
    ) -> Result<ListConnectionsResponse, Failure> {
        let request = Request::new(request);
        self.within(self.query.list_connections(request)).await
    }

    async fn within<T>(
        &self,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.limit, answer).await {
            Ok(answer) => Ok(answer?.into_inner()),
            Err(_) => Err(Failure::late()),
        }
    }
}
