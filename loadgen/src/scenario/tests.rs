use std::time::Duration;

use super::*;

fn errors(text: &str) -> String {
    let errors = parse(text).unwrap_err();
    errors.iter().map(|error| format!("{error}\n")).collect()
}

const PLAIN: &str = r#"
name = "plain"
[scenarios.orders]
executor = "constant-arrival-rate"
exec = "place-order"
rate = 30
timeUnit = "1m"
duration = "1m30s"
preAllocatedVUs = 10
tags = { kind = "test" }
startTime = "5s"
[thresholds]
"http_req_duration{name:order}" = ["p(95)<200", { threshold = "max<1000", abortOnFail = true, delayAbortEval = "3s" }]
"orders_created" = "rate>=0.5"
[shop]
declineRate = 0.1
"#;

#[test]
fn a_file_without_phases_is_one_phase() {
    let file = parse(PLAIN).unwrap();
    assert_eq!(file.phases.len(), 1);
    let phase = &file.phases[0];
    assert_eq!(phase.name, "plain");
    assert_eq!(phase.send_lag_limit, Duration::from_millis(10));
    assert_eq!(phase.load_duration(), Duration::from_secs(95));
    assert_eq!(phase.longest_duration(), Duration::from_secs(125));
    let scenario = &phase.scenarios[0];
    assert_eq!(scenario.tags["kind"], "test");
    assert_eq!(scenario.executor.max_vus(), 10);
    assert_eq!(phase.target_rate(Duration::from_secs(4)), 0.0);
    assert_eq!(phase.target_rate(Duration::from_secs(6)), 0.5);
    assert_eq!(phase.thresholds.len(), 3);
    assert!(phase.thresholds[1].abort_on_fail);
    assert_eq!(phase.thresholds[1].delay_abort_eval, Duration::from_secs(3));
    let rate = phase.extra.shop.as_ref().unwrap().read(|shop| shop.or("declineRate", 0.0));
    assert_eq!(rate.unwrap(), 0.1);
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let text = r#"
name = "many mistakes"
colour = "red"
[scenarios.orders]
executor = "constant-arrival-rate"
exec = "place-order"
raet = 30
duration = "1 minute"
preAllocatedVUs = 10
maxVUs = 5
[scenarios.orders.params]
quantity = [3, 101]
products = ["product-9"]
[scenarios.reads]
executor = "constant-vu"
exec = "check-status"
vus = 3
[scenarios.ramp]
executor = "ramping-vus"
exec = "check-inventroy"
stages = [{ duration = "5s", traget = 3 }]
[thresholds]
"http_req_durations" = ["p(95)<200"]
"checks" = ["p(95)<200", "rate>"]
"#;
    insta::assert_snapshot!(errors(text), @r#"
    line 2, column 8: name: must be letters, digits, `-` or `_`
    line 3, column 1: colour: unknown key
    line 4, column 1: scenarios.orders.rate: is missing
    line 7, column 1: scenarios.orders.raet: unknown key; did you mean "rate"?
    line 8, column 12: scenarios.orders.duration: "1 minute" is no duration: write it like "1m30s" or "500ms"
    line 10, column 10: scenarios.orders.maxVUs: must not be below preAllocatedVUs
    line 12, column 12: scenarios.orders.params.quantity: must lie between 1 and 100
    line 13, column 12: scenarios.orders.params.products: unknown product "product-9": use product-1, product-2 or product-3
    line 15, column 12: scenarios.reads.executor: "constant-vu" is none of constant-arrival-rate, ramping-arrival-rate, constant-vus, ramping-vus, per-vu-iterations, shared-iterations; did you mean "constant-vus"?
    line 20, column 8: scenarios.ramp.exec: "check-inventroy" is none of place-order, watch-order, check-status, check-inventory, kafka-pipe, http, websocket; did you mean "check-inventory"?
    line 21, column 11: scenarios.ramp.stages[0].target: is missing
    line 21, column 30: scenarios.ramp.stages[0].traget: unknown key; did you mean "target"?
    line 23, column 25: thresholds."http_req_durations": there is no metric "http_req_durations"; did you mean "http_req_duration"?
    line 24, column 13: thresholds."checks": a rate has no `p(95)`: use rate
    line 24, column 26: thresholds."checks": the limit `` is no number
    "#);
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    insta::assert_snapshot!(errors("name = \n[scenarios\nx = 1 2\n"), @r#"
    line 1, column 8: string values must be quoted, expected literal string
    line 2, column 11: unclosed table, expected `]`
    "#);
}

#[test]
fn sections_tell_their_mistakes_with_the_place_in_the_file() {
    let file = parse(PLAIN).unwrap();
    let shop = file.phases[0].extra.shop.as_ref().unwrap();
    let errors = shop.read(|shop| shop.or::<u64>("declineRate", 0)).unwrap_err();
    insta::assert_snapshot!(errors[0].to_string(), @"line 16, column 15: shop.declineRate: expected a whole number, found a number");
    let errors = shop.read(|shop| shop.or::<f64>("decline_rates", 0.0)).unwrap_err();
    insta::assert_snapshot!(errors[0].to_string(), @r#"line 16, column 1: shop.declineRate: unknown key; did you mean "decline_rates"?"#);
}

#[test]
fn scaling_changes_how_much_and_not_how_long() {
    let mut file = parse(shipped("targets").unwrap()).unwrap();
    let phase = &mut file.phases[0];
    let before = phase.load_duration();
    phase.scale(0.1);
    assert_eq!(phase.load_duration(), before);
    let orders = phase.scenarios.iter().find(|scenario| scenario.name == "orders").unwrap();
    let Executor::ConstantArrivalRate { rate, vus, .. } = orders.executor else { panic!() };
    assert_eq!((rate, vus.pre_allocated, vus.max), (100.0, 1300, 1500));
    let limit = |metric: &str| {
        phase.thresholds.iter().find(|t| t.metric == metric).unwrap().expression.limit
    };
    assert_eq!(limit("ws_open"), 1000.0);
    assert_eq!(limit("orders_created"), 99.8);
    assert_eq!(limit("order_ended"), 5988.0);
    assert_eq!(limit("http_req_duration"), 200.0);
    assert_eq!(limit("checks"), 1.0);
    assert_eq!(limit("dropped_iterations"), 0.0);
}

#[test]
fn every_shipped_scenario_is_right_and_named_as_its_file() {
    for (name, text) in SHIPPED {
        let file = parse(text).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        assert_eq!(file.name, name);
        assert!(file.phases.iter().all(|phase| !phase.thresholds.is_empty()));
    }
}

#[test]
fn plans_survive_their_way_to_the_shard() {
    for (_, text) in SHIPPED {
        for phase in parse(text).unwrap().phases {
            let json = serde_json::to_string(&phase.scenarios).unwrap();
            let read: Vec<Scenario> = serde_json::from_str(&json).unwrap();
            assert_eq!(read, phase.scenarios);
        }
    }
}

#[test]
fn what_a_scenario_does_not_name_in_its_env_it_has_from_its_phase_and_its_file() {
    let scenario = "executor = \"per-vu-iterations\"\nexec = \"place-order\"\n";
    let text = format!(
        "name = \"env\"\nenv = {{ HOST = \"file\", USER = \"file\", PATH = \"file\" }}\n\
         [[phases]]\nname = \"one\"\nenv = {{ USER = \"phase\", PATH = \"phase\" }}\n\
         [phases.scenarios.a]\n{scenario}env = {{ PATH = \"scenario\" }}\n\
         [phases.scenarios.b]\n{scenario}\
         [[phases]]\nname = \"two\"\n[phases.scenarios.c]\n{scenario}"
    );
    let file = parse(&text).unwrap();
    let env = |phase: usize, scenario: usize| {
        let env = &file.phases[phase].scenarios[scenario].env;
        ["HOST", "USER", "PATH"].map(|name| env[name].as_str())
    };
    assert_eq!(env(0, 0), ["file", "phase", "scenario"]);
    assert_eq!(env(0, 1), ["file", "phase", "phase"]);
    assert_eq!(env(1, 0), ["file"; 3]);
    let wrong = "name = \"x\"\nenv = { HOST = 1 }\n";
    assert!(
        errors(wrong).contains("env: expected a string, found an integer"),
        "{}",
        errors(wrong)
    );
}

const STAGED: &str = r#"
name = "staged"
[scenarios.orders]
executor = "ramping-arrival-rate"
exec = "place-order"
startTime = "1s"
preAllocatedVUs = 10
stages = [
    { duration = "5s", target = 10, name = "up" },
    { duration = "0s", target = 50 },
    { duration = "5s", target = 50, name = "peak" },
]
[scenarios.reads]
executor = "constant-vus"
exec = "check-status"
duration = "10s"
[thresholds]
"#;

#[test]
fn a_threshold_knows_the_time_of_its_stage_and_the_planned_rate() {
    let text =
        format!("{STAGED}\"iterations{{stage:peak}}\" = [\"rate>=99%\"]\nhttp_reqs = \"count>1\"");
    let mut phase = parse(&text).unwrap().phases.remove(0);
    let seconds = |threshold: &Threshold| {
        let span = threshold.within.unwrap();
        (span.from.as_secs(), span.to.as_secs(), threshold.planned.arrivals(span))
    };
    assert_eq!(seconds(&phase.thresholds[0]), (6, 11, 250.0));
    assert_eq!(seconds(&phase.thresholds[1]), (0, 11, 0.0));
    phase.scale(0.5);
    assert_eq!(seconds(&phase.thresholds[0]), (6, 11, 125.0));
    assert_eq!(phase.thresholds[0].expression.to_string(), "rate>=99%");
}

#[test]
fn a_threshold_that_the_plan_cannot_answer_is_told() {
    let text = format!(
        "{STAGED}\"http_reqs{{stage:paek}}\" = \"count>1\"\n\"ws_open{{stage:peak}}\" = \"max<9\"\n\
         \"http_reqs{{stage:peak,scenario:reads}}\" = \"count>1\"\n\
         \"iterations{{scenario:reads}}\" = \"rate>9%\"\n\
         checks = {{ threshold = \"rate==1\", noData = \"pas\" }}"
    );
    insta::assert_snapshot!(errors(&text), @r#"
    line 18, column 27: thresholds."http_reqs{stage:paek}": there is no stage "paek" here; did you mean "peak"? Stages get their names by `name` in `stages`
    line 19, column 25: thresholds."ws_open{stage:peak}": ws_open is not counted by stage: judge it over the whole load
    line 20, column 42: thresholds."http_reqs{stage:peak,scenario:reads}": there is no stage "peak" here. Stages get their names by `name` in `stages`
    line 21, column 32: thresholds."iterations{scenario:reads}": no planned rate: only scenarios with an arrival rate have one, and none is meant here
    line 22, column 44: thresholds."checks".noData: "pas" is none of fail, pass; did you mean "pass"?
    "#);
}
