//! Servers as people write them down.

use smtp_proto::{
    client::{Envelope, Tls},
    delivery::{Error, Server, ServerUrl, UrlError, own_name},
    machine::Dialect,
    syntax::{Code, Host},
};

fn tcp(host: &str, port: u16) -> Server {
    (host, port).into()
}

#[test]
fn ports_and_tls_follow_from_the_scheme() {
    for (url, server, tls, dialect) in [
        (
            "smtp://mx.example.net",
            tcp("mx.example.net", 25),
            Tls::Opportunistic,
            Dialect::Smtp,
        ),
        (
            "SMTP://mx.example.net/",
            tcp("mx.example.net", 25),
            Tls::Opportunistic,
            Dialect::Smtp,
        ),
        (
            "smtp://localhost:2525",
            tcp("localhost", 2525),
            Tls::Opportunistic,
            Dialect::Smtp,
        ),
        (
            "smtps://mx.example.net",
            tcp("mx.example.net", 465),
            Tls::Implicit,
            Dialect::Smtp,
        ),
        (
            "smtps://[2001:db8::1]:4650",
            tcp("2001:db8::1", 4650),
            Tls::Implicit,
            Dialect::Smtp,
        ),
        (
            "smtp://[::1]",
            tcp("::1", 25),
            Tls::Opportunistic,
            Dialect::Smtp,
        ),
        (
            "lmtp://store.example.net",
            tcp("store.example.net", 24),
            Tls::Opportunistic,
            Dialect::Lmtp,
        ),
        // As lettre writes them.
        (
            "smtp://mx.example.net?tls=required",
            tcp("mx.example.net", 587),
            Tls::Required,
            Dialect::Smtp,
        ),
        (
            "smtp://mx.example.net:25?tls=required",
            tcp("mx.example.net", 25),
            Tls::Required,
            Dialect::Smtp,
        ),
        (
            "smtp://192.0.2.1?tls=opportunistic",
            tcp("192.0.2.1", 25),
            Tls::Opportunistic,
            Dialect::Smtp,
        ),
        (
            "smtps://mx.example.net?tls=required",
            tcp("mx.example.net", 465),
            Tls::Implicit,
            Dialect::Smtp,
        ),
        (
            "smtp://mx.example.net?tls=none",
            tcp("mx.example.net", 25),
            Tls::Off,
            Dialect::Smtp,
        ),
    ] {
        let parsed: ServerUrl = url.parse().unwrap();
        assert_eq!(parsed.server(), &server, "{url}");
        assert_eq!(parsed.tls(), tls, "{url}");
        assert_eq!(parsed.dialect(), dialect, "{url}");
    }
}

#[test]
fn a_unix_socket_is_a_path() {
    for url in ["lmtp+unix:/run/a%20b.sock", "lmtp+unix:///run/a%20b.sock"] {
        let parsed: ServerUrl = url.parse().unwrap();
        let path = "/run/a b.sock".to_owned();
        assert_eq!(parsed.server(), &Server::Unix { path });
        assert_eq!((parsed.dialect(), parsed.tls()), (Dialect::Lmtp, Tls::Off));
    }
    for url in ["lmtp+unix:", "lmtp+unix://host/run/x", "lmtp+unix:/run/%00"] {
        assert_eq!(url.parse::<ServerUrl>(), Err(UrlError::Path), "{url}");
    }
}

#[test]
fn a_path_is_the_name_for_ehlo() {
    let parsed: ServerUrl = "smtp://mx.example.net/client.example.org".parse().unwrap();
    assert_eq!(parsed.name().unwrap().as_str(), "client.example.org");
    let config = format!("{:?}", parsed.config(Host::parse("other.example").unwrap()));
    assert!(config.contains("client.example.org"), "{config}");
    let parsed: ServerUrl = "smtp://mx.example.net".parse().unwrap();
    assert_eq!(parsed.name(), None);
}

#[cfg(feature = "auth")]
#[test]
fn credentials_are_decoded_and_demand_tls() {
    for (url, user, password, port, tls) in [
        (
            "smtp://alice:secret@mx.example.net",
            "alice",
            "secret",
            587,
            Tls::Required,
        ),
        (
            "smtps://a%40b.example:p%3a%2F%C3%A9@mx.example.net",
            "a@b.example",
            "p:/é",
            465,
            Tls::Implicit,
        ),
        // Taken, as others do: the last `@` counts.
        (
            "smtp://a@b.example:c:d@mx.example.net:25",
            "a@b.example",
            "c:d",
            25,
            Tls::Required,
        ),
        (
            "lmtp://alice:@mx.example.net",
            "alice",
            "",
            24,
            Tls::Required,
        ),
    ] {
        let parsed: ServerUrl = url.parse().unwrap();
        assert_eq!(parsed.credentials(), Some((user, password)), "{url}");
        assert_eq!(parsed.server(), &tcp("mx.example.net", port), "{url}");
        assert_eq!(parsed.tls(), tls, "{url}");
    }
    for tls in ["none", "opportunistic"] {
        let url = format!("smtp://alice:secret@mx.example.net?tls={tls}");
        assert_eq!(url.parse::<ServerUrl>(), Err(UrlError::Unprotected));
        let words = UrlError::Unprotected.to_string();
        assert!(words.contains("leave `tls` out"), "{words}");
    }
}

