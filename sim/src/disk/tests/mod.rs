//! The storage under a core, on a file system that fails, tears and forgets at will.

mod changes;
mod failing;
mod fake;
mod journal;
mod model;
mod recovery;
mod rig;
mod segments;
