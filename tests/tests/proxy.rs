//! The TCP proxy in front of an echo: each way to go wrong happens, and ends.
#![cfg(test)]

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use kunji_tests::proxy::{Direction, Ending, Proxy};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long something that must not come is waited for.
const GLANCE: Duration = Duration::from_millis(50);

/// Sends back whatever comes, to whom it came from.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let (mut from, mut to) = (client.try_clone().unwrap(), client);
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
        }
    });
    address
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn send(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}

fn receive(stream: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, expected);
}

fn receive_nothing(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(GLANCE)).unwrap();
    let error = stream.read(&mut [0]).expect_err("nothing comes");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
}

/// What the stream ends with: bytes until its orderly end, or the error.
fn rest(stream: &mut TcpStream) -> Result<Vec<u8>, ErrorKind> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map(|_| bytes).map_err(|error| error.kind())
}

fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it does not come about");
        thread::yield_now();
    }
}

#[test]
fn everything_is_passed_and_counted() {
    let proxy = Proxy::to(echo());
    let (mut one, mut other) = (connect(&proxy), connect(&proxy));
    send(&mut one, b"hello");
    receive(&mut one, b"hello");
    let large: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    thread::scope(|scope| {
        let mut sender = other.try_clone().unwrap();
        let large = &large;
        scope.spawn(move || sender.write_all(large).unwrap());
        receive(&mut other, large);
    });
    for direction in [Direction::ToTarget, Direction::FromTarget] {
        until(|| proxy.bytes(direction) == 5 + (1 << 20));
    }
    assert_eq!((proxy.connections(), proxy.open_connections()), (2, 2));
    one.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut one), Ok(Vec::new()));
    until(|| proxy.open_connections() == 1);
}

#[test]
fn a_stalled_proxy_takes_connections_and_passes_nothing() {
    let proxy = Proxy::to(echo());
    let mut old = connect(&proxy);
    send(&mut old, b"before");
    receive(&mut old, b"before");
    proxy.stall();
    let mut new = connect(&proxy);
    for stream in [&mut old, &mut new] {
        send(stream, b"later");
        receive_nothing(stream);
    }
    assert_eq!(proxy.bytes(Direction::ToTarget), 6);
    proxy.resume();
    for stream in [&mut old, &mut new] {
        receive(stream, b"later");
    }
}

#[test]
fn one_direction_stalls_alone() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    proxy.stall_only(Direction::FromTarget);
    send(&mut stream, b"one way");
    until(|| proxy.bytes(Direction::ToTarget) == 7);
    receive_nothing(&mut stream);
    proxy.stall_only(Direction::ToTarget);
    receive(&mut stream, b"one way");
    send(&mut stream, b"more");
    receive_nothing(&mut stream);
    proxy.resume();
    receive(&mut stream, b"more");
}

#[test]
fn cut_connections_end_as_told_and_new_ones_are_taken() {
    let proxy = Proxy::to(echo());
    for (ending, end) in [(Ending::Orderly, Ok(Vec::new())), (Ending::Reset, Err(ErrorKind::ConnectionReset))]
    {
        let (mut one, mut other) = (connect(&proxy), connect(&proxy));
        for stream in [&mut one, &mut other] {
            send(stream, b"hello");
            receive(stream, b"hello");
        }
        proxy.cut(ending);
        assert_eq!(proxy.open_connections(), 0);
        assert_eq!((rest(&mut one), rest(&mut other)), (end.clone(), end));
    }
    let mut new = connect(&proxy);
    send(&mut new, b"again");
    receive(&mut new, b"again");
}

#[test]
fn a_stalled_connection_can_be_cut() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    proxy.stall();
    send(&mut stream, b"lost");
    until(|| proxy.connections() == 1);
    proxy.cut(Ending::Reset);
    assert_eq!(rest(&mut stream), Err(ErrorKind::ConnectionReset));
    proxy.resume();
    assert_eq!(proxy.bytes(Direction::ToTarget), 0);
}

#[test]
fn refused_connections_are_refused_and_old_ones_go_on() {
    let proxy = Proxy::to(echo());
    let mut old = connect(&proxy);
    send(&mut old, b"a");
    receive(&mut old, b"a");
    for _ in 0..3 {
        proxy.refuse();
        let error = TcpStream::connect(proxy.address()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        send(&mut old, b"b");
        receive(&mut old, b"b");
        proxy.resume();
        let mut new = connect(&proxy);
        send(&mut new, b"c");
        receive(&mut new, b"c");
    }
}

#[test]
fn a_half_closed_connection_goes_on_in_the_other_direction() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    send(&mut stream, b"heard");
    receive(&mut stream, b"heard");
    proxy.half_close(Direction::FromTarget);
    assert_eq!(rest(&mut stream), Ok(Vec::new()));
    send(&mut stream, b"still");
    until(|| proxy.bytes(Direction::ToTarget) == 10);
    assert_eq!(proxy.bytes(Direction::FromTarget), 5);

    let mut stream = connect(&proxy);
    send(&mut stream, b"heard");
    receive(&mut stream, b"heard");
    proxy.half_close(Direction::ToTarget);
    // The echo has seen the end, and ends too.
    assert_eq!(rest(&mut stream), Ok(Vec::new()));
}

#[test]
fn delayed_bytes_come_later() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    let time = Duration::from_millis(40);
    proxy.delay(time);
    let start = Instant::now();
    send(&mut stream, b"slow");
    receive(&mut stream, b"slow");
    assert!(start.elapsed() >= 2 * time, "there and back: {:?}", start.elapsed());
    proxy.resume();
    let start = Instant::now();
    send(&mut stream, b"fast");
    receive(&mut stream, b"fast");
    assert!(start.elapsed() < 2 * time, "{:?}", start.elapsed());
}

#[test]
fn a_proxy_without_its_target_ends_connections() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Proxy::to(target);
    assert!(rest(&mut connect(&proxy)).is_ok_and(|bytes| bytes.is_empty()));
}

#[test]
fn connections_end_with_the_proxy() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    send(&mut stream, b"hello");
    receive(&mut stream, b"hello");
    drop(proxy);
    assert!(rest(&mut stream).is_ok_and(|bytes| bytes.is_empty()));
}