#[cfg(not(feature = "auth"))]
#[test]
fn credentials_that_would_be_ignored_are_refused() {
    let parsed = "smtps://alice:secret@mx.example.net".parse::<ServerUrl>();
    assert_eq!(parsed, Err(UrlError::NoAuthentication));
}

/// A user's secret is in no error and no `Debug`, whatever is wrong with the URL.
#[test]
fn nothing_shows_the_userinfo() {
    for url in [
        "smtps://alice:hunter2@mx.example.net",
        "smtps://alice:hunter2@",
        "smtps://alice:hunter2@mx.example.net:0",
        "smtps://alice:hunter2@mx.example.net:99999",
        "smtps://alice:hunter2@mx.example.net?tls=hunter2",
        "smtps://alice:hunter2@mx example",
        "smtps://alice:hun/ter2@mx.example.net",
        "smtps://alice:25?hunter2@mx.example.net",
        "smtps://alice:hunter2%@mx.example.net",
        "smtps://alice:hunter2%ff@mx.example.net",
        "smtps://alice@mx.example.net",
        "https://alice:hunter2@mx.example.net",
        "alice:hunter2@mx.example.net",
    ] {
        let shown = match url.parse::<ServerUrl>() {
            Ok(parsed) => format!("{parsed:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        for secret in ["alice", "hunter2", "ter2"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[cfg(feature = "auth")]
#[test]
fn a_user_has_a_password() {
    let parsed = "smtps://alice@mx.example.net".parse::<ServerUrl>();
    assert_eq!(parsed, Err(UrlError::NoPassword));
}

/// Of a program whose `main` returns the error, this is what is seen.
#[test]
fn an_error_is_told_in_words() {
    let error = Error::from(UrlError::Scheme);
    assert_eq!(format!("{error:?}"), format!("Url({error})"));
    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let error = Error::connect(refused).naming(&Server::from(("mx.example.net", 25)));
    let words = "Connect(mx.example.net:25: connection refused)";
    assert_eq!(format!("{error:?}"), words);
}

#[test]
fn what_is_no_url_is_refused() {
    for (url, error) in [
        ("mx.example.net", UrlError::Scheme),
        ("mx.example.net:25", UrlError::Scheme),
        ("smtp:mx.example.net", UrlError::Scheme),
        ("http://mx.example.net", UrlError::Scheme),
        ("smtp://", UrlError::Host),
        ("smtp://:25", UrlError::Host),
        ("smtp://a b", UrlError::Host),
        ("smtp://[::g]", UrlError::Host),
        ("smtp://[::1", UrlError::Host),
        ("smtp://[::1]x", UrlError::Host),
        ("smtp://::1", UrlError::Host),
        ("smtp://x:+25", UrlError::Port),
        ("smtp://x:0", UrlError::Port),
        ("smtp://x:65536", UrlError::Port),
        ("smtp://x/a%20b", UrlError::Name),
        ("smtp://x?tls=maybe", UrlError::Parameter),
        ("smtps://x?tls=none", UrlError::Parameter),
        ("smtp://x/a@y", UrlError::Credentials),
        ("smtp://b\u{fc}cher.example", UrlError::Host),
    ] {
        assert_eq!(url.parse::<ServerUrl>(), Err(error), "{url}");
    }
}

/// 5321-4.1.1.1: a full name, or else an address literal.
#[test]
fn a_client_calls_itself_by_a_full_name_or_by_its_address() {
    let address = |text: &str| Some(text.parse().unwrap());
    for (host_name, local, expected) in [
        (
            "client.example.org",
            address("192.0.2.1"),
            "client.example.org",
        ),
        ("client.example.org.", None, "client.example.org"),
        ("localhost", address("192.0.2.1"), "[192.0.2.1]"),
        ("a_b.example", address("2001:db8::1"), "[IPv6:2001:db8::1]"),
        ("x", address("::ffff:192.0.2.1"), "[192.0.2.1]"),
        ("", None, "[127.0.0.1]"),
    ] {
        assert_eq!(own_name(host_name, local).as_str(), expected);
    }
}

/// A function that makes an envelope and sends it returns what sending returns.
#[test]
fn an_address_that_is_none_is_an_error_of_delivery() {
    fn first_page(to: &str) -> Result<ServerUrl, Error> {
        Envelope::new("alice@example.net")?.to(to)?;
        Ok("smtp://mx.example.net".parse()?)
    }
    first_page("bob@example.org").unwrap();
    let error = first_page("bob").unwrap_err();
    let words = "expected a mailbox such as user@example.org, or Postmaster, found \"bob\"";
    assert!(error.to_string().starts_with(words), "{error}");
    assert!(format!("{error:?}").contains(words), "{error:?}");
    assert!(!error.is_transient());
    assert_eq!(error.relayed().code(), Code::TRANSACTION_FAILED);
}
