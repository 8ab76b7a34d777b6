//! An installation whose server is killed and started again, and what it has acknowledged.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use kunji_tests::{
    fault_module::FaultModule,
    http::{Answer, Http, b64, unb64},
    peer,
    proxy::Proxy,
    site::{Server, Site},
    surreal_server::{Database, SurrealServer},
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::trigger::{Trigger, watch};

/// Starts in a row that may fail because the machine is busy.
const STARTS: usize = 3;
/// How long a server may refuse requests because its database does not answer in time, for the same cause.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where Debian and others put libfaketime, for programs with several threads.
fn faketime() -> &'static str {
    const PLACES: [&str; 4] = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib64/faketime/libfaketimeMT.so.1",
        "/usr/lib/faketime/libfaketimeMT.so.1",
    ];
    let place = PLACES.into_iter().find(|place| Path::new(place).exists());
    place.expect("libfaketime is not installed: install the package libfaketime")
}

/// Where the records are.
enum Records {
    Embedded,
    Remote { server: Arc<SurrealServer>, database: Database, _proxy: Proxy },
}

pub(crate) struct World {
    // First, so that it ends before its place.
    server: Option<Server>,
    pub(crate) site: Site,
    /// The file that describes the token, and what is in it.
    token: (PathBuf, Vec<u8>),
    pub(crate) faults: FaultModule,
    pub(crate) trigger: Arc<Trigger>,
    records: Records,
    /// Somebody who may do everything with keys.
    pub(crate) http: Http,
    packets: Vec<(String, Vec<u8>)>,
    /// Keys that were seen, with their generations.
    keys: BTreeMap<String, u64>,
}

/// The same place with a database server.
pub(crate) fn with_database(site: Site, url: &str, database: &Database) -> Site {
    let password = site.path().join("database-password");
    fs::write(&password, &database.password).unwrap();
    site.with("KUNJI_DATABASE_URL", url)
        .with("KUNJI_DATABASE_NAMESPACE", &database.namespace)
        .with("KUNJI_DATABASE_NAME", &database.database)
        .with("KUNJI_DATABASE_USER", &database.user)
        .with("KUNJI_DATABASE_PASSWORD_FILE", password.to_str().unwrap())
}

/// The file in which SoftHSM describes the only token of the place, and what is in it.
fn description(site: &Site) -> (PathBuf, Vec<u8>) {
    let token = fs::read_dir(site.token_directory()).unwrap().next().unwrap().unwrap();
    let file = token.path().join("token.object");
    let content = fs::read(&file).unwrap();
    (file, content)
}

/// Sends a request; `None` when the server died before it had answered.
pub(crate) async fn send(request: RequestBuilder) -> Option<Answer> {
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status(), response.headers().clone());
    Some(Answer::new(status, headers, response.text().await.ok()?))
}

impl World {
    /// An installation with an embedded database, not started yet.
    pub(crate) fn embedded() -> Self {
        Self::over(Site::new(), Records::Embedded, Arc::default())
    }

    /// The same with a database server, behind a proxy that the trigger watches.
    pub(crate) async fn remote() -> Self {
        let server = SurrealServer::shared().unwrap();
        let database = server.create_database().await.unwrap();
        let trigger = Arc::new(Trigger::default());
        let proxy = Proxy::watched(server.address(), watch(&trigger));
        let site = with_database(Site::new(), &format!("ws://{}", proxy.address()), &database);
        Self::over(site, Records::Remote { server, database, _proxy: proxy }, trigger)
    }

    fn over(site: Site, records: Records, trigger: Arc<Trigger>) -> Self {
        let faults = FaultModule::new();
        let site = site
            .with("KUNJI_KEYS", "ROOT,REGISTRATION")
            .with("KUNJI_KEY_CREATION_QUOTA_PER_HOUR", "100000")
            .with("KUNJI_TOKEN_LIFETIME_SECONDS", "86400")
            .with("KUNJI_PKCS11_MODULE", faults.path().to_str().unwrap())
            // What kills the library's process kills the server.
            .with("KUNJI_PKCS11_ISOLATION", "none");
        let http = Http::new("http://nowhere.test");
        Self {
            server: None,
            token: description(&site),
            site,
            faults,
            trigger,
            records,
            http,
            packets: Vec::new(),
            keys: BTreeMap::new(),
        }
    }

