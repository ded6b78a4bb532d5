//! `http`: asks any service, in steps that a scenario file describes.
//!
//! | module | what it holds |
//! |---|---|
//! | [`params`] | the steps as they stand in the file |
//! | [`plan`] | the steps compiled |
//! | [`once`] | steps that are taken once, before or after all load |
//! | [`user`] | one virtual user with its connections |

mod once;
pub(super) mod params;
pub(crate) mod plan;
mod user;

use std::cell::OnceCell;
use std::rc::Rc;

use anyhow::Context as _;
use futures_util::future::LocalBoxFuture;

pub use once::Once;
pub use params::{Body, HttpParams, HttpStep};

use super::context::Context;
use super::numbers::Numbers;
use super::samples::{Check, RequestSamples};
use crate::client::target::Target;
use crate::metrics::{TrendId, names};
use crate::vu::{VirtualUser, Work};
use plan::Plan;
use user::User;

/// The work of the virtual users of one scenario.
pub(crate) struct Http(Rc<Asker>);

/// What those users share.
struct Asker {
    context: Rc<Context>,
    params: HttpParams,
    plan: Plan,
    /// One for each step.
    records: Vec<Records>,
    targets: OnceCell<Vec<Target>>,
    numbers: Numbers,
}

/// What is recorded of one step.
struct Records {
    samples: RequestSamples,
    /// One for each demand.
    demands: Vec<Check>,
    /// One for each captured value.
    captures: Vec<Check>,
    group: Option<TrendId>,
}

impl Http {
    /// # Errors
    /// A step that cannot be compiled.
    pub(crate) fn new(context: Rc<Context>, params: &HttpParams) -> anyhow::Result<Self> {
        let given: Vec<String> = context.given.iter().map(|(name, _)| name.clone()).collect();
        let plan = Plan::compile(params, Some(&context.env), &given).map_err(anyhow::Error::msg)?;
        let records = plan.steps.iter().zip(&params.steps).map(|(step, params)| {
            let check = |what: &str| Check::new(&context, &format!("{}: {what}", step.name));
            let group = step.group.as_deref().map(|group| {
                let tags = context.tags(&[("group", group)]);
                context.registry().trend(names::GROUP_DURATION, &tags)
            });
            let captures = params.captures.iter();
            Records {
                samples: RequestSamples::new(&context, &step.name, &step.method),
                demands: step.demands.iter().map(|(name, _)| check(name)).collect(),
                captures: captures.map(|to| check(&format!("{} is found", to.name))).collect(),
                group,
            }
        });
        let (records, params) = (records.collect(), params.clone());
        let (targets, numbers) = (OnceCell::new(), Numbers::new(context.shared.stripe));
        Ok(Self(Rc::new(Asker { context, params, plan, records, targets, numbers })))
    }

    fn user(&self) -> User {
        User::new(Rc::clone(&self.0))
    }
}

impl Work for Http {
    fn set_up(&self) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async {
            let mut targets = Vec::new();
            for origin in &self.0.plan.origins {
                targets.push(Target::resolve(origin).await.context("of a step")?);
            }
            self.0.targets.get_or_init(|| targets);
            Ok(())
        })
    }

    fn virtual_user(&self) -> Box<dyn VirtualUser> {
        Box::new(self.user())
    }
}

impl Asker {
    fn targets(&self) -> &[Target] {
        self.targets.get().map_or(&[], Vec::as_slice)
    }
}
