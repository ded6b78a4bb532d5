//! The checks of stock, each against a bug planted in a healthy shop.

use chrono::TimeDelta;
use contract::events::EventType;
use contract::http::InventoryItem;

use crate::audit_checks::caught;
use crate::draft::{PRODUCT, SHIPPED, Shop, UNPAID};

#[test]
fn more_sold_than_there_was() {
    caught("stock-never-negative", SHIPPED, |shop| {
        shop.initial.insert(PRODUCT, 1);
    });
    // Enough at the end, since one was given back, but not in between.
    caught("stock-never-negative", 9, |shop| {
        shop.initial.insert(PRODUCT, 7);
    });
}

#[test]
fn stock_that_does_not_add_up() {
    fn shown(shop: &mut Shop, instance: usize) -> &mut InventoryItem {
        shop.shelves[instance].items.get_mut(&PRODUCT).unwrap()
    }
    for instance in [0, 1] {
        caught("stock-adds-up", None, |shop| shown(shop, instance).current_stock += 1);
        caught("stock-adds-up", None, |shop| shown(shop, instance).reserved_stock = 2);
        caught("stock-adds-up", None, |shop| {
            shown(shop, instance).last_updated += TimeDelta::seconds(1)
        });
        caught("stock-adds-up", None, |shop| {
            shop.shelves[instance].failures.push((PRODUCT, "answers 500".to_owned()));
        });
    }
    caught("stock-adds-up", None, |shop| shop.remove(UNPAID, EventType::InventoryReleased));
    caught("stock-adds-up", None, |shop| {
        shop.initial.remove(&PRODUCT);
    });
}
