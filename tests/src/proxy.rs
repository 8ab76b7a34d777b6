//! A TCP proxy that goes wrong as a test tells it: for the link to a database, or any other.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr, ToSocketAddrs},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc as blocking,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};

const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks on their way in one direction, while they are delayed or stalled; then the proxy reads no more.
const CHUNKS: usize = 64;
const BACKLOG: u32 = 128;

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From who has connected to the proxy to the target.
    ToTarget,
    /// From the target to who has connected.
    FromTarget,
}

/// How connections end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// As a program ends that closes its sockets: FIN.
    #[default]
    Orderly,
    /// As a machine ends that knows nothing of the connection any more: RST.
    Reset,
}

/// Sees each piece that is to be passed, and says whether it is; where not, its direction ends. While it works, nothing
/// is passed at all.
pub type Watch = Arc<dyn Fn(Direction, &[u8]) -> bool + Send + Sync>;

/// A proxy in front of one address, on a port of the loopback interface. It ends, and its connections with it, when it
/// is dropped.
///
/// Every method that changes it returns when the change is in force.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    orders: Option<mpsc::UnboundedSender<(Order, blocking::Sender<()>)>>,
    traffic: Arc<Traffic>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy that passes everything to `target`.
    pub fn to(target: impl ToSocketAddrs) -> Self {
        Self::watched(target, Arc::new(|_, _| true))
    }

    /// The same, where somebody watches.
    pub fn watched(target: impl ToSocketAddrs, watch: Watch) -> Self {
        let target = target.to_socket_addrs().unwrap().next().expect("the target has an address");
        let traffic = Arc::new(Traffic {
            watch,
            connections: AtomicU64::default(),
            open: AtomicU64::default(),
            bytes: Default::default(),
        });
        let (orders, received) = mpsc::unbounded_channel();
        let (started, address) = blocking::channel();
        let of_thread = Arc::clone(&traffic);
        // A runtime of its own: a test that blocks its own does not hold up the proxy.
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let desk = Desk::new(Port::take().unwrap(), target, of_thread);
                started.send(desk.port.address).unwrap();
                desk.serve(received).await;
            });
        });
        let address = address.recv().expect("the proxy listens");
        Self { address, orders: Some(orders), traffic, thread: Some(thread) }
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything is passed again, and new connections are taken. Connections that have ended stay so.
    pub fn resume(&self) {
        self.order(Order::Flow(Flow::default()));
        self.order(Order::Listen(true));
    }

    /// New connections are taken, but nothing is passed in either direction, until [`Proxy::resume`].
    pub fn stall(&self) {
        self.order(Order::Flow(Flow { stalled: [true, true], ..Flow::default() }));
    }

    /// Nothing is passed in this direction until [`Proxy::resume`].
    pub fn stall_only(&self, direction: Direction) {
        let mut stalled = [false, false];
        stalled[direction as usize] = true;
        self.order(Order::Flow(Flow { stalled, ..Flow::default() }));
    }

    /// All that comes is passed on this much later, in both directions, until [`Proxy::resume`].
    pub fn delay(&self, time: Duration) {
        self.order(Order::Flow(Flow { delay: time, ..Flow::default() }));
    }

    /// New connections are refused until [`Proxy::resume`]; those that are there go on.
    pub fn refuse(&self) {
        self.order(Order::Listen(false));
    }

    /// Ends all connections that are there. New ones are taken, unless they are refused.
    pub fn cut(&self, ending: Ending) {
        self.order(Order::Cut(ending));
    }

    /// Ends this direction of all connections that are there, as somebody does who has sent all; the other goes on.
    pub fn half_close(&self, direction: Direction) {
        self.order(Order::HalfClose(direction));
    }

    /// Connections taken so far.
    pub fn connections(&self) -> u64 {
        self.traffic.connections.load(Ordering::SeqCst)
    }

    /// Connections there are now.
    pub fn open_connections(&self) -> u64 {
        self.traffic.open.load(Ordering::SeqCst)
    }

    /// Bytes passed so far.
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.traffic.bytes[direction as usize].load(Ordering::SeqCst)
    }

    fn order(&self, order: Order) {
        let (done, wait) = blocking::channel();
        let orders = self.orders.as_ref().expect("there until the proxy is dropped");
        orders.send((order, done)).expect("the proxy runs");
        wait.recv().expect("the proxy runs");
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traffic").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A proxy that has panicked has failed its test already.
            let _ = thread.join();
        }
    }
}

struct Traffic {
    watch: Watch,
    connections: AtomicU64,
    open: AtomicU64,
    bytes: [AtomicU64; 2],
}

#[derive(Debug)]
enum Order {
    Cut(Ending),
    Flow(Flow),
    HalfClose(Direction),
    Listen(bool),
}

/// How bytes pass.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    stalled: [bool; 2],
    delay: Duration,
}

/// What connections have to follow.
#[derive(Clone, Copy, Debug, Default)]
struct Rules {
    flow: Flow,
    /// How often each direction has been closed. A connection knows the numbers from when it began.
    half_closed: [u64; 2],
    cuts: u64,
    /// Of the last cut.
    ending: Ending,
}

/// A port that stays ours while nobody listens on it.
struct Port {
    address: SocketAddr,
    /// Bound, and never listening: connections are refused while no listener stands beside it.
    _placeholder: TcpSocket,
}

