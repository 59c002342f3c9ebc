//! The program `aura-executor`: flags in, exit code out.

use std::process::ExitCode;

use aura_executor::cli::Cli;
use aura_executor::traces::Traces;
use aura_executor::{logs, service};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let settings = match Cli::parse().settings() {
        Ok(settings) => settings,
        Err(sentence) => return failed(&sentence, 2),
    };
    let level = EnvFilter::try_from_env("AURA_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = logs::Lines::new(&settings.scope);
    tracing_subscriber::fmt().event_format(lines).with_env_filter(level).with_writer(std::io::stderr).init();
    let traces = match Traces::from_environment() {
        Ok(traces) => traces,
        Err(sentence) => return failed(&sentence, 2),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("no threads to work with: {error}"), 1),
    };
    let ended = runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            info!("asked to stop");
            let _ = stop.send(true);
        });
        service::run(settings, stopped).await
    });
    traces.close();
    match ended {
        Ok(()) => exit(0),
        Err(error) => {
            eprintln!("aura-executor: {error}");
            exit(1)
        }
    }
}

/// Ends at once: librdkafka's own shutdown would wait for a broker that is gone.
fn exit(code: i32) -> ! {
    std::process::exit(code)
}

fn failed(sentence: &str, code: u8) -> ExitCode {
    eprintln!("aura-executor: {sentence}");
    ExitCode::from(code)
}
