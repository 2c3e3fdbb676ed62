//! Sends one message through a SOCKS5 proxy (RFC 1928):
//! `cargo run --example socks5 127.0.0.1:1080 smtp://mx.example.net`

use std::io::Error;
use std::net::{IpAddr, SocketAddr};

use smtp_proto_tokio::{Client, Envelope, Socket, client::Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn through(proxy: String, address: SocketAddr) -> std::io::Result<Socket> {
    let mut stream = TcpStream::connect(proxy).await?;
    // Version 5, one method: no authentication. Then version 5, connect, where to.
    let mut request = vec![5, 1, 0, 5, 1, 0];
    match address.ip() {
        IpAddr::V4(ip) => request.extend([1].iter().chain(&ip.octets())),
        IpAddr::V6(ip) => request.extend([4].iter().chain(&ip.octets())),
    }
    request.extend(address.port().to_be_bytes());
    stream.write_all(&request).await?;
    let mut reply = [0; 6];
    stream.read_exact(&mut reply).await?;
    if [reply[0], reply[1], reply[3]] != [5, 0, 0] {
        return Err(Error::other("the proxy refuses"));
    }
    // The address that it calls from.
    let rest = if reply[5] == 1 { 6 } else { 18 };
    stream.read_exact(&mut vec![0; rest]).await?;
    Ok(stream.into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let proxy = arguments.next().ok_or("which proxy?")?;
    let server = arguments.next().ok_or("which server?")?;
    let options =
        Options::at(server)?.connect_with(move |address| Box::pin(through(proxy.clone(), address)));
    let mut client = Client::connect(options).await?;
    let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
    let report = client
        .send(envelope, "Subject: hello\r\n\r\nHello.\r\n")
        .await?;
    println!("delivered: {}", report.is_delivered());
    client.quit().await?;
    Ok(())
}
