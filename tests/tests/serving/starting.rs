//! How the program starts and ends: settings that cannot be used, a PIN that is refused, a second server, and a first
//! start that is killed wherever it happens to be.

use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use kunji_tests::{
    http::unb64,
    site::{Server, Site},
};
use serde_json::json;

const PIN_REFUSED: i32 = 77;
const SETTINGS: i32 = 78;
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// A server that is expected to end by itself.
fn fails(mut command: Command) -> (i32, String) {
    let Output { status, stdout, stderr } = command.arg("serve").stdin(Stdio::null()).output().unwrap();
    let text = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(!text.contains("is ready") && !text.contains("panicked"), "{text}");
    (status.code().unwrap(), text)
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let site = Site::new();
    for (name, value, named) in [
        ("KUNJI_LISTEM", "127.0.0.1:0", "listem"),
        ("KUNJI_LISTEN", "0.0.0.0:0", "allow_public_listen"),
        ("KUNJI_LISTEN", "localhost", "listen"),
        ("KUNJI_KEY_CACHE_SECONDS", "-1", "key_cache_seconds"),
        ("KUNJI_KEY_CACHE_SECONDS", "99999999999999999999999", "key_cache_seconds"),
        ("KUNJI_RSA_BITS", "1024", "rsa_bits"),
        ("KUNJI_KEYS", "ROOT,REGISTRATION/10001_110011", "keys"),
        ("KUNJI_PKCS11_WORKERS", "0", "pkcs11_workers"),
        ("KUNJI_CONFIG", "/nowhere/kunji.toml", "/nowhere/kunji.toml"),
    ] {
        let mut command = site.command();
        command.env(name, value);
        let (status, text) = fails(command);
        assert_eq!(status, SETTINGS, "{name}={value}: {text}");
        assert!(text.to_lowercase().contains(named), "{name}={value}: {text}");
    }
    assert!(!site.data_dir().exists(), "nothing was begun");
}

/// The engine passes over settings that it does not know, without a word; of those it does know it tells.
#[test]
fn the_memory_of_an_embedded_database_is_bounded() {
    let site = Site::new().with("KUNJI_DATABASE_CACHE_BYTES", "12345678").with("KUNJI_LOG_FILTER", "info");
    site.start().stop();
    let log = site.log();
    for told in ["block cache capacity: 12345678", "max memtable size: 67108864"] {
        assert!(log.contains(told), "{log}");
    }
}

#[test]
fn a_refused_pin_has_a_status_of_its_own_and_is_not_shown() {
    let site = Site::new();
    fs::write(site.path().join("pin"), "6666-0000\n").unwrap();
    let (status, text) = fails(site.command());
    assert_eq!(status, PIN_REFUSED, "{text}");
    assert!(text.contains("refused the PIN") && !text.contains("6666-0000"), "{text}");
    let mut command = site.command();
    command.env_remove("KUNJI_PKCS11_PIN_FILE").env("KUNJI_PKCS11_PIN", "6666-0000");
    let (status, text) = fails(command);
    assert_eq!(status, PIN_REFUSED, "{text}");
    assert!(!text.contains("6666-0000"), "{text}");
}

#[test]
fn what_is_missing_is_named() {
    let site = Site::new();
    let without = |name: &str| {
        let mut command = site.command();
        command.env_remove(name);
        fails(command)
    };
    let (status, text) = without("KUNJI_PKCS11_PIN_FILE");
    assert!(status == 1 && text.contains("KUNJI_PKCS11_PIN_FILE"), "{text}");
    let with = |name: &str, value: &str| {
        let mut command = site.command();
        command.env(name, value);
        fails(command)
    };
    for (name, value, named) in [
        ("KUNJI_PKCS11_MODULE", "/nowhere/module.so", "/nowhere/module.so"),
        ("KUNJI_PKCS11_TOKEN_LABEL", "another", "\"another\""),
        ("KUNJI_PKCS11_PIN_FILE", "/nowhere/pin", "/nowhere/pin"),
        ("KUNJI_DATA_DIR", "/dev/null/data", "/dev/null/data"),
        ("KUNJI_DATABASE_URL", "ws://127.0.0.1:1", "database"),
        ("KUNJI_DATABASE_URL", "surrealkv:///tmp/x?sync=never", "database"),
        ("KUNJI_BOOTSTRAP_CLIENT_SECRET_FILE", "/nowhere/secret", "/nowhere/secret"),
    ] {
        let (status, text) = with(name, value);
        assert!(status == 1 && text.contains(named), "{name}={value}: {status} {text}");
    }
}