    /// Starts the server; `arm` is called when its process is there. Whether it became ready.
    pub(crate) fn try_start(&mut self, arm: impl FnOnce(&Trigger)) -> Result<(), String> {
        let trigger = Arc::clone(&self.trigger);
        let begun = |process| {
            trigger.watch(process);
            arm(&trigger);
        };
        let server = self.site.try_start(self.site.command(), begun)?;
        self.http = match self.http.token() {
            Some(token) => server.http().bearing(token),
            None => server.http(),
        };
        self.server = Some(server);
        Ok(())
    }

    /// Starts the server for good, as after a crash: what its predecessor held has run out by then.
    pub(crate) async fn start(&mut self) {
        self.trigger.disarm();
        self.faults.clear();
        self.kill();
        self.mend_token();
        self.end_leases().await;
        let mut ends = Vec::new();
        while let Err(end) = self.try_start(|_| ()) {
            ends.push(end);
            // On a busy machine the database may not answer in time.
            assert!(ends.len() < STARTS, "it does not start any more: {ends:?}{}", self.site.log());
        }
        if self.http.token().is_none() {
            let secret = self.site.administrator_secret();
            let administrator = self.http.sign_in("administrator", &secret).await;
            let roles = ["key-administrator", "encryptor", "decryptor", "signer"];
            self.http = administrator.new_client(&roles).await;
        }
    }

    /// SoftHSM empties the file that describes the token and writes it anew at each login: who is killed between the two
    /// leaves no token, though all keys are there. That is its loss, not the server's.
    fn mend_token(&self) {
        let (file, content) = &self.token;
        if fs::metadata(file).unwrap().len() == 0 {
            println!("SoftHSM was killed while it wrote its token, which is put back");
            fs::write(file, content).unwrap();
        }
    }

