//! A packet larger than memory may grow leaves memory and disk as they were.
#![cfg(test)]

use kunji_tests::{
    large::{disk_usage, seal_and_open},
    measure::{Process, soon},
    site::Site,
};

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn large_packet_passes_in_little_memory_and_leaves_nothing_on_disk() {
    let site = Site::new();
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let client = administrator.new_client(&["encryptor", "decryptor"]).await;
    client.certificate("REGISTRATION", "10001_110011").await;
    let process = Process::new(server.pid());
    let journey = seal_and_open(&client, process, 64 * MIB, site.path()).await;
    // What may stay in memory before a body is spooled (5 MiB), twice while its pieces are joined, and the pieces.
    assert!(journey.memory_growth < 24 * MIB, "{journey:?}");
    assert!(soon(|| process.unnamed_file_bytes() == 0).await, "{} bytes", process.unnamed_file_bytes());
    assert_eq!(disk_usage(&site.data_dir().join("spool")), 0);
}
