//! Sends one message, and shows what is sent and heard as it happens, and which step took how long:
//! `cargo run --example watch smtp://127.0.0.1:2525`

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smtp_proto_tokio::smtp_proto::client::Observed;
use smtp_proto_tokio::{Client, Envelope};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or("smtp://localhost".into());
    let slowest = Arc::new(Mutex::new(BTreeMap::<String, Duration>::new()));
    let times = Arc::clone(&slowest);
    let builder = Client::at(url)?.watch(move |it| match &it.what {
        Observed::Reply { reply, after } => {
            println!("{:9.3?} {} after {after:.3?}: {reply}", it.at, it.step);
            let mut times = times.lock().unwrap();
            let time = times.entry(it.step.to_string()).or_default();
            *time = (*time).max(*after);
        }
        what => println!("{:9.3?} {} {what:?}", it.at, it.step),
    });
    let mut client = builder.connect().await?;
    let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
    client
        .send(envelope, "Subject: hello\r\n\r\nHello.\r\n")
        .await?;
    client.quit().await?;
    println!("{:.3?}", slowest.lock().unwrap());
    Ok(())
}
