//! `top` and `diff`.

use profiler_proto::v1::{DiffRequest, TopRequest};

use crate::{
    args::{BehalfArgs, By, DiffArgs, Format, ShapeArgs, StacksArgs, TopArgs, TopFormat, Value},
    client::Client,
    failure::Failure,
    folded, json,
    render::growth::{self, Layout},
    screen::Screen,
};

/// Refuses what makes no sense before anyone is asked.
pub(super) fn check(args: &TopArgs) -> Result<(), Failure> {
    if args.format == TopFormat::Folded && args.shape.by != By::Stack {
        return Err(Failure::with_hint(
            format!(
                "--format folded needs stacks, not rows by {}",
                args.shape.by.name()
            ),
            "leave --by away, or choose --format json",
        ));
    }
    Ok(())
}

pub(super) async fn top(
    args: &TopArgs,
    mut client: Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let request = TopRequest {
        selector: args.select.to_wire(),
        by: args.shape.by.to_wire(),
        order: args.shape.order.to_wire(),
        limit: args.shape.limit,
        at: args.when.at.map(|moment| moment.to_wire()),
        since: args.when.since.map(|moment| moment.to_wire()),
        include_unattributed: args.shape.unattributed,
        connection: args.behalf.to_wire(),
    };
    let response = client.top(request).await?;
    let text = match args.format {
        TopFormat::Json => json::to_text(&response)?,
        TopFormat::Folded => folded::lines(&folded::fold(&response.rows, Value::Live)),
        TopFormat::Table => {
            let layout = layout(&args.shape, args.behalf, args.stacks, screen);
            growth::top(&response, layout)
        }
    };
    screen.print(&text)
}

pub(super) async fn diff(
    args: &DiffArgs,
    mut client: Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let request = DiffRequest {
        selector: args.select.to_wire(),
        by: args.shape.by.to_wire(),
        order: args.shape.order.to_wire(),
        limit: args.shape.limit,
        from: Some(args.from.to_wire()),
        to: args.to.map(|moment| moment.to_wire()),
        include_unattributed: args.shape.unattributed,
        connection: args.behalf.to_wire(),
    };
    let response = client.diff(request).await?;
    let text = match args.format {
        Format::Json => json::to_text(&response)?,
        Format::Table => {
            let layout = layout(&args.shape, args.behalf, args.stacks, screen);
            growth::diff(&response, layout)
        }
    };
    screen.print(&text)
}

fn layout(shape: &ShapeArgs, behalf: BehalfArgs, stacks: StacksArgs, screen: &Screen) -> Layout {
    Layout {
        by: shape.by,
        order: shape.order,
        connection: behalf.connection,
        frames: stacks.frames as usize,
        look: screen.look(stacks.no_truncate),
    }
}
