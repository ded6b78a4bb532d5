//! What a scenario with `exec = "websocket"` says in its `params`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::expect::{Capture, Demands};
use super::plan::Plan;
use crate::scenario::Span;
use crate::scenario::reader::TableReader;

/// For the handshake, as for an HTTP request.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a message is waited for where nothing is said.
const WITHIN: Duration = Duration::from_secs(10);
/// A conversation of more steps than this is written by a machine.
const MOST_STEPS: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WebsocketParams {
    /// `ws://host:port/path`.
    pub url: String,
    /// Of the handshake.
    pub headers: Vec<(String, String)>,
    /// For connecting and the handshake.
    pub timeout: Duration,
    /// How often the steps are taken.
    pub rounds: u64,
    /// How long the socket stays open at least, counted from its opening.
    pub hold: Span,
    /// Whether each user comes from an address of its own, where the service is on this machine.
    pub own_addresses: bool,
    pub steps: Vec<SocketStep>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SocketStep {
    /// In its checks' names, and the tag `name` of the time that an expected message takes.
    pub name: String,
    pub act: Act,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Act {
    SendText(String),
    SendJson(Value),
    /// Waits for a message that meets all demands; others are passed over.
    Expect {
        demands: Demands,
        captures: Vec<Capture>,
        within: Duration,
    },
    Pause(Span),
}

impl WebsocketParams {
    /// `given` is captured before the first step.
    pub(crate) fn read(reader: &mut TableReader<'_>, given: &[String]) -> Self {
        let url: String = reader.required("url");
        let headers = reader.or("headers", Vec::new());
        let timeout = reader.or("timeout", TIMEOUT);
        reader.ensure("timeout", !timeout.is_zero(), "must be longer than nothing");
        let rounds = reader.or("rounds", 1);
        let hold = reader.or("hold", Span::default());
        let own_addresses = reader.or("ownAddresses", false);
        let steps: Vec<Option<SocketStep>> = reader.tables("steps", SocketStep::read);
        reader.ensure("steps", steps.len() <= MOST_STEPS, "are more than 1,000");
        let whole = steps.iter().all(Option::is_some);
        let steps = steps.into_iter().flatten().collect();
        let params = Self { url, headers, timeout, rounds, hold, own_addresses, steps };
        if whole
            && !reader.is_broken("url")
            && let Err(mistake) = Plan::compile(&params, None, given)
        {
            reader.reject("url", mistake);
        }
        params
    }

    /// What cannot be done with the values of `env`.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self, env: &BTreeMap<String, String>, given: &[String]) -> Result<(), String> {
        Plan::compile(self, Some(env), given).map(drop)
    }
}

impl SocketStep {
    fn read(reader: &mut TableReader<'_>) -> Option<Self> {
        let name = reader.optional("name");
        let send = reader.optional("send").map(Act::SendText);
        let json = reader.optional("sendJson").map(Act::SendJson);
        let pause = reader.optional("pause").map(Act::Pause);
        let expect = reader.table("expect", |expect| {
            let demands = Demands::read_body(expect);
            let captures = Capture::read_all(expect);
            let within = expect.or("within", WITHIN);
            expect.ensure("within", !within.is_zero(), "must be longer than nothing");
            Act::Expect { demands, captures, within }
        });
        let acts = [send, json, pause, expect];
        let count = acts.iter().flatten().count();
        if count != 1 && !reader.is_broken("send") {
            let message = "a step is one of `send`, `sendJson`, `expect` and `pause`";
            reader.reject("send", message.into());
        }
        let act = acts.into_iter().flatten().next()?;
        let name = name.unwrap_or_else(|| act.word().to_owned());
        Some(Self { name, act })
    }
}

impl Act {
    const fn word(&self) -> &'static str {
        match self {
            Self::SendText(_) | Self::SendJson(_) => "send",
            Self::Expect { .. } => "expect",
            Self::Pause(_) => "pause",
        }
    }
}
