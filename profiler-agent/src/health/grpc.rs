//! Health over `grpc.health.v1`, for the names `container/<id prefix>` and `pod/<uid>`.

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio_stream::{Stream, StreamExt as _, wrappers::IntervalStream};
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_server::Health as HealthService,
};

use super::{Health, Verdicts};

/// Between two looks for one who watches.
const LOOK: Duration = Duration::from_secs(1);

type Watched = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

/// Answers for containers and pods, and leaves all other names to another service.
pub struct ByName<H> {
    others: H,
    verdicts: Arc<dyn Verdicts>,
}

impl<H: HealthService> ByName<H> {
    /// `others`: for the names of services.
    pub fn new(others: H, verdicts: Arc<dyn Verdicts>) -> Self {
        Self { others, verdicts }
    }
}

#[tonic::async_trait]
impl<H: HealthService> HealthService for ByName<H> {
    type WatchStream = Watched;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match find(&*self.verdicts, &request.get_ref().service) {
            None => self.others.check(request).await,
            Some(health) => Ok(Response::new(response(status(&health)))),
        }
    }

    /// As for [`Self::check`]: clients take `SERVICE_UNKNOWN` for a failure, and so it is not said.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Watched>, Status> {
        let name = request.get_ref().service.clone();
        if find(&*self.verdicts, &name).is_none() {
            let stream = self.others.watch(request).await?.into_inner();
            return Ok(Response::new(Box::pin(stream)));
        }
        let (verdicts, mut last) = (Arc::clone(&self.verdicts), None);
        let looks = IntervalStream::new(tokio::time::interval(LOOK));
        let changes = looks.filter_map(move |_| {
            let now = find(&*verdicts, &name)
                .as_ref()
                .map_or(ServingStatus::Serving, status);
            (last.replace(now) != Some(now)).then(|| Ok(response(now)))
        });
        Ok(Response::new(Box::pin(changes)))
    }
}

/// None: not a name of this kind.
fn find(verdicts: &dyn Verdicts, name: &str) -> Option<Health> {
    if let Some(id) = name.strip_prefix("container/") {
        return Some(verdicts.container(id).health("container"));
    }
    Some(verdicts.pod(name.strip_prefix("pod/")?).health("pod"))
}

fn status(health: &Health) -> ServingStatus {
    match health.healthy {
        true => ServingStatus::Serving,
        false => ServingStatus::NotServing,
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}