    /// Leases run out in twenty seconds, which nobody waits for here.
    pub(crate) async fn end_leases(&self) {
        const TEXT: &str = "DELETE lease";
        match &self.records {
            Records::Remote { server, database, .. } => {
                // Before the first start's schema there is no such table.
                drop(server.ask(database, TEXT).await);
            }
            Records::Embedded => {
                let directory = self.site.data_dir().join("database");
                if !directory.join("LOCK").exists() {
                    return;
                }
                {
                    let url = format!("surrealkv://{}?sync=every", directory.display());
                    let database = surrealdb::engine::any::connect(url).await.unwrap();
                    database.use_ns("kunji").use_db("kunji").await.unwrap();
                    drop(database.query(TEXT).await);
                }
                // The engine's tasks end some time after its last handle.
                let lock = fs::File::open(directory.join("LOCK")).unwrap();
                while lock.try_lock().is_err() {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// When a server last looked which keys are to be destroyed, milliseconds since the epoch.
    pub(crate) async fn last_look(&self) -> Option<i64> {
        const TEXT: &str = "SELECT VALUE looked_at FROM destruction_watch";
        let Records::Remote { server, database, .. } = &self.records else {
            panic!("it is the server's own")
        };
        server.ask(database, TEXT).await.unwrap().into_array().unwrap().first()?.as_int().copied()
    }

    /// Has servers that are started from now on have a clock that is so far ahead, by libfaketime.
    pub(crate) fn set_clock_ahead(&mut self, by: Duration) {
        self.site.set("LD_PRELOAD", faketime());
        self.site.set("FAKETIME", format!("+{}", by.as_secs()));
        // Only what the calendar says is ahead: who waits a second waits a second.
        self.site.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        // What it shares between processes stays behind when they are killed.
        self.site.set("FAKETIME_DISABLE_SHM", "1");
    }

    /// Has the next start for good sign in anew.
    pub(crate) fn sign_out(&mut self) {
        self.http = Http::new("http://nowhere.test");
    }

    /// Waits for the end of a server that was killed.
    pub(crate) fn bury(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        while !server.has_ended() {
            std::thread::yield_now();
        }
    }

    /// Ends the server as a crash would, if there is one and it has not ended yet.
    pub(crate) fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    /// Sends a request; `None` when the server died before it had answered.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Option<Answer> {
        let mut request = self.http.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        send(request).await
    }

    /// What a server that lives answers when it can.
    pub(crate) async fn insist<R>(&self, ask: impl Fn() -> R) -> Answer
    where
        R: Future<Output = Option<Answer>>,
    {
        let began = Instant::now();
        loop {
            let answer = ask().await.expect("nobody kills it now");
            if answer.status != 503 {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "{answer:?}");
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let answer = self.insist(|| self.send(Method::GET, path, None)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// An enveloped request under `/v1/keymanager`.
    pub(crate) async fn call(&self, path: &str, request: Value) -> Option<Answer> {
        let body = json!({
            "id": "x", "version": "1", "requesttime": "2026-01-05T10:11:12.123Z", "request": request,
        });
        self.send(Method::POST, &format!("/v1/keymanager{path}"), Some(&body)).await
    }

    /// The keys of an alias, newest first. Generations have no gaps, and one key is the newest.
    pub(crate) async fn versions(&self, application: &str, reference: &str) -> Vec<Value> {
        let query = format!("application={application}&reference={reference}&limit=1000");
        let answer = self.get(&format!("/v1/keys?{query}")).await;
        let keys = answer.body["keys"].as_array().unwrap().clone();
        for (place, key) in keys.iter().enumerate() {
            assert_eq!(key["generation"], keys.len() - place, "{keys:?}");
            assert_eq!(key["newest"], place == 0, "{keys:?}");
        }
        keys
    }

    /// Seals a packet for the current key of `REGISTRATION` and a reference, to be opened for ever.
    pub(crate) async fn seal(&mut self, reference: &str) {
        let query = format!("applicationId=REGISTRATION&referenceId={reference}");
        let answer = self.get(&format!("/v1/keymanager/getCertificate?{query}")).await;
        let certificate = answer.response()["certificate"].as_str().unwrap().to_owned();
        let packet = peer::seal_self_contained(&certificate, reference.as_bytes());
        self.packets.push((reference.to_owned(), packet));
    }

    /// Every packet from the `last` on opens.
    pub(crate) async fn open_packets(&self, last: usize) {
        for (reference, packet) in self.packets.iter().rev().take(last) {
            let request = json!({
                "applicationId": "REGISTRATION", "referenceId": reference, "data": b64(packet),
                "timeStamp": "2026-01-05T10:11:12.123Z",
            });
            let answer = self.insist(|| self.call("/decrypt", request.clone())).await;
            assert_eq!(unb64(&answer.response()["data"]), reference.as_bytes(), "{reference}");
        }
    }

    /// Notes every key that there is; none that was there before is missing.
    pub(crate) async fn count_keys(&mut self) {
        let mut found = BTreeMap::new();
        let mut after = String::new();
        loop {
            let page = self.get(&format!("/v1/keys?limit=1000{after}")).await.body;
            for key in page["keys"].as_array().unwrap() {
                let id = key["keyId"].as_str().unwrap().to_owned();
                found.insert(id, key["generation"].as_u64().unwrap());
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        for (id, generation) in &self.keys {
            assert_eq!(found.get(id), Some(generation), "{id} is missing");
        }
        self.keys = found;
    }

    /// The doctor finds nothing that does harm. What it finds.
    pub(crate) async fn examine(&self) -> Vec<String> {
        let mut codes = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.get(&format!("/v1/doctor?limit=1000{after}")).await;
            for finding in page.body["findings"].as_array().unwrap() {
                assert_eq!(finding["severity"], "harmless", "{finding}");
                codes.push(finding["code"].as_str().unwrap().to_owned());
            }
            match page.body["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return codes,
            }
        }
    }
}
