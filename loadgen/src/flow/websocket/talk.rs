//! One conversation, from the handshake to the close.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::RngExt as _;

use super::super::context::Open;
use super::super::expect::Seen;
use super::super::samples::Check;
use super::super::socket_samples::{BROKEN, CLOSED, REFUSED};
use super::super::template::{Scope, Source};
use super::Talker;
use super::plan::{Deed, Expectation};
use crate::client::frame::{Message, opcode};
use crate::client::http::Route;
use crate::client::socket::{OpenError, Socket, SocketError};
use crate::metrics::TrendId;
use crate::scenario::Span;
use crate::vu::Iteration;

/// Messages that may come before somebody waits for them; what comes beyond is not kept.
const MOST_UNREAD: usize = 64;
/// RFC 6455 §7.4.1.
const NORMAL: u16 = 1000;

/// An open socket, and what was said.
struct Talk<'a> {
    talker: &'a Talker,
    socket: Socket,
    since: Instant,
    captured: Vec<String>,
    unread: VecDeque<Vec<u8>>,
    number: u32,
    iteration: Iteration,
    _open: Open,
}

/// Why a conversation did not come to its end.
enum Cut {
    /// The kind of error.
    Socket(&'static str),
    /// What was expected did not come; its check says so.
    Silence,
}

/// What came in at once.
#[derive(Default)]
struct Heard {
    pong: Option<Vec<u8>>,
    closed: bool,
    messages: u64,
}

impl Talker {
    pub(super) async fn talk(&self, number: u32, iteration: Iteration) {
        // Boxed, so that a held socket does not keep room for the handshake that is long over.
        let Some(mut talk) = Box::pin(self.open(number, iteration)).await else { return };
        let ended = talk.converse().await;
        let registry = self.context.registry();
        registry.observe(self.samples.session_duration, talk.since.elapsed());
        match ended {
            Err(Cut::Socket(kind)) => self.samples.count_error(kind),
            Ok(()) | Err(Cut::Silence) => {
                let Talk { socket, _open, .. } = talk;
                let closed = socket.close(NORMAL, |message| {
                    let is_message = matches!(message, Message::Text(_) | Message::Binary(_));
                    registry.add(self.samples.received, is_message.into());
                });
                if !closed.await {
                    self.samples.count_error(BROKEN);
                }
            }
        }
    }

    async fn open(&self, number: u32, iteration: Iteration) -> Option<Talk<'_>> {
        let given = self.context.given.iter();
        let mut captured: Vec<String> = given.map(|(_, value)| value.clone()).collect();
        captured.resize(self.plan.values, String::new());
        let sequence = || self.numbers.next_in_sequence();
        let scope = self.scope(&sequence, number, iteration, &captured);
        let path = self.plan.path.text(&scope);
        let headers = self.plan.headers.iter();
        let headers: Vec<(&str, String)> =
            headers.map(|(name, value)| (name.as_str(), value.text(&scope))).collect();
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let shared = &self.context.shared;
        let client = self.params.own_addresses.then(|| shared.lease());
        let route = Route { target: self.target.get()?, client, traffic: &self.context.traffic };
        let (timeout, started) = (self.params.timeout, Instant::now());
        let opened = Socket::open(&route, &path, &headers, &shared.read_buffer, timeout).await;
        self.opens.that(opened.is_ok());
        let socket = match opened {
            Ok(socket) => socket,
            Err(error) => {
                tracing::debug!(%error, "cannot open a socket");
                let kind = if let OpenError::Failed(_) = error { BROKEN } else { REFUSED };
                self.samples.count_error(kind);
                return None;
            }
        };
        let since = Instant::now();
        let registry = self.context.registry();
        registry.observe(self.samples.connecting, since - started);
        registry.add(self.samples.sessions, 1);
        let (unread, _open) = (VecDeque::new(), self.open.enter());
        Some(Talk { talker: self, socket, since, captured, unread, number, iteration, _open })
    }

    fn scope<'a>(
        &'a self,
        sequence: &'a dyn Fn() -> u64,
        virtual_user: u32,
        iteration: Iteration,
        captured: &'a [String],
    ) -> Scope<'a> {
        let source = Source { rng: &self.context.shared.rng, sequence };
        Scope { source, iteration: iteration.number, virtual_user, captured }
    }

    fn draw(&self, span: Span) -> Duration {
        let share: f64 = self.context.shared.rng.borrow_mut().random();
        span.from + (span.to - span.from).mul_f64(share)
    }
}

