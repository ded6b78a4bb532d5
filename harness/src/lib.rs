//! `doorbuster`: the command line, the processes, chaos, and the audit.
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | the command line, and nothing behind it |
//! | [`supervise`] | starts children, restarts them on their port, ends them |
//! | [`usage`] | what each process costs |
//! | [`chaos`] | kills services by schedule, and how fast they came back |
//! | [`run`] | the phases of a scenario: shop, load, audit, report |
//! | [`up`] | the shop on its known ports, to stay |
//! | [`audit`] | the log against what clients were told |

pub mod audit;
pub mod http;
