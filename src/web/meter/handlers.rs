use actix::prelude::*;
use tokio::time::Instant;

use super::{
    Meter,
    messages::{CommandTook, Counts, Scrape, SparkWanted},
    spark::Spark,
};
use crate::subscriber::LifecycleBatch;

impl Handler<LifecycleBatch> for Meter {
    type Result = ();

    fn handle(&mut self, msg: LifecycleBatch, ctx: &mut Self::Context) {
        self.missed(msg.lost());
        msg.events().for_each(|event| self.count(event));
        if msg.ended() {
            ctx.stop();
        }
    }
}

impl Handler<CommandTook> for Meter {
    type Result = ();

    fn handle(&mut self, msg: CommandTook, _: &mut Self::Context) {
        self.commands.observe(msg.0);
    }
}

impl Handler<Scrape> for Meter {
    type Result = Counts;

    fn handle(&mut self, _: Scrape, _: &mut Self::Context) -> Self::Result {
        Counts {
            by_name: self.by_name.clone(),
            others: self.others.clone(),
            lost: self.lost,
            commands: self.commands.clone(),
        }
    }
}

impl Handler<SparkWanted> for Meter {
    type Result = MessageResult<SparkWanted>;

    fn handle(&mut self, _: SparkWanted, _: &mut Self::Context) -> Self::Result {
        self.spark.move_to(Instant::now());
        MessageResult(Spark::clone(&self.spark))
    }
}
