//! payment
use crate::cli::CommonArgs;
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
}
pub(crate) async fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("not yet")
}
