//! Metrics, thresholds, dashboard and reports together, on one made-up run.

#[path = "faces_compare.rs"]
mod compare;
#[path = "faces_dashboard.rs"]
mod dashboard;
#[path = "faces_files.rs"]
mod files;
#[path = "faces_merge.rs"]
mod merge;
#[path = "faces_metrics.rs"]
mod metrics;
#[path = "faces_page.rs"]
mod page;
#[path = "faces_report.rs"]
mod report;
#[path = "faces_run.rs"]
mod run;
