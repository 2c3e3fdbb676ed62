//! lettre's own example, with one line changed: `SmtpTransport` is this crate's.

use lettre::{Message, Transport, message::header::ContentType};
use smtp_proto_lettre::SmtpTransport;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1);
    let url = url.ok_or("usage: from_lettre smtps://username:password@smtp.example.com")?;
    let mailer = SmtpTransport::from_url(&url)?.build();
    for year in 1..=20 {
        let email = Message::builder()
            .from("NoBody <nobody@domain.tld>".parse()?)
            .reply_to("Yuin <yuin@domain.tld>".parse()?)
            .to("Hei <hei@domain.tld>".parse()?)
            .subject(format!("Happy new year {year}"))
            .header(ContentType::TEXT_PLAIN)
            .body(String::from("Be happy!"))?;
        let response = mailer.send(&email)?;
        println!("{} {:?}", response.code(), response.first_line());
    }
    mailer.shutdown();
    Ok(())
}
