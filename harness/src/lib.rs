//! `doorbuster`: the command line, the processes, chaos, and the audit.
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | the command line, and nothing behind it |
//! | [`run`] | the phases of a scenario: shop, load, audit, report |
//! | [`capacity`] | the highest rate at which all thresholds hold |
//! | [`up`] | the shop on its known ports, to stay |
//! | [`audit`] | the log against what clients were told; [`audit_command`] does it on any cluster |
//! | [`results`] | what runs left behind: rendered again, compared, merged |
//! | [`gate`] | runs two builds in turn and judges whether one is slower |
//! | [`replay`] | checks a running service against the log; sets back a group |
//! | [`scenarios`] | scenarios by file or name; [`settings`] is what they say about their shop |
//! | [`supervise`] | starts children, restarts them on their port, ends them |
//! | [`chaos`] | kills services by schedule, and tells how fast they came back; [`rolling`] restarts them in order |
//! | [`usage`] | what each process costs |
//! | [`service`] | the processes of the shop by name |
//! | [`http`] | the few requests that the harness itself sends |
//! | [`exit`] | exit codes |
//! | [`say`] | lines for people |

#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod audit;
pub mod audit_command;
pub mod capacity;
pub mod chaos;
pub mod cli;
pub mod database;
pub mod exit;
pub mod gate;
pub mod http;
pub mod replay;
pub mod results;
pub mod rolling;
pub mod run;
pub mod say;
pub mod scenarios;
pub mod service;
pub mod settings;
pub mod supervise;
pub mod up;
pub mod usage;
