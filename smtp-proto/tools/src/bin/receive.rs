//! Receives messages by SMTP or LMTP. `--help` tells more.

use std::{error::Error, process::ExitCode};

use smtp_proto_tools::{
    CommandLine as _,
    receive::{Options, receive},
};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    match Options::from_env() {
        Ok(options) => receive(&options).await.map(|()| ExitCode::SUCCESS),
        Err(stop) => Ok(stop),
    }
}
