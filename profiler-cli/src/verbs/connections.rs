//! `connections`.

use profiler_formats::json;

use crate::{
    args::{ConnectionsArgs, Format},
    client::Client,
    failure::Failure,
    render::connections::{self, Layout},
    screen::Screen,
};

pub(super) async fn connections(
    args: &ConnectionsArgs,
    mut client: Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let response = client.connections(args.to_wire()).await?;
    let text = match args.format {
        Format::Json => json::to_text(&response)?,
        Format::Table => {
            let layout = Layout {
                sort: args.sort,
                fold: &args.fold,
                look: screen.look(args.no_truncate),
            };
            connections::connections(&response, layout)
        }
    };
    screen.print(&text)
}
