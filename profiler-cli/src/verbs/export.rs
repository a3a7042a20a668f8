//! `export`: growth by stack for other tools.

use profiler_formats::{folded, json, pprof};

use crate::{
    args::{ExportArgs, ExportFormat},
    client::Client,
    failure::Failure,
    screen::Screen,
    text::plural,
    units::share,
    verbs::{all_stacks, apart::by_connection, tell},
};

pub(super) fn check(args: &ExportArgs, screen: &Screen) -> Result<(), Failure> {
    if args.connection_labels && args.format != ExportFormat::Pprof {
        return Err(Failure::with_hint(
            "--connection-labels needs --format pprof",
            "`profiler flame --folded --by connection` prints folded stacks by connection",
        ));
    }
    match args.format {
        ExportFormat::Pprof => {
            screen.refuse_terminal(args.output.as_deref(), "a gzip'd pprof profile")
        }
        ExportFormat::Folded | ExportFormat::Json => Ok(()),
    }
}

pub(super) async fn export(
    args: &ExportArgs,
    mut client: Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let request = all_stacks(
        args.select.to_wire(),
        args.behalf,
        args.when,
        args.unattributed,
    );
    let (response, apart) = if args.connection_labels {
        let (response, told) = by_connection(request, args.value, &mut client).await?;
        (response, Some(told))
    } else {
        (client.top(request).await?, None)
    };
    let output = match args.format {
        ExportFormat::Pprof => pprof::to_gzip(&response)
            .map_err(|error| Failure::new(format!("cannot compress: {error}")))?,
        ExportFormat::Folded => {
            folded::lines(&folded::fold(&response.rows, args.value.into())).into_bytes()
        }
        ExportFormat::Json => json::to_text(&response)?.into_bytes(),
    };
    if screen.save(args.output.as_deref(), &output)? {
        let mut text = plural(response.rows.len() as u64, "stack", "stacks");
        if (response.rows.len() as u64) < response.total_rows.into() {
            text.push_str(&format!(", the largest of {}", response.total_rows));
        }
        if let Some(accounting) = &response.accounting {
            let unattributed = share(accounting.unattributed_share);
            text.push_str(&format!(
                "; no stack owns {unattributed} of the live memory"
            ));
        }
        if let Some(apart) = apart {
            text.push_str(&format!("; {apart}"));
        }
        tell(&text);
    }
    Ok(())
}