impl Talk<'_> {
    async fn converse(&mut self) -> Result<(), Cut> {
        let talker = self.talker;
        for _ in 0..talker.params.rounds {
            for (step, expected) in talker.plan.steps.iter().zip(&talker.expectations) {
                match &step.deed {
                    Deed::Send(text) => {
                        let sequence = || talker.numbers.next_in_sequence();
                        let text = text.text(&talker.scope(
                            &sequence,
                            self.number,
                            self.iteration,
                            &self.captured,
                        ));
                        self.send(opcode::TEXT, text.as_bytes()).await?;
                        talker.context.registry().add(talker.samples.sent, 1);
                    }
                    Deed::Expect(expectation) => {
                        if let Some(samples) = expected {
                            self.expect(expectation, samples).await?;
                        }
                    }
                    Deed::Pause(span) => self.listen(Instant::now() + talker.draw(*span)).await?,
                }
            }
        }
        let stop = &talker.context.shared.stop;
        let held = self.since + talker.draw(talker.params.hold);
        tokio::select! {
            biased;
            ended = self.listen(held) => ended,
            // A test that stops early lets go of what it only holds.
            () = stop.cancelled() => Ok(()),
        }
    }

    /// Takes whatever comes until a moment.
    async fn listen(&mut self, until: Instant) -> Result<(), Cut> {
        while Instant::now() < until {
            let hearing = tokio::time::timeout_at(until.into(), self.hear());
            if let Ok(heard) = hearing.await {
                heard?;
            }
        }
        Ok(())
    }

    /// Waits for a message that meets all demands.
    async fn expect(
        &mut self,
        expectation: &Expectation,
        (comes, duration): &(Check, TrendId),
    ) -> Result<(), Cut> {
        let begun = Instant::now();
        let deadline = begun + expectation.within;
        loop {
            while let Some(message) = self.unread.pop_front() {
                if self.meets(expectation, &message, begun.elapsed()) {
                    comes.that(true);
                    self.talker.context.registry().observe(*duration, begun.elapsed());
                    return Ok(());
                }
            }
            match tokio::time::timeout_at(deadline.into(), self.hear()).await {
                Ok(Ok(())) => {}
                Ok(Err(cut)) => {
                    comes.that(false);
                    return Err(cut);
                }
                Err(_) => {
                    comes.that(false);
                    return Err(Cut::Silence);
                }
            }
        }
    }

    /// Whether a message is what was expected; then its values are captured.
    fn meets(&mut self, expectation: &Expectation, message: &[u8], took: Duration) -> bool {
        let seen = Seen { status: 0, header: &|_| None, body: message, took };
        let sequence = || self.talker.numbers.next_in_sequence();
        let scope = self.talker.scope(&sequence, self.number, self.iteration, &self.captured);
        let mut demands = expectation.demands.iter();
        if !demands.all(|(_, demand)| demand.holds(&seen, &scope)) {
            return false;
        }
        let find = |(place, finder): &(usize, super::super::expect::Finder)| {
            Some((*place, finder.find(&seen)?))
        };
        let Some(found) = expectation.captures.iter().map(find).collect::<Option<Vec<_>>>() else {
            return false;
        };
        for (place, value) in found {
            if let Some(slot) = self.captured.get_mut(place) {
                *slot = value;
            }
        }
        true
    }

    /// Waits for something to come in. May be dropped at any time without losing anything.
    async fn hear(&mut self) -> Result<(), Cut> {
        let mut heard = Heard::default();
        let keeps = self.talker.plan.expects;
        let unread = &mut self.unread;
        let received = self.socket.receive(|message| {
            let mut keep = |payload: &[u8]| {
                heard.messages += 1;
                if keeps && unread.len() < MOST_UNREAD {
                    unread.push_back(payload.to_vec());
                }
            };
            match message {
                Message::Text(text) => keep(text.as_bytes()),
                Message::Binary(payload) => keep(payload),
                Message::Ping(payload) => heard.pong = Some(payload.to_vec()),
                Message::Pong => {}
                Message::Close(_) => heard.closed = true,
            }
        });
        received.await.map_err(|error| {
            Cut::Socket(match error {
                SocketError::Ended => CLOSED,
                SocketError::Io(_) | SocketError::Frame(_) => BROKEN,
            })
        })?;
        let talker = self.talker;
        talker.context.registry().add(talker.samples.received, heard.messages);
        if let Some(payload) = heard.pong {
            self.send(opcode::PONG, &payload).await?;
        }
        if heard.closed {
            // Answered as the protocol wants it; whether that arrives is no matter any more.
            let _ = self.socket.send(opcode::CLOSE, &NORMAL.to_be_bytes()).await;
            return Err(Cut::Socket(CLOSED));
        }
        Ok(())
    }

    async fn send(&mut self, opcode: u8, payload: &[u8]) -> Result<(), Cut> {
        self.socket.send(opcode, payload).await.map_err(|_| Cut::Socket(BROKEN))
    }
}
