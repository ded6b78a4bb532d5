//! A service that runs as several instances, as a client with a list of their URLs sees it.

use std::cell::Cell;

use anyhow::ensure;

use super::target::Target;

/// What the flows remember of each order for each instance fits into so many bits.
pub(crate) const MOST_INSTANCES: usize = 16;

/// The instances of one service: at least one.
#[derive(Debug)]
pub(crate) struct Instances {
    all: Vec<Target>,
    /// Whose turn it is.
    next: Cell<usize>,
}

/// One user's place among the instances: where its next request goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn<'a> {
    instances: &'a Instances,
    at: usize,
}

impl Instances {
    /// Looks the addresses of `urls` up.
    ///
    /// # Errors
    /// There is none or there are too many, or one is no URL or has no address.
    pub(crate) async fn resolve(service: &str, urls: &[String]) -> anyhow::Result<Self> {
        ensure!(!urls.is_empty(), "no URL of the {service} service");
        let count = urls.len();
        ensure!(
            count <= MOST_INSTANCES,
            "{count} URLs of the {service} service: at most {MOST_INSTANCES} are taken"
        );
        let mut all = Vec::with_capacity(count);
        for url in urls {
            all.push(Target::resolve(url).await?);
        }
        Ok(Self { all, next: Cell::new(0) })
    }

    /// The next user's place: one instance after the other.
    pub(crate) fn turn(&self) -> Turn<'_> {
        let at = self.next.get();
        self.next.set((at + 1) % self.all.len());
        Turn { instances: self, at }
    }

    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }
}

impl<'a> Turn<'a> {
    pub(crate) fn target(self) -> &'a Target {
        &self.instances.all[self.at]
    }

    /// Which instance it is, from 0.
    pub(crate) fn index(self) -> usize {
        self.at
    }

    /// How many instances there are to ask.
    pub(crate) fn count(self) -> usize {
        self.instances.count()
    }

    /// The next request goes to the next instance.
    pub(crate) fn pass_on(&mut self) {
        self.at = (self.at + 1) % self.instances.count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(urls: &[&str]) -> anyhow::Result<Instances> {
        let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
        Instances::resolve("order", &urls).await
    }

    #[tokio::test]
    async fn users_take_turns_and_pass_on_from_where_they_are() {
        let instances = resolve(&["http://127.0.0.1:1", "http://127.0.0.1:2/shop/"]).await.unwrap();
        let turns = [instances.turn(), instances.turn(), instances.turn()];
        assert_eq!(turns.map(Turn::index), [0, 1, 0]);
        assert_eq!([0, 1].map(|at: usize| turns[at].target().prefix()), ["", "/shop"]);
        let mut turn = turns[1];
        turn.pass_on();
        assert_eq!((turn.index(), turn.count()), (0, 2));
    }

    #[tokio::test]
    async fn no_url_and_too_many_are_refused() {
        let error = resolve(&[]).await.unwrap_err();
        assert!(error.to_string().contains("order"), "{error}");
        let error = resolve(&["http://127.0.0.1:1"; MOST_INSTANCES + 1]).await.unwrap_err();
        assert!(error.to_string().contains("at most 16"), "{error}");
    }
}
