//! Sends one message through a SOCKS5 proxy (RFC 1928):
//! `cargo run --example socks5_blocking 127.0.0.1:1080 smtp://mx.example.net`

use std::io::{Error, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use smtp_proto_blocking::{Client, Envelope, Socket, client::Options};

fn through(proxy: &str, address: SocketAddr) -> std::io::Result<Socket> {
    let mut stream = TcpStream::connect(proxy)?;
    // Version 5, one method: no authentication. Then version 5, connect, where to.
    let mut request = vec![5, 1, 0, 5, 1, 0];
    match address.ip() {
        IpAddr::V4(ip) => request.extend([1].iter().chain(&ip.octets())),
        IpAddr::V6(ip) => request.extend([4].iter().chain(&ip.octets())),
    }
    request.extend(address.port().to_be_bytes());
    stream.write_all(&request)?;
    let mut reply = [0; 6];
    stream.read_exact(&mut reply)?;
    if [reply[0], reply[1], reply[3]] != [5, 0, 0] {
        return Err(Error::other("the proxy refuses"));
    }
    // The address that it calls from.
    let rest = if reply[5] == 1 { 6 } else { 18 };
    stream.read_exact(&mut vec![0; rest])?;
    Ok(stream.into())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let proxy = arguments.next().ok_or("which proxy?")?;
    let server = arguments.next().ok_or("which server?")?;
    let options = Options::at(server)?.connect_with(move |address| through(&proxy, address));
    let mut client = Client::connect(options)?;
    let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
    let report = client.send(envelope, "Subject: hello\r\n\r\nHello.\r\n")?;
    println!("delivered: {}", report.is_delivered());
    client.quit()?;
    Ok(())
}
