//! TLS where the peer does not do as it should: over the loopback interface, but for those tests that
//! stop the clock.
#![cfg(feature = "rustls")]

mod support;

use std::{sync::Arc, time::Duration};

use smtp_proto::{
    client::{self, NotSentReason, Outcome, Timeouts},
    machine::{Fault, Timer},
    server,
};
use smtp_proto_test_support::Pki;
use smtp_proto_tokio::{Client, client::Options};
use support::{
    Store, begin_message, content, drain, exchange, greet, introduce, one, read_to_end, script,
    tls::{acceptor, fault, handshake, look_ahead, loopback, serve, serve_loopback, with_tls},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const READY: &str = "220 2.0.0 Ready to start TLS\r\n";
const BAD_SEQUENCE: &str = "503 5.5.1 Bad sequence of commands\r\n";

/// TLS-1, TLS-3, 3207-4-h, CVE-2011-0411: what comes after STARTTLS is never obeyed.
#[tokio::test]
async fn bytes_after_starttls_close_the_connection() {
    let pki = Pki::new();
    for (command, after) in [
        ("STARTTLS", "EHLO evil.example\r\n"),
        ("starttls", "MAIL FROM:<evil@example.org>\r\n"),
        ("StartTLS  ", "E"),
        ("STARTTLS", "\x16\x03\x01"),
    ] {
        let store = Arc::new(Store::default());
        let (mut stream, server) =
            serve_loopback(&store, with_tls(&pki, server::Tls::Offered)).await;
        greet(&mut stream).await;
        let command = format!("{command}\r\n{after}");
        stream.write_all(command.as_bytes()).await.unwrap();
        let reply = read_to_end(&mut stream).await;
        assert!(reply.starts_with("554 5.5.0 "), "{reply}");
        assert_eq!(reply.lines().count(), 1);
        drop(stream);
        let error = server.await.unwrap().unwrap_err();
        assert_eq!(fault(&error), Fault::BytesBeforeTls);
    }
}

/// TLS-2: what comes after the 220 is TLS's, and is none.
#[tokio::test]
async fn commands_in_the_place_of_a_handshake_close_the_connection() {
    let pki = Pki::new();
    let store = Arc::new(Store::default());
    let (mut stream, server) = serve_loopback(&store, with_tls(&pki, server::Tls::Offered)).await;
    greet(&mut stream).await;
    exchange(&mut stream, "STARTTLS\r\n", READY).await;
    stream.write_all(b"EHLO evil\r\nNOOP\r\n").await.unwrap();
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received).await; // the server may end it by a reset
    assert!(!received.windows(3).any(|it| it == b"250"), "{received:?}");
    assert_eq!(fault(&server.await.unwrap().unwrap_err()), Fault::TlsFailed);
}

/// TLS-6, 3207-4-i, CVE-2021-38371: the client takes nothing that comes after the 220 in clear.
#[tokio::test]
async fn bytes_after_the_220_close_the_connection() {
    let pki = Pki::new();
    let (near, far) = loopback().await;
    let server = script(
        far,
        &[
            ("", "220 x\r\n"),
            ("EHLO", "250-x\r\n250 STARTTLS\r\n"),
            ("STARTTLS\r\n", "220 go\r\n250-x\r\n250 AUTH PLAIN\r\n"),
        ],
    );
    let options = Options::new(look_ahead(client::Tls::Required)).tls(pki.connector());
    let mut client = Client::with_stream(near, options).unwrap();
    client.submit(one(), content(0)).unwrap();
    let (reports, result) = drain(&mut client).await;
    let not_sent = Outcome::NotSent(NotSentReason::ConnectionEnded.into());
    assert_eq!(reports[0].outcome, not_sent);
    assert_eq!(fault(&result.unwrap_err()), Fault::BytesBeforeTls);
    let sent = server.await.unwrap();
    assert_eq!(sent, b"EHLO client.example\r\nSTARTTLS\r\n");
}

/// TLS-4, TLS-5, 3207-4.2-a: no TLS in a transaction, nothing is left of a session in clear, and there
/// is no TLS under TLS.
#[tokio::test]
async fn a_session_in_clear_is_forgotten() {
    let pki = Pki::new();
    let store = Arc::new(Store::default());
    let (mut stream, server) = serve_loopback(&store, with_tls(&pki, server::Tls::Offered)).await;
    greet(&mut stream).await;
    let argument = "501 5.5.4 Syntax error in the argument\r\n";
    exchange(&mut stream, "STARTTLS x\r\n", argument).await;
    let mail = "MAIL FROM:<a@example.org>\r\n";
    exchange(&mut stream, mail, "250 2.1.0 Sender OK\r\n").await;
    exchange(&mut stream, "STARTTLS\r\n", BAD_SEQUENCE).await;
    exchange(&mut stream, "RSET\r\n", "250 2.0.0 OK\r\n").await;
    exchange(&mut stream, "STARTTLS\r\n", READY).await;
    let mut stream = handshake(&pki, &[], stream).await.unwrap();
    exchange(&mut stream, "RCPT TO:<b@example.net>\r\n", BAD_SEQUENCE).await;
    exchange(&mut stream, mail, BAD_SEQUENCE).await;
    let answer = introduce(&mut stream, "EHLO").await;
    assert!(!answer.contains("STARTTLS"), "{answer}");
    exchange(&mut stream, "STARTTLS\r\n", BAD_SEQUENCE).await;
    exchange(&mut stream, mail, "250 2.1.0 Sender OK\r\n").await;
    drop(stream);
    server.await.unwrap().unwrap_err();
}

