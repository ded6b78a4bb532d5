//! The same requests to this broker and to a real Apache Kafka, and the same answers: what codes,
//! offsets and states come back, where a client could tell the two apart. Runs when KAFKA_ADDRESS
//! names a Kafka (`.ci/real-kafka` starts one); without it the test says so and passes.

use std::net::SocketAddr;
use std::time::Duration;

use sim::{Broker, Options};

use crate::wire::Wire;

mod admin;
mod configs;
mod data;
mod groups;
mod others;
mod rebalances;

/// What one side answered, a line for each question.
pub(crate) struct Transcript {
    pub(crate) wire: Wire,
    /// Tells the names of several runs against one Kafka apart.
    run: u32,
    lines: Vec<String>,
}

impl Transcript {
    pub(crate) fn note(&mut self, question: &str, answer: impl std::fmt::Debug) {
        let answer = format!("{answer:?}").replace(&self.run.to_string(), "RUN");
        self.lines.push(format!("{question}: {answer}"));
    }

    pub(crate) async fn reconnect(&mut self) {
        self.wire.reconnect().await;
    }

    /// A name that no other run has used.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{name}-{}", self.run)
    }
}

/// Sessions that end by themselves take seconds, and a Kafka that just started some more.
const LONGEST: Duration = Duration::from_secs(300);

type Served = Vec<(i16, i16, i16)>;

async fn transcript(address: SocketAddr, run: u32, ours: &Served) -> (Vec<String>, Served) {
    let wire = Wire::connect(address).await;
    let mut transcript = Transcript { wire, run, lines: Vec::new() };
    let served = others::served(&mut transcript, ours).await;
    admin::topics(&mut transcript).await;
    admin::partitions(&mut transcript).await;
    admin::metadata(&mut transcript).await;
    configs::altered(&mut transcript).await;
    configs::shown(&mut transcript).await;
    data::produced(&mut transcript).await;
    data::sequences(&mut transcript).await;
    data::deleted_and_looked_up(&mut transcript).await;
    groups::commits(&mut transcript).await;
    groups::members(&mut transcript).await;
    rebalances::of_two(&mut transcript).await;
    rebalances::of_static_members(&mut transcript).await;
    rebalances::of_the_silent(&mut transcript).await;
    others::versions(&mut transcript).await;
    others::coordinators(&mut transcript).await;
    others::epochs_and_sessions(&mut transcript).await;
    others::repeated(&mut transcript).await;
    others::replaced_configs(&mut transcript).await;
    others::old_offsets(&mut transcript).await;
    (transcript.lines, served)
}

#[tokio::test]
async fn a_real_kafka_gives_the_same_answers() {
    let Ok(kafka) = std::env::var("KAFKA_ADDRESS") else {
        println!("skipped: KAFKA_ADDRESS names no Kafka to compare with");
        return;
    };
    let run = 100_000_000 + std::process::id();
    let settings = [("group.min.session.timeout.ms", "6000"), ("log.retention.ms", "604800000")];
    let config = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let broker = Broker::start(Options { config, ..Options::default() }).unwrap();
    let (ours, served) = transcript(broker.address(), run, &Vec::new()).await;
    let theirs = transcript(kafka.parse().unwrap(), run, &served);
    let (theirs, _) = tokio::time::timeout(LONGEST, theirs).await.expect("Kafka answers in time");
    let differing: Vec<_> =
        ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs).collect();
    for (ours, theirs) in &differing {
        println!("ours   {ours}\ntheirs {theirs}\n");
    }
    assert_eq!(ours.len(), theirs.len());
    assert!(differing.is_empty(), "{} of {} answers differ", differing.len(), ours.len());
}
