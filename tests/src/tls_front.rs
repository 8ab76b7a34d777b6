//! TLS in front of a server that speaks none, with a certificate of an authority of its own.

use std::{
    net::SocketAddr,
    sync::Arc,
    thread::{self, JoinHandle},
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

use crate::tls::{Authority, Identity};

/// Takes TLS on a port of the loopback interface and passes what is in it on. It ends when it is dropped.
pub struct TlsFront {
    address: SocketAddr,
    authority: Vec<u8>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TlsFront {
    /// In front of `target`, with a certificate for 127.0.0.1.
    pub fn before(target: SocketAddr) -> Self {
        let authority = Authority::new();
        let config = server_config(&authority.issue("a database", &[]));
        let (started, address) = std::sync::mpsc::channel();
        let (end, ended) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                started.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = serve(listener, TlsAcceptor::from(Arc::new(config)), target) => (),
                    _ = ended => (),
                }
            });
        });
        let address = address.recv().expect("the front listens");
        Self { address, authority: authority.pem(), end: Some(end), thread: Some(thread) }
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority's certificate, PEM.
    pub fn authority(&self) -> &[u8] {
        &self.authority
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // One that has panicked has failed its test already.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, target: SocketAddr) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // A client that trusts another authority hangs up here.
            let (mut client, mut server) =
                (acceptor.accept(client).await?, TcpStream::connect(target).await?);
            tokio::io::copy_bidirectional(&mut client, &mut server).await
        });
    }
}

fn server_config(Identity { certificate, key }: &Identity) -> ServerConfig {
    let chain = CertificateDer::pem_slice_iter(certificate).map(Result::unwrap).collect();
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key).unwrap())
        .unwrap()
}
