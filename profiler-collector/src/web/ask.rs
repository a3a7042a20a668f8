//! Asks `profiler.v1.Query` as any other client would, with a limit on time.

use std::{future::Future, sync::Arc, time::Duration};

use crate::query::VerdictStream;
use profiler_proto::v1::{
    DiffRequest, DiffResponse, GetStatusRequest, GetStatusResponse, ListConnectionsRequest,
    ListConnectionsResponse, ListNodesRequest, ListNodesResponse, ListOomKillsRequest,
    ListOomKillsResponse, ListResidentRequest, ListResidentResponse, ListSeriesRequest,
    ListSeriesResponse, ListTargetsRequest, ListTargetsResponse, ListVerdictsRequest,
    ListVerdictsResponse, Selector, TopRequest, TopResponse, query_server::Query,
};
use tonic::{Request, Response, Status};

use super::failure::Failure;

/// Where answers come from.
#[derive(Clone)]
pub(super) struct Ask {
    query: Arc<dyn Query<WatchVerdictsStream = VerdictStream>>,
    limit: Duration,
}

impl Ask {
    pub(super) fn new(
        query: Arc<dyn Query<WatchVerdictsStream = VerdictStream>>,
        limit: Duration,
    ) -> Self {
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

    pub(super) async fn verdicts(
        &self,
        request: ListVerdictsRequest,
    ) -> Result<ListVerdictsResponse, Failure> {
        let request = Request::new(request);
        self.within(self.query.list_verdicts(request)).await
    }

    pub(super) async fn oom_kills(
        &self,
        request: ListOomKillsRequest,
    ) -> Result<ListOomKillsResponse, Failure> {
        let request = Request::new(request);
        self.within(self.query.list_oom_kills(request)).await
    }

    pub(super) async fn resident(
        &self,
        request: ListResidentRequest,
    ) -> Result<ListResidentResponse, Failure> {
        let request = Request::new(request);
        self.within(self.query.list_resident(request)).await
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
