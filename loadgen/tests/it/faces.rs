//! Metrics, thresholds, dashboard and reports together, on one made-up run.

#[path = "faces_dashboard.rs"]
mod dashboard;
#[path = "faces_metrics.rs"]
mod metrics;
#[path = "faces_report.rs"]
mod report;
#[path = "faces_run.rs"]
mod run;
