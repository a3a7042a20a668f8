//! The live view on a terminal: keys and answers go into the model, the model is drawn.

use std::{env, io, thread, time::Duration};

use profiler_proto::v1::TopResponse;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

use super::{
    fetch::{Question, Refresh, Source},
    model::{Action, Model},
    view::{Palette, draw},
};
use crate::{args::WatchArgs, client::Endpoint, failure::Failure};

/// How long the thread that reads keys may take to notice that nobody wants them.
const KEY_POLL: Duration = Duration::from_millis(100);
/// Without `--duration`: longer than anyone looks.
const FOREVER: Duration = Duration::from_secs(3_155_760_000);

/// Runs until the user, the count or the duration ends it. The terminal is put back on every way
/// out, a panic's included (ratatui's own hook).
pub(super) async fn run(args: &WatchArgs, endpoint: &Endpoint) -> Result<(), Failure> {
    let mut terminal = ratatui::try_init().map_err(|error| terminal_failed(&error))?;
    let _restored = Restored;
    let palette = Palette {
        colour: env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    let mut model = Model::new(args, endpoint.to_string());
    let mut inputs = Inputs::new(args, endpoint).map_err(|error| terminal_failed(&error))?;
    let mut refreshes: u64 = 0;
    while args.count.is_none_or(|most| refreshes < most) {
        let drawn = terminal.draw(|frame| draw(frame, &model, palette));
        drawn.map_err(|error| terminal_failed(&error))?;
        match inputs.next().await {
            Input::Tick => inputs.ask(Request::Refresh(model.question()), &mut model),
            Input::Answer(answer) => match *answer {
                Answer::Refresh(asked, result) => {
                    model.answered(&asked, result.map(|refresh| *refresh));
                    refreshes += 1;
                }
                Answer::Stacks(asked, result) => model.stacks(&asked, result),
            },
            Input::Key(key) => match model.pressed(key) {
                Action::None => {}
                Action::Quit => break,
                Action::Refresh => inputs.ticks.reset_immediately(),
                Action::Stacks(question) => inputs.ask(Request::Stacks(*question), &mut model),
            },
            Input::Resize => {}
            Input::End => break,
        }
    }
    Ok(())
}

/// Puts the terminal back when the view ends.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn terminal_failed(error: &io::Error) -> Failure {
    Failure::with_hint(
        format!("cannot use the terminal: {error}"),
        "`profiler watch --plain` prints lines instead",
    )
}

/// What is asked of the task that owns the connection.
enum Request {
    Refresh(Question),
    Stacks(Question),
}

/// What comes back from it.
enum Answer {
    Refresh(Question, Result<Box<Refresh>, Failure>),
    Stacks(Question, Result<TopResponse, Failure>),
}

/// What can happen next.
enum Input {
    Tick,
    Answer(Box<Answer>),
    Key(KeyEvent),
    Resize,
    End,
}

struct Inputs {
    ticks: Interval,
    keys: mpsc::Receiver<Event>,
    requests: mpsc::Sender<Request>,
    answers: mpsc::Receiver<Box<Answer>>,
    interrupt: Signal,
    terminate: Signal,
    end: Instant,
}

impl Inputs {
    fn new(args: &WatchArgs, endpoint: &Endpoint) -> io::Result<Self> {
        let mut ticks = interval(args.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (requests, answers) = worker(endpoint);
        Ok(Self {
            ticks,
            keys: keys(),
            requests,
            answers,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            end: Instant::now() + args.duration.unwrap_or(FOREVER),
        })
    }

    async fn next(&mut self) -> Input {
        tokio::select! {
            _ = self.ticks.tick() => Input::Tick,
            answer = self.answers.recv() => answer.map_or(Input::End, Input::Answer),
            event = self.keys.recv() => match event {
                None => Input::End,
                Some(Event::Key(key)) if key.kind != KeyEventKind::Release => Input::Key(key),
                Some(_) => Input::Resize,
            },
            _ = self.interrupt.recv() => Input::End,
            _ = self.terminate.recv() => Input::End,
            () = sleep_until(self.end) => Input::End,
        }
    }

    /// Hands a request over. When the queue is full a refresh is under way already; stacks that
    /// cannot be asked for are told.
    fn ask(&self, request: Request, model: &mut Model) {
        if let Err(refused) = self.requests.try_send(request)
            && let Request::Stacks(question) = refused.into_inner()
        {
            let busy = Failure::new("the endpoint is busy with earlier requests; try again");
            model.stacks(&question, Err(busy));
        }
    }
}

/// Keys, read by a thread since there is no other way to wait for them.
fn keys() -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(32);
    thread::spawn(move || {
        while !sender.is_closed() {
            let read = match event::poll(KEY_POLL) {
                Ok(true) => event::read(),
                Ok(false) => continue,
                Err(error) => Err(error),
            };
            // An error: the terminal is gone.
            let Ok(event) = read else { break };
            if sender.blocking_send(event).is_err() {
                break;
            }
        }
    });
    receiver
}

/// A task that owns the connection, so that drawing never waits for it.
fn worker(endpoint: &Endpoint) -> (mpsc::Sender<Request>, mpsc::Receiver<Box<Answer>>) {
    let (requests, mut asked) = mpsc::channel(2);
    let (answered, answers) = mpsc::channel(2);
    let mut source = Source::new(endpoint);
    tokio::spawn(async move {
        while let Some(request) = asked.recv().await {
            let answer = match request {
                Request::Refresh(question) => {
                    let result = source.refresh(&question).await;
                    Answer::Refresh(question, result.map(Box::new))
                }
                Request::Stacks(question) => {
                    let result = source.top(&question).await;
                    Answer::Stacks(question, result)
                }
            };
            if answered.send(Box::new(answer)).await.is_err() {
                break;
            }
        }
    });
    (requests, answers)
}
