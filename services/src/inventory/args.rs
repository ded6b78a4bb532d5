//! The inventory's own settings.

use std::str::FromStr;

use contract::ids::ProductId;

use crate::cli::{CommonArgs, DatabaseArgs, EdgeArgs};

/// The command line of the inventory service.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
    /// Pieces of each product that the shop starts with.
    #[arg(long, env = "STOCK", default_value = "product-1=1000,product-2=1000,product-3=1000")]
    pub stock: StartingStock,
    #[command(flatten)]
    pub edge: EdgeArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// Pieces of each product: `product-1=500,product-3=20`; none of those that are not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StartingStock([u32; ProductId::ALL.len()]);

impl StartingStock {
    #[must_use]
    pub const fn of(self, product: ProductId) -> u32 {
        self.0[product as usize]
    }
}

impl FromStr for StartingStock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut stock = Self::default();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let (product, pieces) = part
                .split_once('=')
                .ok_or_else(|| format!("{part:?} is not of the form product-1=1000"))?;
            let product: ProductId = product.trim().parse().map_err(|error| format!("{error}"))?;
            stock.0[product as usize] = pieces
                .trim()
                .parse()
                .map_err(|_| format!("{pieces:?} is not a number of pieces (0 to {})", u32::MAX))?;
        }
        Ok(stock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stock_is_told_product_by_product() {
        let stock: StartingStock = "product-3=20, product-1=500".parse().unwrap();
        assert_eq!(ProductId::ALL.map(|product| stock.of(product)), [500, 0, 20]);
        for wrong in ["product-1", "product-9=1", "product-1=-1", "product-1=many"] {
            assert!(wrong.parse::<StartingStock>().is_err(), "{wrong}");
        }
    }
}
