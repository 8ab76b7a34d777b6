//! A server in this process, on a clock that the test moves.

use std::{
    path::Path,
    sync::{Arc, LazyLock, Mutex},
};

use kunji_server::{
    api,
    app::{self, Ports},
};
use kunji_tests::{faults::ManualClock, http::Http, in_process, softhsm::Token};
use tempfile::TempDir;

/// One for each server of these tests: the library sees no token that is made once it is loaded.
static TOKENS: LazyLock<Mutex<Vec<Token>>> = LazyLock::new(|| Mutex::new(Token::create_all("clocked", 8)));

/// It ends with the test's runtime.
pub(crate) struct Clocked {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) nobody: Http,
    secret: String,
    _token: Token,
    _data_dir: TempDir,
}

impl Clocked {
    /// Begins at this instant, milliseconds since the epoch. `directories` are settings that name some.
    pub(crate) async fn start(millis: u64, directories: &[(&str, &Path)]) -> Self {
        let token = TOKENS.lock().unwrap().pop().expect("there are too few of them");
        let data_dir = tempfile::tempdir().unwrap();
        let mut environment =
            vec![("KUNJI_KEYS", "ROOT,KERNEL/SIGN,ID_REPO"), ("KUNJI_ISSUER", "http://kunji.test")];
        environment.extend(directories.iter().map(|(name, path)| (*name, path.to_str().unwrap())));
        let settings = in_process::settings(data_dir.path(), &environment);
        let clock = Arc::new(ManualClock::at(millis));
        let (audit, database) = (in_process::trail(data_dir.path()), in_process::database().await);
        let repository = in_process::repository(&database).await;
        let store = Arc::new(token.open().await.unwrap());
        let ports = Ports {
            clock: Arc::<ManualClock>::clone(&clock),
            ..in_process::ports(data_dir.path(), audit, repository, store)
        };
        let running = app::start(&settings, ports).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = Http::new(&format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(async move {
            let endpoint = api::endpoint(&running.services, &settings);
            let never = std::future::pending();
            api::serve(listener, api::Carrier::Plain, endpoint, (&settings).into(), never).await.unwrap();
            drop(running);
        });
        let secret = std::fs::read_to_string(data_dir.path().join("administrator-secret")).unwrap();
        let secret = secret.trim_end().to_owned();
        Self { clock, nobody, secret, _token: token, _data_dir: data_dir }
    }

    /// A client that signs and manages keys; its token lasts some minutes of the server's clock.
    pub(crate) async fn client(&self) -> Http {
        let administrator = self.nobody.sign_in("administrator", &self.secret).await;
        administrator.new_client(&["signer", "key-administrator"]).await
    }
}
