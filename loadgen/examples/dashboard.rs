//! Plays a made-up run in the terminal dashboard: `cargo run -p loadgen --example dashboard`.
//! With `--seconds N` it stands still after so many seconds of the run; `--speed N` plays faster.

#[path = "../tests/it/faces_run.rs"]
mod faces_run;

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use loadgen::tui::{self, Action};
use tokio::sync::{mpsc, watch};

#[derive(Parser)]
struct Arguments {
    /// Seconds of the run to play before standing still
    #[arg(long, default_value_t = faces_run::TOTAL_S)]
    seconds: u64,
    /// The second of the run to begin with
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Seconds played in one second
    #[arg(long, default_value_t = 1)]
    speed: u32,
    /// Print progress lines instead of drawing
    #[arg(long)]
    no_tui: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut run = faces_run::Run::at(arguments.from).detailed();
    let (updates, receiver) = watch::channel(Arc::new(run.dashboard()));
    let (actions, mut asked) = mpsc::channel(4);
    let screen = async {
        if arguments.no_tui {
            std::future::pending().await
        } else {
            tui::run(receiver, actions).await
        }
    };
    let play = async {
        for _ in arguments.from..arguments.seconds {
            tokio::time::sleep(Duration::from_secs(1) / arguments.speed.max(1)).await;
            run.step();
            let dashboard = run.dashboard();
            if arguments.no_tui {
                println!("{}", tui::line(&dashboard));
            }
            updates.send_replace(Arc::new(dashboard));
        }
        if !arguments.no_tui {
            std::future::pending::<()>().await;
        }
    };
    let kill = async { while asked.recv().await.is_some_and(|action| action != Action::Kill) {} };
    tokio::select! {
        shown = screen => shown?,
        () = play => {}
        () = kill => {}
    }
    Ok(())
}
