//! Plans to Redis in their order: several in flight on the one connection while nothing is amiss, one by one otherwise.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, MaybeDone, maybe_done};
use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use tokio::sync::{mpsc, watch};

use crate::job::{Applied, Job, Outcome, Reply, Report, Work, not_worth_waiting_for};
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::redis_link::{Answer, RedisLink, Stop};
use crate::redis_server::explained;
use crate::text::{DETAIL_CHARS, cut};
use crate::{arm, plain, traces};

const FIRST_EARLY_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_EARLY_PAUSE: Duration = Duration::from_millis(20);
const PING_EVERY: Duration = Duration::from_secs(1);
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// How plans reach Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// An arm with the function library `aura`, on the event clock.
    Arm,
    /// An unmodified Redis, on the wall's clock.
    Plain,
}

impl Mode {
    /// Plans in one write, and writes under way at once: enough to keep Redis busy, since every further plan under way
    /// only waits there. A plain Redis is asked for marks first, so only one write there.
    const fn flight_sizes(self) -> (usize, usize) {
        match self {
            Self::Arm => (2, 2),
            Self::Plain => (8, 1),
        }
    }
}

type Sent = (Vec<Job>, RedisResult<Vec<Answer>>);
type Flight = Pin<Box<MaybeDone<BoxFuture<'static, Sent>>>>;

/// Takes jobs, gives reports, both in the order of the topic.
pub struct Applier {
    mode: Mode,
    max_ahead_ms: i64,
    link: RedisLink,
    jobs: mpsc::Receiver<Job>,
    held: Option<Job>,
    reports: mpsc::Sender<Report>,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
    memory: Memory,
    /// Redis answered a plan since the connection was made.
    proven: bool,
    /// Run and event clock of the last answer.
    clock: Option<(Option<String>, i64)>,
    /// Plans received before this moment waited for another plan's time, which is not their latency.
    waited_until: Instant,
}

enum Next {
    Landed,
    Batch(Vec<Job>),
    Closed,
    Idle,
    Stop,
}

impl Applier {
    /// An applier between two channels; a plan further ahead of the arm's clock than `max_ahead_ms` is not waited for.
    #[must_use]
    pub fn new(
        mode: Mode,
        max_ahead_ms: i64,
        link: RedisLink,
        jobs: mpsc::Receiver<Job>,
        reports: mpsc::Sender<Report>,
        metrics: Arc<Metrics>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let (memory, waited_until) = (Memory::default(), Instant::now());
        Self {
            mode,
            max_ahead_ms,
            link,
            jobs,
            held: None,
            reports,
            metrics,
            stop,
            memory,
            proven: false,
            clock: None,
            waited_until,
        }
    }

    /// Works until asked to stop; plans that were sent to Redis by then are still answered.
    ///
    /// # Errors
    /// One sentence when Redis stayed away for too long.
    pub async fn run(mut self) -> Result<(), String> {
        let mut flights = VecDeque::new();
        let ended = self.work(&mut flights).await;
        match ended {
            Err(Stop::Fatal(sentence)) => Err(sentence),
            Ok(()) | Err(Stop::Asked) => {
                let _ = tokio::time::timeout(LAST_ANSWERS, self.land_all(&mut flights)).await;
                Ok(())
            }
        }
    }