#[test]
fn a_second_server_on_the_same_port_or_directory_does_not_start_and_harms_nobody() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = site.command();
    command.env("KUNJI_LISTEN", taken.local_addr().unwrap().to_string());
    let (status, text) = fails(command);
    assert!(status == 1 && text.contains("cannot be listened on"), "{text}");
    assert!(!site.data_dir().exists(), "nothing was begun");

    let mut server = site.start();
    let (status, text) = fails(site.command());
    assert!(status == 1 && text.contains("the database cannot be opened"), "{text}");
    assert!(!server.has_ended());
    assert!(server.stop().success());
}

/// Packets sealed on `server` open there, whoever signs in.
async fn works(site: &Site, server: &Server) {
    let administrator = server.http().sign_in("administrator", &site.administrator_secret()).await;
    let client = administrator.new_client(&["encryptor", "decryptor"]).await;
    let request = json!({
        "applicationId": "REGISTRATION", "referenceId": "10001_110011", "timeStamp": [2026, 1, 5, 10, 11],
        "data": "YXNoYQ",
    });
    let sealed = client.call("/encrypt", request.clone()).await;
    let mut again = request;
    again["data"] = sealed.response()["data"].clone();
    assert_eq!(unb64(&client.call("/decrypt", again).await.response()["data"]), b"asha");
    for application in ["ROOT", "REGISTRATION"] {
        let query = format!("/v1/keymanager/getAllCertificates?applicationId={application}");
        let listed = client.get(&query).await;
        assert_eq!(
            listed.response()["allCertificates"].as_array().unwrap().len(),
            1,
            "one {application} key"
        );
    }
}

/// Objects that the token keeps, each in a file of its own.
fn objects(site: &Site) -> usize {
    let tokens = fs::read_dir(site.path().join("tokens")).unwrap().map(|entry| entry.unwrap().path());
    tokens
        .flat_map(|token| fs::read_dir(token).unwrap())
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|name| name == "object"))
        .count()
}

/// A first start that is killed as soon as `is_due`, and the start after it.
async fn killed_when(is_due: impl Fn(&Site) -> bool) {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let mut child = site.command().arg("serve").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !is_due(&site) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // It waits until the lease of the killed one has run out.
    let (site, server) = tokio::task::spawn_blocking(move || {
        let server = site.start();
        (site, server)
    })
    .await
    .unwrap();
    works(&site, &server).await;
    assert!(server.stop().success());
}

#[tokio::test]
async fn a_first_start_that_is_killed_anywhere_is_ended_by_the_next() {
    let with_objects = |count: usize| killed_when(move |site| objects(site) >= count);
    let with_secret = killed_when(|site| site.data_dir().join("administrator-secret").exists());
    let with_database = killed_when(|site| site.data_dir().join("database").exists());
    let by_objects = join_all([1, 2, 4, 6, 8, 10].map(with_objects));
    tokio::join!(by_objects, with_secret, with_database);
}

#[tokio::test]
async fn it_ends_soon_when_told_whatever_connections_there_are() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    works(&site, &server).await;
    let address = server.base.strip_prefix("http://").unwrap().to_owned();
    let connect = |request: &str| {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let upload = "POST /oauth2/token HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\ngrant";
    let open = [connect(""), connect("GET /healthz HTTP/1.1\r\nhost:"), connect(upload)];
    let began = Instant::now();
    assert!(server.stop().success());
    assert!(began.elapsed() < ENDS_WITHIN, "{:?}", began.elapsed());
    drop(open);
}
