//! Receives messages by SMTP or LMTP. `--help` tells more.

use std::process::ExitCode;

use smtp_proto_tools::{
    CommandLine as _, complain,
    receive::{Options, receive},
};

/// It cannot listen, or something of this machine's is missing or broken, as a file.
const FAILED: u8 = 3;

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::from_env() {
        Ok(options) => options,
        Err(stop) => return stop,
    };
    match receive(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error);
            FAILED.into()
        }
    }
}
