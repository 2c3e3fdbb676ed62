use std::io;

use smtp_proto_tokio::{
    TlsInfo,
    tls::{Handshake, Link},
};

use crate::{Acceptor, Connector, info};

impl Handshake for Connector {
    async fn handshake(&self, link: Link) -> io::Result<(Link, TlsInfo)> {
        let connector = tokio_native_tls::TlsConnector::from(self.library.clone());
        let connecting = connector.connect(&self.name, link);
        let stream = connecting.await.map_err(io::Error::other)?;
        let info = info(stream.get_ref().peer_certificate(), self.verification);
        Ok((Box::new(stream), info))
    }
}

impl Handshake for Acceptor {
    async fn handshake(&self, link: Link) -> io::Result<(Link, TlsInfo)> {
        let acceptor = tokio_native_tls::TlsAcceptor::from(self.0.clone());
        let stream = acceptor.accept(link).await.map_err(io::Error::other)?;
        Ok((Box::new(stream), TlsInfo::default()))
    }
}
