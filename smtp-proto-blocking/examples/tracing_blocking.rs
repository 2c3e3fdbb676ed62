//! Tells `tracing` what is sent and heard as it happens, and measures how long each step takes:
//! `RUST_LOG=debug cargo run --example tracing_blocking smtp://127.0.0.1:2525`

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hdrhistogram::Histogram;
use smtp_proto_blocking::smtp_proto::{client::Observed, machine::Step};
use smtp_proto_blocking::{Client, Envelope, client::Options};
use tracing::{debug, info};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    let url = std::env::args().nth(1).unwrap_or("smtp://localhost".into());
    let times = Arc::new(Mutex::new(BTreeMap::<Step, Histogram<u64>>::new()));
    let measured = Arc::clone(&times);
    let options = Options::at(url)?.watch(move |it| {
        let (step, recipient) = (it.step, it.recipient);
        let index = it.message.map(|message| message.index());
        match &it.what {
            Observed::Reply { reply, after } => {
                info!(%step, index, recipient, ?after, "{reply}");
                let mut times = measured.lock().unwrap();
                let new = || Histogram::new(3).unwrap();
                *times.entry(step).or_insert_with(new) += after.as_micros() as u64;
            }
            what => debug!(%step, index, recipient, "{what:?}"),
        }
    });
    let mut client = Client::connect(options)?;
    let envelope = Envelope::new("alice@example.net")?.to("bob@example.org")?;
    let content = "Subject: hello\r\n\r\nHello.\r\n";
    for _ in 0..10 {
        client.send(&envelope, content)?;
    }
    client.quit()?;
    for (step, time) in &*times.lock().unwrap() {
        let (count, median, max) = (time.len(), time.value_at_quantile(0.5), time.max());
        println!("{count:3} times, median {median:6} µs, at most {max:6} µs: {step}");
    }
    Ok(())
}