/// TLS-8: STARTTLS is offered and then refused: nothing but a farewell leaves in clear.
#[tokio::test(start_paused = true)]
async fn refused_tls_leaves_nothing_in_clear() {
    let pki = Pki::new();
    for (reply, expected, farewell) in [
        ("454 no", Fault::TlsUnavailable, "QUIT\r\n"),
        ("250 ok", Fault::ImpossibleReply, ""),
        ("421 bye", Fault::Closing, ""),
    ] {
        let (near, mut far) = tokio::io::duplex(4096);
        let server = tokio::spawn(async move {
            exchange_lines(&mut far, &["220 x", "250-x\r\n250 STARTTLS", reply]).await;
            read_to_end(&mut far).await
        });
        let options = Options::new(look_ahead(client::Tls::Required)).tls(pki.connector());
        let mut client = Client::with_stream(near, options).unwrap();
        let report = client.send(&one(), content(0)).await.unwrap();
        assert!(matches!(report.outcome, Outcome::NotSent(_)), "{report:?}");
        assert_eq!(fault(&client.ready().await.unwrap_err()), expected);
        drop(client);
        let rest = server.await.unwrap();
        assert_eq!(rest, farewell);
    }
}

/// TLS-10, 3207-4.2-a: what was offered in clear counts no more.
#[tokio::test]
async fn offers_in_clear_are_forgotten() {
    let pki = Pki::new();
    let (near, mut far) = loopback().await;
    let acceptor = acceptor(&pki);
    let server = tokio::spawn(async move {
        let offer = "250-x\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 STARTTLS";
        exchange_lines(&mut far, &["220 x", offer, "220 go"]).await;
        let mut stream = acceptor.accept(far).await.unwrap();
        while stream.read_u8().await.unwrap() != b'\n' {}
        exchange_lines(&mut stream, &["250-x\r\n250 SIZE 10000", "250 ok"]).await;
        // There may be more only where PIPELINING is offered.
        let mut line = [0; "RCPT TO:<b@example.net>\r\n".len()];
        stream.read_exact(&mut line).await.unwrap();
        assert_eq!(&line[..4], b"RCPT");
        let quiet = Duration::from_millis(50);
        let more = tokio::time::timeout(quiet, stream.read_u8()).await;
        assert!(more.is_err(), "nothing more before the reply");
    });
    let options = Options::new(look_ahead(client::Tls::Required)).tls(pki.connector());
    let mut client = Client::with_stream(near, options).unwrap();
    client.ready().await.unwrap();
    let offers: Vec<_> = client
        .capabilities()
        .iter()
        .map(|(keyword, _)| keyword)
        .collect();
    assert_eq!(offers, ["SIZE"]);
    client.send(&one(), content(0)).await.unwrap();
    server.await.unwrap();
}

/// TLS-12: after close_notify nothing more is read, least of all in clear.
#[tokio::test]
async fn bytes_after_the_end_of_tls_are_not_content() {
    let pki = Pki::new();
    let store = Arc::new(Store::default());
    let (stream, server) = serve_loopback(&store, with_tls(&pki, server::Tls::Implicit)).await;
    let mut stream = handshake(&pki, &[], stream).await.unwrap();
    greet(&mut stream).await;
    exchange(
        &mut stream,
        "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n",
        "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n",
    )
    .await;
    stream.write_all(b"BDAT 10 LAST\r\nhalf ").await.unwrap();
    stream.shutdown().await.unwrap();
    let (mut stream, _) = stream.into_inner();
    stream
        .write_all(b"full\r\nNOOP\r\n")
        .await
        .unwrap_or_default();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await; // the server may end it by a reset
    assert!(!answer.windows(3).any(|it| it == b"250"), "{answer:?}");
    let error = server.await.unwrap().unwrap_err();
    assert_eq!(fault(&error), Fault::ConnectionLost);
    assert!(store.messages.lock().unwrap().is_empty());
}

