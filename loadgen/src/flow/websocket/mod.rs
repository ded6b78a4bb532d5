//! `websocket`: talks to any service over a WebSocket, in steps that a scenario file describes.
//!
//! | module | what it holds |
//! |---|---|
//! | [`params`] | the steps as they stand in the file |
//! | [`plan`] | the steps compiled |
//! | [`talk`] | one conversation, from the handshake to the close |

mod params;
mod plan;
mod talk;

use std::cell::OnceCell;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

pub use params::{Act, SocketStep, WebsocketParams};

use super::context::{Context, OpenGauge};
use super::numbers::Numbers;
use super::samples::Check;
use super::socket_samples::SocketSamples;
use crate::client::target::Target;
use crate::metrics::{TrendId, names};
use crate::vu::{Iteration, VirtualUser, Work};
use plan::{Deed, Plan};

/// The work of the virtual users of one scenario.
pub(crate) struct Websocket(Rc<Talker>);

/// What those users share.
struct Talker {
    context: Rc<Context>,
    params: WebsocketParams,
    plan: Plan,
    samples: SocketSamples,
    open: Rc<OpenGauge>,
    opens: Check,
    /// One for each step that expects something.
    expectations: Vec<Option<(Check, TrendId)>>,
    target: OnceCell<Target>,
    numbers: Numbers,
}

impl Websocket {
    /// # Errors
    /// A step that cannot be compiled.
    pub(crate) fn new(context: Rc<Context>, params: &WebsocketParams) -> anyhow::Result<Self> {
        let given: Vec<String> = context.given.iter().map(|(name, _)| name.clone()).collect();
        let plan = Plan::compile(params, Some(&context.env), &given).map_err(anyhow::Error::msg)?;
        let expectations = plan.steps.iter().map(|step| {
            let Deed::Expect(_) = step.deed else { return None };
            let check = Check::new(&context, &format!("{} comes", step.name));
            let tags = context.tags(&[("name", &step.name)]);
            Some((check, context.registry().trend(names::WS_EXPECT_DURATION, &tags)))
        });
        Ok(Self(Rc::new(Talker {
            samples: SocketSamples::new(&context),
            open: OpenGauge::sockets(&context),
            opens: Check::new(&context, "socket opens"),
            expectations: expectations.collect(),
            params: params.clone(),
            plan,
            target: OnceCell::new(),
            numbers: Numbers::new(context.shared.stripe),
            context,
        })))
    }
}

impl Work for Websocket {
    fn set_up(&self) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async {
            let target = Target::resolve(&self.0.plan.origin).await?;
            self.0.target.get_or_init(|| target);
            Ok(())
        })
    }

    fn virtual_user(&self) -> Box<dyn VirtualUser> {
        let number = self.0.numbers.next_user();
        Box::new(User { talker: Rc::clone(&self.0), number })
    }
}

struct User {
    talker: Rc<Talker>,
    /// From 1, over all shards.
    number: u32,
}

impl VirtualUser for User {
    fn run(&mut self, iteration: Iteration) -> LocalBoxFuture<'_, ()> {
        Box::pin(self.talker.talk(self.number, iteration))
    }
}
