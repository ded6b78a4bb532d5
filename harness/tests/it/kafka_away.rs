//! The broker killed under load, at small scale: every request is answered, every order ends.

use crate::process::{one_shop, run};

/// The times are judged elsewhere: the tests' build is slow and its machine busy.
const AWAY: &str = "\
name = \"away\"
sendLagLimit = \"60s\"
[shop]
stock = { product-1 = 1000000, product-2 = 1000000, product-3 = 1000000 }
declineRate = 0.1
durable = true
[chaos]
kill = [\"broker\"]
first = \"3s\"
every = \"12s\"
rounds = 2
downFor = \"6s\"
[scenarios.orders]
executor = \"constant-arrival-rate\"
exec = \"place-order\"
rate = 60
duration = \"25s\"
preAllocatedVUs = 300
maxVUs = 2000
gracefulStop = \"30s\"
[scenarios.orders.params]
timeout = \"9s\"
[thresholds]
http_req_failed = [\"rate==0\"]
checks = [\"rate==1\"]
";
const ORDERS: u64 = 60 * 25;

#[test]
fn every_order_is_taken_and_ends_while_the_broker_is_killed_twice() {
    let _turn = one_shop();
    let (code, summary, said) = run(AWAY);
    let audit = &summary["audit"];
    assert_eq!(audit["verdict"], "pass", "{said}");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((audit["orders"].as_u64(), audit["ended"].as_u64()), (Some(ORDERS), Some(ORDERS)));
    let kills = audit["kills"].as_array().expect("the kills are listed");
    assert_eq!(kills.len(), 2);
    for kill in kills {
        assert_eq!(
            (kill["service"].as_str(), kill["down_for_ms"].as_u64()),
            (Some("broker"), Some(6000))
        );
        assert!(kill["recovered_in_ms"].is_u64(), "{kill}");
    }
}