    async fn work(&mut self, flights: &mut VecDeque<Flight>) -> Result<(), Stop> {
        self.greet().await?;
        let (_, depth) = self.mode.flight_sizes();
        let mut stop = self.stop.clone();
        loop {
            let full = flights.len() >= depth;
            let next = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => Next::Stop,
                () = front(flights) => Next::Landed,
                batch = self.batch(), if !full => batch.map_or(Next::Closed, Next::Batch),
                () = tokio::time::sleep(PING_EVERY), if flights.is_empty() => Next::Idle,
            };
            match next {
                Next::Stop | Next::Closed => return Ok(()),
                Next::Landed => self.land(flights).await?,
                Next::Idle => self.greet().await?,
                Next::Batch(batch) => self.launch(batch, flights).await?,
            }
        }
    }

    /// Makes sure that Redis answers.
    async fn greet(&mut self) -> Result<(), Stop> {
        loop {
            let mut connection = self.link.connection().await?;
            match redis::cmd("PING").query_async::<String>(&mut connection).await {
                Ok(_) => {
                    self.link.answered();
                    return Ok(());
                }
                Err(error) => self.lost(&explained(&error)).await?,
            }
        }
    }

    async fn lost(&mut self, error: &str) -> Result<(), Stop> {
        self.proven = false;
        self.link.failed(error).await
    }

    /// The next plans that may go out together: one alone when it could be early or Redis is not proven to take plans.
    async fn batch(&mut self) -> Option<Vec<Job>> {
        let first = match self.held.take() {
            Some(job) => job,
            None => self.jobs.recv().await?,
        };
        let (size, _) = self.mode.flight_sizes();
        let sure = self.is_sure(&first);
        let mut batch = vec![first];
        while sure && batch.len() < size {
            match self.jobs.try_recv() {
                Ok(job) if self.is_sure(&job) => batch.push(job),
                Ok(job) => {
                    self.held = Some(job);
                    break;
                }
                Err(_) => break,
            }
        }
        Some(batch)
    }

    fn is_sure(&self, job: &Job) -> bool {
        let Work::Apply(found) = &job.work else {
            return true;
        };
        let reached = |apply_at| matches!(&self.clock, Some((run, now)) if *run == found.plan.run && *now >= apply_at);
        self.proven && (self.mode == Mode::Plain || found.plan.apply_at.is_none_or(reached))
    }

    async fn launch(&mut self, batch: Vec<Job>, flights: &mut VecDeque<Flight>) -> Result<(), Stop> {
        if !self.is_sure(&batch[0]) {
            while !flights.is_empty() {
                self.land(flights).await?;
            }
            for job in batch {
                self.alone(job, false).await?;
            }
            return Ok(());
        }
        let mut connection = self.link.connection().await?;
        let mode = self.mode;
        let call = async move {
            let answers = send(mode, &mut connection, &batch).await;
            (batch, answers)
        };
        let mut flight = Box::pin(maybe_done(call.boxed()));
        // The first poll hands the write to the connection, which keeps the order of the flights.
        let _ = futures_util::poll!(flight.as_mut());
        flights.push_back(flight);
        Ok(())
    }

    async fn land_all(&mut self, flights: &mut VecDeque<Flight>) -> Result<(), Stop> {
        while !flights.is_empty() {
            self.land(flights).await?;
        }
        Ok(())
    }

    /// Waits for the oldest flight and answers for its plans; after a failure they go again, one by one.
    async fn land(&mut self, flights: &mut VecDeque<Flight>) -> Result<(), Stop> {
        front(flights).await;
        let Some((jobs, answers)) = flights.pop_front().and_then(|mut flight| flight.as_mut().take_output()) else {
            return Ok(());
        };
        match answers {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                for job in jobs {
                    match &job.work {
                        Work::Apply(_) => match answers.next() {
                            Some(Answer::Reply(reply)) if !matches!(reply, Reply::Early { .. }) => {
                                self.link.answered();
                                self.settle(job, reply, false).await;
                            }
                            Some(Answer::Refused(detail)) => self.refuse(job, "redis_error", &detail).await,
                            _ => self.alone(job, false).await?,
                        },
                        _ => self.report_simple(job).await,
                    }
                }
            }
            Err(error) => {
                self.lost(&explained(&error)).await?;
                for job in jobs {
                    self.alone(job, true).await?;
                }
            }
        }
        Ok(())
    }

    /// Applies one plan and waits as long as it takes. `again`: it may have been applied by an attempt that got no answer.
    async fn alone(&mut self, job: Job, mut again: bool) -> Result<(), Stop> {
        if !matches!(job.work, Work::Apply(_)) {
            self.report_simple(job).await;
            return Ok(());
        }
        let mut pause = FIRST_EARLY_PAUSE;
        let jobs = [job];
        let last = loop {
            let mut connection = self.link.connection().await?;
            match send(self.mode, &mut connection, &jobs).await.map(|mut answers| answers.pop()) {
                Ok(Some(Answer::Reply(Reply::Early { now_ms }))) => {
                    self.link.answered();
                    if let Some((reason, detail)) = not_worth_waiting_for(&jobs[0], now_ms, self.max_ahead_ms) {
                        let [job] = jobs;
                        self.refuse(job, reason, &detail).await;
                        return Ok(());
                    }
                    self.saw_clock(&jobs[0], now_ms);
                    self.nap(pause).await?;
                    pause = (pause * 2).min(LONGEST_EARLY_PAUSE);
                    self.waited_until = Instant::now();
                }
                Ok(Some(Answer::NoFunction(error))) => {
                    self.proven = false;
                    self.link.no_function(&error).await?;
                }
                Ok(Some(Answer::Unready(error))) => self.lost(&error).await?,
                Ok(last) => break last,
                Err(error) => {
                    again = true;
                    self.lost(&explained(&error)).await?;
                }
            }
        };
        let [job] = jobs;
        self.link.answered();
        self.proven = true;
        match last {
            Some(Answer::Reply(reply)) => self.settle(job, reply, again).await,
            Some(Answer::Refused(detail)) => self.refuse(job, "redis_error", &detail).await,
            _ => self.refuse(job, "redis_error", "no answer").await,
        }
        Ok(())
    }

    async fn nap(&mut self, pause: Duration) -> Result<(), Stop> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            _ = self.stop.wait_for(|stop| *stop) => Err(Stop::Asked),
        }
    }

    fn saw_clock(&mut self, job: &Job, now_ms: i64) {
        if let Work::Apply(found) = &job.work {
            self.clock = Some((found.plan.run.clone(), now_ms));
        }
    }

    async fn settle(&mut self, job: Job, reply: Reply, again: bool) {
        let outcome = match reply {
            Reply::Applied(counts) => Outcome::Applied(counts),
            Reply::Duplicate { before, .. } if again => Outcome::Applied(before),
            Reply::Duplicate { before, same_source } => self.memory.judge(&job, before, same_source),
            Reply::Expired { now_ms } => {
                refusal("expired", &format!("the arm's clock stands at {now_ms} ms, after the plan's expires_at"))
            }
            Reply::Vetoed => refusal("vetoed", "the guard of the run refused the plan"),
            Reply::ForeignRun => refusal("foreign_run", "the arm serves another run"),
            Reply::Early { .. } => refusal("redis_error", "early"),
        };
        if let Outcome::Applied(Applied { now_ms: Some(now_ms), .. }) = outcome {
            self.saw_clock(&job, now_ms);
        }
        self.memory.note(&job);
        self.report(job, outcome).await;
    }

    async fn refuse(&mut self, job: Job, reason: &'static str, detail: &str) {
        self.report(job, refusal(reason, detail)).await;
    }

    /// Answers for a job that needs no Redis.
    async fn report_simple(&mut self, job: Job) {
        let outcome = match &job.work {
            Work::Skip(skip) => Outcome::Skipped(*skip),
            Work::Refuse(refused) => refusal(refused.fault.word(), &refused.detail),
            Work::Nothing(_) | Work::Apply(_) => Outcome::Applied(Applied::default()),
        };
        self.report(job, outcome).await;
    }

    async fn report(&mut self, mut job: Job, outcome: Outcome) {
        job.work.lighten();
        let elapsed = job.source.received.max(self.waited_until).elapsed();
        if !matches!(outcome, Outcome::Skipped(_)) {
            self.metrics.took(elapsed.as_secs_f64());
            traces::applied(&job, &outcome);
        }
        // Fails only when the reporter has ended: then nothing is committed and the plan comes again.
        let _ = self.reports.send(Report { job, outcome, latency_ms: elapsed.as_secs_f64() * 1e3 }).await;
    }
}

async fn send(mode: Mode, connection: &mut MultiplexedConnection, jobs: &[Job]) -> RedisResult<Vec<Answer>> {
    match mode {
        Mode::Arm => arm::send(connection, jobs).await,
        Mode::Plain => plain::send(connection, jobs).await,
    }
}

/// Ends when the oldest flight has landed; never when there is none.
async fn front(flights: &mut VecDeque<Flight>) {
    match flights.front_mut() {
        Some(flight) => flight.as_mut().await,
        None => std::future::pending().await,
    }
}

fn refusal(reason: &'static str, detail: &str) -> Outcome {
    // Redis, too, may quote what it was sent.
    Outcome::Refused { reason, detail: cut(detail, DETAIL_CHARS).to_owned() }
}
