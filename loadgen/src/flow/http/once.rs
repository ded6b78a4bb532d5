//! Steps that are taken once: before all load, or after it.

use std::rc::Rc;

use anyhow::{Context as _, anyhow};

use super::super::context::{Context, Services, Shared};
use super::super::{Given, Targets, shop_urls};
use super::{Http, HttpParams};
use crate::executor::schedule::Stripe;
use crate::vu::{Iteration, Work as _};

/// What steps that are taken once go by.
#[derive(Debug, Clone)]
pub struct Once {
    pub params: HttpParams,
    /// What their texts may look up, beside the shop's URLs.
    pub env: std::collections::BTreeMap<String, String>,
    /// What was captured before.
    pub given: Given,
    pub targets: Targets,
    pub seed: u64,
}

impl Once {
    /// Takes the steps, and gives all that is captured then. Blocks: to be called where that is allowed.
    ///
    /// # Errors
    /// The step that does not hold, and why.
    pub fn run(self) -> anyhow::Result<Given> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(tokio::runtime::LocalOptions::default())?;
        runtime.block_on(self.take())
    }

    async fn take(self) -> anyhow::Result<Given> {
        let services = Services::resolve(&Targets::nowhere()).await?;
        let ids = (self.seed, self.seed);
        let shared = Shared::new(services, Stripe { index: 0, of: 1 }, ids, None);
        let context = Context {
            shared: Rc::new(shared),
            index: 0,
            tags: Vec::new(),
            traffic: Rc::default(),
            env: shop_urls::with(&self.env, &self.targets),
            given: self.given,
        };
        let http = Http::new(Rc::new(context), &self.params)?;
        http.set_up().await.context("cannot reach what it asks")?;
        let mut user = http.user();
        let now = std::time::Instant::now();
        user.go(Iteration { number: 0, intended_start: now, started: now }).await;
        match user.failed() {
            Some(why) => Err(anyhow!(why)),
            None => Ok(user.into_captured()),
        }
    }
}
