//! Keys and a KEK whose time has come end, whatever step on the way a server is killed at. Its clock is moved on by
//! libfaketime, since that takes years.

use std::time::{Duration, Instant};

use kunji_tests::{
    fault_module::{Fault, Rule},
    http::Http,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{operations::is_success, trigger::Moment, world::World};

/// More starts than an end takes.
const STARTS: u64 = 60;
/// How long a server that was started has for the steps that are due.
const PATIENCE: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
/// When every certificate of the first day has ended.
const ENDED: Duration = Duration::from_hours(24 * 1_130);
/// The shipped waiting period.
const WAIT: Duration = Duration::from_hours(24 * 30);

/// How long nobody may have looked what is due, in seconds: as long as can be set.
const UNWATCHED: &str = "259200";
/// How often somebody does while time goes by.
const LOOK: Duration = Duration::from_hours(2 * 24);

/// What is to end.
struct Ending {
    keys: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_end_ends_wherever_a_server_dies_on_the_way() {
    let mut world = World::remote().await;
    world.site.set("KUNJI_DESTRUCTION_UNWATCHED_SECONDS", UNWATCHED);
    world.start().await;
    let ending = Ending::prepare(&mut world).await;

    start_at(&mut world, ENDED).await;
    for key in &ending.keys {
        ask(&world, &format!("/v1/keys/{key}/destroy")).await;
    }
    let due = ENDED + WAIT;
    watch_until(&mut world, ENDED, due.saturating_sub(10 * MINUTE)).await;
    assert!(
        !ending.all(&world, |key| key["key"]["state"] == "destroying").await.unwrap(),
        "not before its time"
    );
    kill_until(&mut world, due + 20 * MINUTE, async |world| {
        ending.all(world, |key| key["key"]["state"] == "destroying").await
    })
    .await;
    kill_until(&mut world, due + 40 * MINUTE, async |world| {
        ending
            .all(world, |key| {
                let (state, is_on_token) = (&key["key"]["state"], key["key"]["referenceId"] == "");
                key["key"]["storedIn"] == "nowhere" && (!is_on_token || state == "destroyed")
            })
            .await
    })
    .await;
    // A backup of the records, and the KEK, would open yet.
    world.start().await;
    for key in &ending.keys {
        let shown = world.get(&format!("/v1/keys/{key}")).await.body["key"].clone();
        let on_token = shown["referenceId"] == "";
        assert_eq!(shown["state"], if on_token { "destroyed" } else { "destroying" }, "{shown}");
        let path = format!("/v1/keys/{key}/cancel-destruction");
        let refused = world.http.post(&path, &json!({})).await;
        assert_eq!(refused.body["code"], "key.change_refused", "{refused:?}");
    }

    ask(&world, "/v1/keks/REGISTRATION/1/destroy").await;
    let asked = due + 40 * MINUTE;
    let due = due + WAIT;
    watch_until(&mut world, asked, due + 10 * MINUTE).await;
    kill_until(&mut world, due + 80 * MINUTE, async |world| kek(world, "destroying").await).await;
    kill_until(&mut world, due + 100 * MINUTE, async |world| {
        let keys = ending.all(world, |key| key["key"]["state"] == "destroyed").await?;
        Some(kek(world, "destroyed").await? && keys)
    })
    .await;

    start_at(&mut world, due + DAY).await;
    assert!(
        ending.all(&world, |key| key["destruction"]["tombstone"]["signature"].is_string()).await.unwrap()
    );
    world.seal("ends").await;
    world.open_packets(usize::MAX).await;
    assert_eq!(world.examine().await, [""; 0]);
}

impl Ending {
    /// Two keys in the records and one on the token that have successors, all of the first KEK's time.
    async fn prepare(world: &mut World) -> Self {
        let mut keys = Vec::new();
        world.http.certificate("REGISTRATION", "ends").await;
        for reference in ["ends", "", "ends"] {
            let newest =
                world.versions("REGISTRATION", reference).await[0]["keyId"].as_str().unwrap().to_owned();
            let rotated = world.http.post(&format!("/v1/keys/{newest}/rotate"), &json!({})).await;
            assert!(is_success(&rotated), "{rotated:?}");
            keys.push(newest);
        }
        // What others need ends after them.
        keys.swap(1, 2);
        Self { keys }
    }

    /// Whether all of them are so; `None` when the server has died.
    async fn all(&self, world: &World, are: impl Fn(&Value) -> bool) -> Option<bool> {
        for key in &self.keys {
            let shown = world.send(Method::GET, &format!("/v1/keys/{key}"), None).await?;
            assert!(is_success(&shown), "{shown:?}");
            if !are(&shown.body) {
                return Some(false);
            }
        }
        Some(true)
    }
}

async fn kek(world: &World, state: &str) -> Option<bool> {
    let shown = world.send(Method::GET, "/v1/keks/REGISTRATION", None).await?;
    let keks = shown.body["keks"].as_array().unwrap();
    Some(keks.iter().any(|kek| kek["version"] == 1 && kek["state"] == state))
}

/// A server whose clock is so far ahead, and somebody who is signed in there for a day.
async fn start_at(world: &mut World, ahead: Duration) {
    world.set_clock_ahead(ahead);
    world.sign_out();
    world.start().await;
}

/// Time goes by, and servers look what is due all the while: a wait that nobody watches begins anew.
async fn watch_until(world: &mut World, from: Duration, to: Duration) {
    let mut at = from;
    while at < to {
        at = to.min(at + LOOK);
        let before = world.last_look().await;
        start_at(world, at).await;
        let began = Instant::now();
        while world.last_look().await == before {
            assert!(began.elapsed() < PATIENCE, "nobody looks: {}", world.site.log());
        }
    }
}

/// Asks for an end; as shipped, an administrator has to agree.
async fn ask(world: &World, path: &str) {
    let body = json!({ "reason": "retired" });
    let waits = world.http.post(path, &body).await;
    assert_eq!(waits.status, 202, "{waits:?}");
    let secret = world.site.administrator_secret();
    let administrator = Http::new(world.http.base()).sign_in("administrator", &secret).await;
    let approval = waits.headers["location"].to_str().unwrap();
    assert_eq!(administrator.post(&format!("{approval}/approve"), &json!({})).await.status, 200);
    let asked = world.http.post(path, &body).await;
    assert!(is_success(&asked), "{asked:?}");
}

/// Starts servers whose clock is so far ahead, and kills them a step later each time, until one has everything as it is
/// to be.
async fn kill_until(world: &mut World, ahead: Duration, is_done: impl AsyncFn(&World) -> Option<bool>) {
    world.set_clock_ahead(ahead);
    for start in 0..STARTS {
        world.kill();
        world.end_leases().await;
        let (moment, fault) =
            if start % 2 == 0 { (Moment::Before, Fault::Kill) } else { (Moment::After, Fault::KillAfter) };
        let nth = 1 + start / 2;
        world.faults.set([Rule::nth(nth, "C_DestroyObject", fault)]);
        let started = world.try_start(|trigger| trigger.arm(moment, nth)).is_ok();
        let began = Instant::now();
        while started && began.elapsed() < PATIENCE {
            match is_done(world).await {
                None => break,
                Some(true) => {
                    world.trigger.disarm();
                    world.faults.clear();
                    assert!(start >= 2, "it was never killed");
                    return;
                }
                Some(false) => {}
            }
        }
        world.trigger.disarm();
    }
    panic!("it never ends: {}", world.site.log());
}
