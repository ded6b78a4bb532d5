//! What was done to the shop while it was under load, as bands for the charts.

use std::time::Duration;

use loadgen::report::{Disturbance, DisturbanceKind};

use crate::chaos::KillReport;
use crate::rolling::RestartReport;
use crate::settings::ShopSettings;

/// Kills, restarts and a gateway's faults that end, in the order of time.
#[must_use]
pub fn disturbances(
    kills: &[KillReport],
    restarts: &[RestartReport],
    shop: &ShopSettings,
) -> Vec<Disturbance> {
    let killed = |kill: &KillReport| {
        let from = Duration::from_millis(kill.killed_at_ms);
        let back = |recovered_in| from + Duration::from_millis(kill.down_for_ms + recovered_in);
        Disturbance {
            kind: DisturbanceKind::Kill,
            what: kill.instance.clone(),
            from,
            until: kill.recovered_in_ms.map(back),
        }
    };
    let restarted = |restart: &RestartReport| {
        let from = Duration::from_millis(restart.stopped_at_ms);
        let took = Duration::from_millis(restart.stopped_in_ms + restart.ready_in_ms);
        Disturbance {
            kind: DisturbanceKind::Restart,
            what: restart.name.clone(),
            from,
            until: Some(from + took),
        }
    };
    let mut all: Vec<Disturbance> = kills.iter().map(killed).collect();
    all.extend(restarts.iter().map(restarted));
    let fails = [shop.error_rate, shop.silent_rate, shop.query_error_rate];
    // The gateway starts a moment before the load; faults that last as long as it are no band.
    if let Some(until) = shop.faults_for.filter(|_| fails.iter().any(|rate| *rate > 0.0)) {
        all.push(Disturbance {
            kind: DisturbanceKind::Fault,
            what: "gateway".into(),
            from: Duration::ZERO,
            until: Some(until),
        });
    }
    all.sort_by_key(|disturbance| disturbance.from);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_lasts_until_the_victim_works_again() {
        let kill = |killed_at_ms, recovered_in_ms| KillReport {
            service: "payment",
            instance: "payment-2".into(),
            killed_at_ms,
            orders_in_flight: 7,
            down_for_ms: 500,
            recovered_in_ms,
        };
        let restart = RestartReport {
            service: "order",
            name: "order".into(),
            stopped_at_ms: 1000,
            stopped_in_ms: 20,
            ready_in_ms: 80,
            in_order: true,
        };
        let shop = ShopSettings {
            silent_rate: 0.1,
            faults_for: Some(Duration::from_secs(9)),
            ..ShopSettings::default()
        };
        let all = disturbances(&[kill(4000, Some(300)), kill(2000, None)], &[restart], &shop);
        let seen = all.iter().map(|one| (one.kind.label(), one.from.as_millis(), one.until));
        let ms = |millis| Some(Duration::from_millis(millis));
        let expected = [
            ("fault", 0, ms(9000)),
            ("restart", 1000, ms(1100)),
            ("kill", 2000, None),
            ("kill", 4000, ms(4800)),
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        assert_eq!(disturbances(&[], &[], &ShopSettings::default()), []);
    }
}