/// TLS-13: without a verdict a message is in doubt, whether or not TLS ended as it should.
#[tokio::test]
async fn the_server_ends_tls_in_place_of_a_verdict() {
    let pki = Pki::new();
    for (says_so, said) in [(true, ""), (false, "close_notify")] {
        let (near, far) = loopback().await;
        let acceptor = acceptor(&pki);
        let server = tokio::spawn(async move {
            let mut stream = acceptor.accept(far).await.unwrap();
            let replies = ["220 x", "250 x", "250 ok", "250 ok", "354 go"];
            exchange_lines(&mut stream, &replies).await;
            let mut received = Vec::new();
            while !received.ends_with(b"\r\n.\r\n") {
                received.push(stream.read_u8().await.unwrap());
            }
            if says_so {
                stream.shutdown().await.unwrap();
            }
        });
        let options = Options::new(look_ahead(client::Tls::Implicit)).tls(pki.connector());
        let mut client = Client::with_stream(near, options).unwrap();
        let report = client.send(&one(), content(0)).await.unwrap();
        assert_eq!(report.outcome, Outcome::InDoubt);
        let error = client.quit().await.unwrap_err();
        assert_eq!(fault(&error), Fault::ConnectionLost);
        assert!(error.to_string().contains(said), "{error}");
        server.await.unwrap();
    }
}

/// TLS-13: nor is an end of TLS the end of a content, by DATA or BDAT.
#[tokio::test]
async fn the_client_ends_tls_in_the_middle_of_a_content() {
    let pki = Pki::new();
    for says_so in [true, false] {
        let store = Arc::new(Store::default());
        let (stream, server) = serve_loopback(&store, with_tls(&pki, server::Tls::Implicit)).await;
        let mut stream = handshake(&pki, &[], stream).await.unwrap();
        greet(&mut stream).await;
        begin_message(&mut stream).await;
        stream.write_all(b"Subject: half\r\n").await.unwrap();
        stream.flush().await.unwrap();
        if says_so {
            stream.shutdown().await.unwrap();
        }
        drop(stream);
        let error = server.await.unwrap().unwrap_err();
        assert_eq!(fault(&error), Fault::ConnectionLost);
        assert!(store.messages.lock().unwrap().is_empty());
    }
}

/// TLS-14: a browser that was led here is turned away, and told why; who asks for nothing is not.
#[tokio::test]
async fn clients_of_another_protocol_are_turned_away() {
    let pki = Pki::new();
    for tls in [server::Tls::Implicit, server::Tls::Offered] {
        for (protocols, welcome) in [
            (&["http/1.1"][..], false),
            (&["h2", "smtp"], true),
            (&["lmtp"], true),
            (&[], true),
        ] {
            let store = Arc::new(Store::default());
            let (mut stream, server) = serve_loopback(&store, with_tls(&pki, tls)).await;
            if tls == server::Tls::Offered {
                greet(&mut stream).await;
                exchange(&mut stream, "STARTTLS\r\n", READY).await;
            }
            match handshake(&pki, protocols, stream).await {
                Ok(mut stream) => {
                    assert!(welcome);
                    if tls == server::Tls::Implicit {
                        exchange(&mut stream, "", "220 mx.example.net ESMTP\r\n").await;
                    }
                    stream.write_all(b"QUIT\r\n").await.unwrap();
                    read_to_end(&mut stream).await;
                    server.await.unwrap().unwrap();
                }
                Err(alert) => {
                    assert!(!welcome);
                    let alert = alert.to_string();
                    assert!(alert.ends_with("NoApplicationProtocol"), "{alert}");
                    let error = server.await.unwrap().unwrap_err();
                    assert_eq!(fault(&error), Fault::TlsFailed);
                }
            }
        }
    }
}

/// Sends one reply, and each of the others after a line has come.
async fn exchange_lines(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), replies: &[&str]) {
    for (index, reply) in replies.iter().enumerate() {
        while index > 0 && stream.read_u8().await.unwrap() != b'\n' {}
        let line = format!("{reply}\r\n");
        stream.write_all(line.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends_times_out() {
    let pki = Pki::new();
    let (near, _far) = tokio::io::duplex(4096);
    let mut timeouts = Timeouts::default();
    timeouts.command = Duration::from_secs(7);
    let config = look_ahead(client::Tls::Implicit).timeouts(timeouts);
    let options = Options::new(config).tls(pki.connector());
    let mut client = Client::with_stream(near, options).unwrap();
    let error = client.ready().await.unwrap_err();
    assert_eq!(fault(&error), Fault::TimedOut(Timer::Handshake));

    let store = Arc::new(Store::default());
    let (mut stream, server) = serve(&store, 4096, with_tls(&pki, server::Tls::Offered));
    greet(&mut stream).await;
    exchange(&mut stream, "STARTTLS\r\n", READY).await;
    let error = server.await.unwrap().unwrap_err();
    assert!(matches!(fault(&error), Fault::TimedOut(_)), "{error}");

    let (_stream, server) = serve(&store, 4096, with_tls(&pki, server::Tls::Implicit));
    let error = server.await.unwrap().unwrap_err();
    assert!(matches!(fault(&error), Fault::TimedOut(_)), "{error}");
}
