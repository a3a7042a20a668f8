//! `status`, `targets`, `ranges`.

use profiler_formats::json;
use profiler_proto::v1::{ListRangesRequest, ListTargetsRequest};

use crate::{
    args::{Format, RangesArgs, StatusArgs, TargetsArgs},
    client::Client,
    failure::Failure,
    render,
    screen::Screen,
    time::Moment,
};

pub(super) async fn status(
    args: &StatusArgs,
    mut client: Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let response = client.status().await?;
    let text = match args.format {
        Format::Json => json::to_text(&response)?,
        Format::Table => render::status::status(&response, client.endpoint(), screen.look(true)),
    };
    screen.print(&text)
}

pub(super) async fn targets(
    args: &TargetsArgs,
    mut client: Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let request = ListTargetsRequest {
        selector: args.select.to_wire(),
        include_exited: args.exited,
        limit: args.limit,
        at: args.at.map(Moment::to_wire),
        page_token: args.page.token.clone(),
    };
    let response = client.targets(request).await?;
    let text = match args.format {
        Format::Json => json::to_text(&response)?,
        Format::Table => render::targets::targets(&response, screen.look(args.no_truncate)),
    };
    screen.print(&text)
}

pub(super) async fn ranges(
    args: &RangesArgs,
    mut client: Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let request = ListRangesRequest {
        pid: args.pid,
        with_frames: args.with_frames,
    };
    let response = client.ranges(request).await?;
    let text = match args.format {
        Format::Json => json::to_text(&response)?,
        Format::Table => {
            let look = screen.look(args.no_truncate);
            render::ranges::ranges(&response, args.frames as usize, look)
        }
    };
    screen.print(&text)
}
