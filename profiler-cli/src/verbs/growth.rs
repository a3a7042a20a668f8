//! `top` and `diff`.

use profiler_formats::{
    folded::{self, Value},
    json,
};
use profiler_proto::v1::{DiffRequest, TopRequest};

use crate::{
    args::{BehalfArgs, By, DiffArgs, Format, ShapeArgs, StacksArgs, TopArgs, TopFormat},
    client::Client,
    failure::Failure,
    render::growth::{self, Layout},
    screen::Screen,
    time::Moment,
};

/// Refuses what makes no sense before anyone is asked.
pub(super) fn check_top(args: &TopArgs) -> Result<(), Failure> {
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

/// The same of a comparison: only functions are the same in two targets.
pub(super) fn check_diff(args: &DiffArgs) -> Result<(), Failure> {
    let compares = !args.against.conditions.is_empty();
    match args.shape.by {
        By::Stack | By::Function => Ok(()),
        by if compares => Err(Failure::with_hint(
            format!("two targets cannot be compared by {}", by.name()),
            "choose --by stack or --by function: rows are matched by their functions",
        )),
        _ => Ok(()),
    }
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
        at: args.when.at.map(Moment::to_wire),
        since: args.when.since.map(Moment::to_wire),
        include_unattributed: args.shape.unattributed,
        connection: args.behalf.to_wire(),
        page_token: args.page.token.clone(),
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
        from: args.from.map(Moment::to_wire),
        to: args.to.map(Moment::to_wire),
        include_unattributed: args.shape.unattributed,
        connection: args.behalf.to_wire(),
        against: args.against.to_wire(),
        page_token: args.page.token.clone(),
    };
    let response = client.diff(request).await?;
    let text = match args.format {
        Format::Json => json::to_text(&response)?,
        Format::Table => {
            let layout = Layout {
                compared: !args.against.conditions.is_empty(),
                ..layout(&args.shape, args.behalf, args.stacks, screen)
            };
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
        compared: false,
        frames: stacks.frames as usize,
        look: screen.look(stacks.no_truncate),
    }
}
