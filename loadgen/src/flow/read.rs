//! What all flows that only read have in common: an iteration is one question to one service.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use http::StatusCode;

use super::context::{Context, Services};
use super::params::Patience;
use super::request::{Answer, Asking};
use super::samples::RequestSamples;
use crate::client::instances::Instances;
use crate::client::request::Request;
use crate::vu::{Iteration, VirtualUser, Work};

/// A question, asked again and again.
pub(crate) trait Question: 'static {
    /// What is remembered of it until the answer is there.
    type Asked: 'static;
    /// The value of the tag `name`.
    const NAME: &'static str;

    fn instances(services: &Services) -> &Instances;

    /// Whether an answer is what the user came for.
    fn expected(status: StatusCode) -> bool;

    /// The next question's path.
    fn ask(&self, context: &Context) -> (String, Self::Asked);

    fn judge(&self, context: &Context, asked: Self::Asked, answer: Answer);
}

/// The work of the virtual users that ask `Q`.
pub(crate) struct Reads<Q>(Rc<Reader<Q>>);

struct Reader<Q> {
    context: Rc<Context>,
    samples: RequestSamples,
    patience: Patience,
    question: Q,
}

impl<Q: Question> Reads<Q> {
    pub(crate) fn new(context: Rc<Context>, patience: Patience, question: Q) -> Self {
        let samples = RequestSamples::new(&context, Q::NAME, "GET");
        Self(Rc::new(Reader { context, samples, patience, question }))
    }
}

impl<Q: Question> Work for Reads<Q> {
    fn virtual_user(&self) -> Box<dyn VirtualUser> {
        Box::new(User(Rc::clone(&self.0)))
    }
}

struct User<Q>(Rc<Reader<Q>>);

impl<Q: Question> VirtualUser for User<Q> {
    fn run(&mut self, iteration: Iteration) -> LocalBoxFuture<'_, ()> {
        Box::pin(self.0.read(iteration))
    }
}

impl<Q: Question> Reader<Q> {
    async fn read(&self, iteration: Iteration) {
        let shared = &self.context.shared;
        let (path, asked) = self.question.ask(&self.context);
        let asking = Asking {
            context: &self.context,
            samples: &self.samples,
            turn: Q::instances(&shared.services).turn(),
            client: shared.lease(),
            patience: self.patience,
            expected: Q::expected,
        };
        let answer = asking.ask(&Request::get(&path), iteration.intended_start).await;
        self.question.judge(&self.context, asked, answer);
    }
}
