//! `nodes` and `series`.

use profiler_formats::json;
use profiler_proto::v1::ListNodesRequest;

use crate::{
    args::{Format, NodesArgs, SeriesArgs},
    client::Client,
    failure::Failure,
    render,
    screen::Screen,
    time::now,
};

pub(super) async fn nodes(
    args: &NodesArgs,
    mut client: Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let request = ListNodesRequest {
        selector: args.select.to_wire(),
    };
    let response = client.nodes(request).await?;
    let text = match args.format {
        Format::Json => json::to_text(&response)?,
        Format::Table => {
            let look = screen.look(args.no_truncate);
            render::nodes::nodes(&response, &now(), look)
        }
    };
    screen.print(&text)
}

pub(super) async fn series(
    args: &SeriesArgs,
    mut client: Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let response = client.series(args.to_wire()).await?;
    let text = match args.format {
        Format::Json => json::to_text(&response)?,
        Format::Table => {
            let look = screen.look(args.no_truncate);
            render::series::series(&response, args.by, look)
        }
    };
    screen.print(&text)
}
