//! Serves clients that come through a proxy, which says whom it speaks for by the PROXY protocol,
//! version 1 or 2. Nobody but the proxy must reach this port.

use std::io::Read;

use proxy_header::{Error, ParseConfig, ProxyHeader};
use smtp_proto_blocking::server::{
    Arrival, Config, Envelope, Handler, Host, InMemory, Prepare, Recipient, Refusal, Server,
    Session, Transaction, Verdict, accept, limits,
};

/// The longest header that is read; what proxies send is far shorter.
const LONGEST: usize = 1024;

pub(crate) struct ProxyProtocol;

impl Prepare for ProxyProtocol {
    fn prepare(&self, arrival: &mut Arrival) -> Result<(), Refusal> {
        let mut header = Vec::new();
        while header.len() < LONGEST {
            // What comes after the header is the client's, so none of it may be read here.
            let mut byte = [0];
            let read = arrival.read_exact(&mut byte);
            read.map_err(|_| Refusal::closing(None))?;
            header.extend(byte);
            match ProxyHeader::parse(&header, ParseConfig::default()) {
                Ok((said, _)) => {
                    if let Some(addresses) = said.proxied_address() {
                        let (client, server) = (addresses.source, addresses.destination);
                        arrival.configure(|options| options.addresses(client, server));
                    }
                    return Ok(());
                }
                Err(Error::BufferTooShort) => {}
                Err(_) => break,
            }
        }
        Err(Refusal::closing(None))
    }
}

struct Inbox;

impl Handler for Inbox {
    type Sink = InMemory;

    fn recipient(&self, session: &Session, _: &Transaction, _: &Recipient) -> Verdict {
        println!("{:?} sends through the proxy", session.peer());
        accept()
    }

    fn content(&self, _: &Session, _: Envelope) -> Result<InMemory, Refusal> {
        Ok(InMemory::then(|content| {
            println!("{}", content.escape_ascii());
            accept()
        }))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::new(Host::parse("mx.example.org")?);
    let server = Server::bind("127.0.0.1:2525", config)?;
    let server = server.prepare(ProxyProtocol, limits::PREPARATION);
    server.serve(Inbox);
    Ok(())
}
