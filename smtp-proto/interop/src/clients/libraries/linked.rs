//! What sends by the libraries.

use std::{fs, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use lettre::{
    Address, SmtpTransport, Transport,
    address::Envelope,
    transport::smtp::{
        PoolConfig,
        authentication::{Credentials, Mechanism},
        client::{Certificate, CertificateStore, Tls, TlsParameters},
        extension::ClientId,
    },
};
use mail_send::{SmtpClient, SmtpClientBuilder, smtp::message};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::pem::PemObject},
};

use crate::{
    Run,
    clients::{Job, Mode},
    messages::Message,
    servers::{PASSWORD, USER},
};

const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn by_lettre(run: &Run, job: &Job, messages: &[Message]) -> Result<()> {
    let ca = Certificate::from_pem(&fs::read(&run.pki.ca)?)?;
    let tls = TlsParameters::builder("localhost".to_owned())
        .certificate_store(CertificateStore::None)
        .add_root_certificate(ca)
        .build_rustls()?;
    let mut transport = SmtpTransport::builder_dangerous("localhost")
        .port(job.port)
        .hello_name(ClientId::Domain("client.test".to_owned()))
        .timeout(Some(PATIENCE))
        .pool_config(PoolConfig::new().max_size(1))
        .tls(match job.mode {
            Mode::ImplicitTls => Tls::Wrapper(tls),
            mode if mode.is_encrypted() => Tls::Required(tls),
            _ => Tls::None,
        });
    if job.mode.mechanism().is_some() {
        let mechanism = match job.mode {
            Mode::AuthPlain => Mechanism::Plain,
            _ => Mechanism::Login,
        };
        transport = transport
            .credentials(Credentials::new(USER.to_owned(), PASSWORD.to_owned()))
            .authentication(vec![mechanism]);
    }
    let transport = transport.build();
    for message in messages {
        let recipients = message.recipients.iter().map(|it| it.parse::<Address>());
        let envelope = Envelope::new(
            Some(message.sender.parse()?),
            recipients.collect::<Result<_, _>>()?,
        )?;
        transport.send_raw(&envelope, &message.content)?;
    }
    transport.shutdown();
    Ok(())
}

pub(super) fn by_mail_send(run: &Run, job: &Job, messages: &[Message]) -> Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(PemObject::from_pem_file(&run.pki.ca)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let mut builder = SmtpClientBuilder::new_with_tls_connector("localhost", job.port, connector)
        .helo_host("client.test")
        .timeout(PATIENCE)
        .implicit_tls(job.mode == Mode::ImplicitTls)
        .lmtp(job.mode == Mode::Lmtp);
    if job.mode.mechanism().is_some() {
        builder = builder.credentials((USER, PASSWORD));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        if job.mode.is_encrypted() {
            let client = builder.connect().await.map_err(|it| anyhow!("{it}"))?;
            send_all(client, messages).await
        } else {
            let client = builder
                .connect_plain()
                .await
                .map_err(|it| anyhow!("{it}"))?;
            send_all(client, messages).await
        }
    })
}

async fn send_all<S: AsyncRead + AsyncWrite + Unpin>(
    mut client: SmtpClient<S>,
    messages: &[Message],
) -> Result<()> {
    for message in messages {
        let recipients = message.recipients.iter().map(String::as_str);
        let sent = message::Message::new(
            message.sender.as_str(),
            recipients.collect::<Vec<_>>(),
            message.content.to_vec(),
        );
        client
            .send(sent)
            .await
            .map_err(|error| anyhow!("{error}"))
            .with_context(|| message.sender.clone())?;
    }
    client.quit().await.map_err(|error| anyhow!("{error}"))?;
    Ok(())
}