impl Port {
    fn take() -> io::Result<Self> {
        let placeholder = bound((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { address: placeholder.local_addr()?, _placeholder: placeholder })
    }

    fn listen(&self) -> io::Result<TcpListener> {
        bound(self.address)?.listen(BACKLOG)
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Takes connections and orders.
struct Desk {
    port: Port,
    target: SocketAddr,
    listener: Option<TcpListener>,
    rules: watch::Sender<Rules>,
    connections: JoinSet<()>,
    traffic: Arc<Traffic>,
}

impl Desk {
    fn new(port: Port, target: SocketAddr, traffic: Arc<Traffic>) -> Self {
        let listener = Some(port.listen().unwrap());
        let rules = watch::Sender::new(Rules::default());
        Self { port, target, listener, rules, connections: JoinSet::new(), traffic }
    }

    async fn serve(mut self, mut orders: mpsc::UnboundedReceiver<(Order, blocking::Sender<()>)>) {
        loop {
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some((order, done)) => {
                        self.obey(order).await;
                        // Who has given the order may have gone.
                        let _ = done.send(());
                    }
                    None => return,
                },
                accepted = accept(self.listener.as_ref()) => self.connect(accepted),
                Some(_) = self.connections.join_next() => (),
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Flow(flow) => self.rules.send_modify(|rules| rules.flow = flow),
            Order::HalfClose(direction) => {
                self.rules.send_modify(|rules| rules.half_closed[direction as usize] += 1);
            }
            Order::Cut(ending) => {
                self.rules.send_modify(|rules| {
                    rules.cuts += 1;
                    rules.ending = ending;
                });
                while self.connections.join_next().await.is_some() {}
            }
            Order::Listen(true) => {
                if self.listener.is_none() {
                    self.listener = Some(self.port.listen().unwrap());
                }
            }
            Order::Listen(false) => self.listener = None,
        }
    }

    fn connect(&mut self, client: TcpStream) {
        self.traffic.connections.fetch_add(1, Ordering::SeqCst);
        self.traffic.open.fetch_add(1, Ordering::SeqCst);
        let (target, rules, traffic) = (self.target, self.rules.subscribe(), Arc::clone(&self.traffic));
        // What changes from now on is for this connection too, even if its task has not begun by then.
        let begun = *rules.borrow();
        self.connections.spawn(async move {
            // A target that takes no connection: the client's ends too, as with the target itself.
            let _ = pass(client, target, begun, rules, &traffic).await;
            traffic.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    loop {
        match listener {
            None => std::future::pending().await,
            // Who connected may have gone before we came.
            Some(listener) => {
                if let Ok((client, _)) = listener.accept().await {
                    return client;
                }
            }
        }
    }
}

/// Serves one connection until both directions have ended, or it is cut.
async fn pass(
    mut client: TcpStream,
    target: SocketAddr,
    begun: Rules,
    mut rules: watch::Receiver<Rules>,
    traffic: &Traffic,
) -> io::Result<()> {
    let mut server = tokio::select! {
        server = TcpStream::connect(target) => server?,
        ending = cut(&mut rules, begun.cuts) => return end(ending, &[&client]),
    };
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ending = {
        let (of_pumps, there, back) = (rules.clone(), client.split(), server.split());
        let pumps = async {
            tokio::join!(
                pump(there.0, back.1, Direction::ToTarget, begun, of_pumps.clone(), traffic),
                pump(back.0, there.1, Direction::FromTarget, begun, of_pumps.clone(), traffic),
            )
        };
        tokio::select! {
            _ = pumps => Ending::Orderly,
            ending = cut(&mut rules, begun.cuts) => ending,
        }
    };
    end(ending, &[&client, &server])
}

/// Returns when there have been more than these cuts.
async fn cut(rules: &mut watch::Receiver<Rules>, known: u64) -> Ending {
    // Without a sender the proxy itself ends.
    rules.wait_for(|rules| rules.cuts != known).await.map_or(Ending::Orderly, |rules| rules.ending)
}

/// Prepares sockets for their end, which comes when they are dropped.
fn end(ending: Ending, sockets: &[&TcpStream]) -> io::Result<()> {
    if ending == Ending::Reset {
        for socket in sockets {
            socket.set_zero_linger()?;
        }
    }
    Ok(())
}

/// Serves one direction until its source ends or it is half-closed; then the other side learns that nothing comes.
async fn pump(
    mut source: ReadHalf<'_>,
    mut sink: WriteHalf<'_>,
    direction: Direction,
    begun: Rules,
    mut rules: watch::Receiver<Rules>,
    traffic: &Traffic,
) {
    let index = direction as usize;
    let closings = begun.half_closed[index];
    let (chunks, mut arrived) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS);
    let of_reader = rules.clone();
    let read = async move {
        let mut buffer = vec![0; CHUNK_BYTES];
        while let Ok(count @ 1..) = source.read(&mut buffer).await {
            let due = Instant::now() + of_reader.borrow().flow.delay;
            if chunks.send((due, buffer[..count].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let mut of_writer = rules.clone();
    let write = async {
        while let Some((due, chunk)) = arrived.recv().await {
            tokio::time::sleep_until(due).await;
            if of_writer.wait_for(|rules| !rules.flow.stalled[index]).await.is_err() {
                return;
            }
            if !(traffic.watch)(direction, &chunk) {
                return;
            }
            if sink.write_all(&chunk).await.is_err() {
                return;
            }
            traffic.bytes[index].fetch_add(u64::try_from(chunk.len()).unwrap(), Ordering::SeqCst);
        }
        // The end is passed on as the bytes before it are.
        let _ = of_writer.wait_for(|rules| !rules.flow.stalled[index]).await;
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(read, write) } => (),
        _ = rules.wait_for(|rules| rules.half_closed[index] != closings) => (),
    }
    // A side that has gone needs not be told.
    let _ = sink.shutdown().await;
}
