//! Handshakes by rustls.

use std::{io, sync::Arc};

use smtp_proto_rustls::{TlsAcceptor, TlsConnector, explained};

use super::{Handshake, Link, Secured};

impl Handshake for TlsConnector {
    async fn handshake(&self, link: Link) -> io::Result<Secured> {
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(self.config()));
        let connecting = connector.connect(self.server_name().clone(), link);
        let stream = connecting.await.map_err(explained)?;
        let info = self.info(stream.get_ref().1);
        Ok((Box::new(stream), info))
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl Handshake for TlsAcceptor {
    async fn handshake(&self, link: Link) -> io::Result<Secured> {
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(self.config()));
        let stream = acceptor.accept(link).await?;
        let info = self.info(stream.get_ref().1);
        Ok((Box::new(stream), info))
    }
}
