//! Obeying what other servers change.

use std::{fmt::Display, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

/// How often a server looks whether another has changed something.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Looks again and again; never ends. While that fails, what was read stays, and `failing` is logged once.
pub(super) async fn follow<R, E>(failing: &'static str, refresh: impl Fn() -> R)
where
    R: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut well = true;
    loop {
        ticks.tick().await;
        let outcome = refresh().await;
        if let Err(error) = &outcome
            && well
        {
            tracing::warn!(%error, "{failing}");
        }
        well = outcome.is_ok();
    }
}
