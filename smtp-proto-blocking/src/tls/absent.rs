//! What stands for TLS where the feature `rustls` is off: nothing.

use std::io::{self, IoSlice};

use crate::TlsInfo;

/// No connector.
#[derive(Clone, Debug)]
pub(crate) enum TlsConnector {}

/// No acceptor.
pub(crate) type TlsAcceptor = std::convert::Infallible;

/// No session.
pub(crate) enum Session {}

impl Session {
    pub(crate) fn connect(connector: &TlsConnector) -> io::Result<Self> {
        match *connector {}
    }

    pub(crate) fn accept(acceptor: &TlsAcceptor) -> io::Result<Self> {
        match *acceptor {}
    }

    pub(crate) fn handshake<T>(&mut self, _: &mut T) -> io::Result<bool> {
        match *self {}
    }

    pub(crate) fn read<T>(&mut self, _: &mut T, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn write<T>(&mut self, _: &mut T, _: &[IoSlice<'_>]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn flush<T>(&mut self, _: &mut T) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn close<T>(&mut self, _: &mut T) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn info(&self) -> Option<TlsInfo> {
        match *self {}
    }
}
