//! `soak`.

mod ended;
mod files;

use std::{
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use profiler_proto::v1::{ListOomKillsRequest, ListResidentRequest, ListResidentResponse};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout, timeout_at};

use self::{ended::Ended, files::Files};
use crate::{
    args::{Format, SoakArgs},
    client::{Client, Endpoint},
    failure::Failure,
    render::soak as render,
    screen::Screen,
    soak::{EndedBy, Plan, Report, Soak, page},
    time::now,
};

/// Turns from one question for kills to the next, where nothing is missing.
const KILLS_EVERY: u32 = 6;
/// For the last reading, after the end.
const LAST: Duration = Duration::from_secs(10);

pub(super) async fn soak(
    args: &SoakArgs,
    endpoint: &Endpoint,
    screen: &mut Screen,
) -> Result<u8, Failure> {
    // A report of the run before would be read as this one's, whatever goes wrong.
    let files = Files::new(args)?;
    let plan = Plan::new(args)?;
    let request = args.to_wire()?;
    let mut ended = Ended::new()?;
    let mut source = Source::new(endpoint, request);
    // Whatever is wrong at first is wrong with the question.
    let first = source.read().await?;
    let mut soak = Soak::begin(plan, &first)?;
    let started = now();
    let begun = Instant::now();
    let ended_by = run(&mut soak, &plan, &mut source, &mut ended, begun).await;
    if ended_by != EndedBy::Certain {
        let last = turn(&mut soak, &mut source, true, begun);
        // What does not come in time stays away.
        if timeout(LAST, last).await.is_err() {
            soak.no_answer(&Failure::new("none came in time"), begun.elapsed());
        }
    }
    let at = begun.elapsed();
    soak.close(at);
    let report = soak.report(&started, at, ended_by);
    tell(&report, args, files, screen)?;
    Ok(report.exit_code)
}

/// Reads until the time is over, the answer is certain or somebody interrupts. Returns why it ended.
async fn run(
    soak: &mut Soak,
    plan: &Plan,
    source: &mut Source,
    ended: &mut Ended,
    begun: Instant,
) -> EndedBy {
    let end = begun + plan.duration;
    let mut ticks = interval_at(begun + plan.interval, plan.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut progress = Progress::new(plan);
    let mut turns = 0_u32;
    loop {
        turns = turns.wrapping_add(1);
        let turn = async {
            ticks.tick().await;
            turn(soak, source, turns.is_multiple_of(KILLS_EVERY), begun).await;
        };
        let time_left = tokio::select! {
            () = ended.early() => {
                progress.end();
                return EndedBy::Interrupt;
            }
            turned = timeout_at(end, turn) => turned.is_ok(),
        };
        let at = begun.elapsed();
        progress.tell(soak, at);
        if soak.early_end(at).is_some() {
            progress.end();
            return EndedBy::Certain;
        }
        if !time_left {
            progress.end();
            return EndedBy::Duration;
        }
    }
}

/// One reading of everything; kills are asked for where something is missing, or `kills` says so.
async fn turn(soak: &mut Soak, source: &mut Source, kills: bool, begun: Instant) {
    match source.read().await {
        Ok(answer) => soak.answer(&answer, begun.elapsed()),
        Err(failure) => soak.no_answer(&failure, begun.elapsed()),
    }
    if kills || soak.misses() {
        source.kills(soak).await;
    }
}

/// An endpoint that may go away for a while.
struct Source {
    endpoint: Endpoint,
    client: Option<Client>,
    request: ListResidentRequest,
}

impl Source {
    fn new(endpoint: &Endpoint, request: ListResidentRequest) -> Self {
        Self {
            endpoint: endpoint.clone(),
            client: None,
            request,
        }
    }

    async fn read(&mut self) -> Result<ListResidentResponse, Failure> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(&self.endpoint).await?,
        };
        let answer = client.resident(self.request.clone()).await?;
        self.client = Some(client);
        Ok(answer)
    }

    /// Who was killed since the beginning; an endpoint that does not tell leaves it open.
    async fn kills(&mut self, soak: &mut Soak) {
        let Some(client) = &mut self.client else {
            return;
        };
        let request = ListOomKillsRequest {
            selector: self.request.selector.clone(),
            from: Some(soak.first_reading()),
            limit: 1_000,
            ..ListOomKillsRequest::default()
        };
        if let Ok(kills) = client.oom_kills(request).await {
            soak.kills(&kills);
        }
    }
}

/// One live line where there is a terminal, else a line now and then.
struct Progress {
    terminal: bool,
    every: Duration,
    next: Duration,
    duration: Duration,
}

impl Progress {
    fn new(plan: &Plan) -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            every: plan.progress(),
            next: plan.progress(),
            duration: plan.duration,
        }
    }

    fn tell(&mut self, soak: &Soak, at: Duration) {
        let line = || render::progress(soak, at, self.duration);
        if self.terminal {
            eprint!("\r\x1b[2K{}", line());
            // A line that does not come through does no harm.
            let _ = std::io::stderr().flush();
        } else if at >= self.next {
            eprintln!("{}", line());
            self.next = at + self.every;
        }
    }

    fn end(&self) {
        if self.terminal {
            eprintln!();
        }
    }
}

/// Puts out all that was asked for; what fails does not keep the rest back.
fn tell(
    report: &Report,
    args: &SoakArgs,
    files: Files,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(report)
        .map_err(|error| Failure::new(format!("cannot print as JSON: {error}")))?;
    let json = json + "\n";
    let written = [
        files.json.map(|file| file.fill(json.as_bytes(), screen)),
        files
            .page
            .map(|file| file.fill(page(report).as_bytes(), screen)),
    ];
    let printed = match args.format {
        Format::Json => screen.print(&json),
        Format::Table => screen.print(&render::summary(report, screen.look(false))),
    };
    let all = written.into_iter().flatten().chain([printed]);
    all.map(|done| done.or_else(Failure::unless_gone))
        .fold(Ok(()), Result::and)
}
