//! Snapshots: a service's state as it follows from the beginning of the log up to some offsets, so that a
//! restart folds only what came after them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`state`] | what a state must offer to be kept, restored and compared |
//! | [`cut`] | the offsets that a snapshot stands for, and by which records the log is recognised |
//! | [`lendable`], [`book`] | small values by order, lent to a writer without a copy or a pause |
//! | [`format`] | a snapshot as bytes |
//! | [`folder`] | the files: written whole or not at all, two generations of each |
//! | [`anchors`] | whether the log is still the one that a snapshot was made of |
//! | [`keeper`] | when snapshots are written, and which one a start goes on from |

pub(crate) mod anchors;
pub(crate) mod book;
pub(crate) mod cut;
pub(crate) mod folder;
pub(crate) mod format;
pub(crate) mod keeper;
pub(crate) mod lendable;
pub(crate) mod state;

pub(crate) use cut::{Anchor, Cut, Mark};
pub(crate) use keeper::{Export, Finder, Keeper, Start};
pub(crate) use state::{Content, State, Unit, Units};
