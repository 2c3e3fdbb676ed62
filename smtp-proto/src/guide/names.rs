//! What things are called here, for who comes from another library.
//!
//! Names without a path are those of `smtp_proto_tokio` and `smtp_proto_blocking`, which are the same.
//!
//! # From lettre
//!
//! A program that is to stay lettre's takes `SmtpTransport` or `AsyncSmtpTransport` from `smtp_proto_lettre`, with
//! the names on the left, and changes one line. Without lettre:
//!
//! | lettre 0.11 | here |
//! |---|---|
//! | `SmtpTransport::relay("host")` | `Client::connect("smtps://host")` |
//! | `SmtpTransport::starttls_relay("host")` | `Client::connect("smtp://host?tls=required")` |
//! | `SmtpTransport::builder_dangerous("host")` | `Client::connect("smtp://host?tls=none")` |
//! | `SmtpTransport::from_url(url)` | `Client::connect(url)`; see [`ServerUrl`](crate::delivery::ServerUrl) |
//! | `.credentials(Credentials::new(user, password))` | `.password(user, password)`, or in the URL |
//! | `.authentication(vec![Mechanism::Xoauth2])` | `.authenticate(..)`, with those of `client::mechanism` |
//! | `.hello_name(ClientId::Domain(..))` | `.name(Host::parse(..)?)` |
//! | `.tls(Tls::Wrapper(..))`, `Required`, `Opportunistic`, `None` | [`Tls`](crate::client::Tls)`::Implicit`, `Required`, `Opportunistic`, `Off` |
//! | `TlsParameters` | `tls::TlsConnector` |
//! | `.timeout(..)` | [`Timeouts`](crate::client::Timeouts), one for each step |
//! | `SmtpTransport`, with its pool | `Sender`, which also sends again what a lost connection did not carry |
//! | `.pool_config(PoolConfig::new().max_size(4).idle_timeout(..))` | `.max_connections(4).idle_timeout(..)` |
//! | `Message` | any bytes: `message.formatted()` of lettre's is a content |
//! | `message.envelope()`, `Envelope::new(from, to)` | `Envelope::new(from)?.to(to)?` |
//! | `transport.send(&message)`, `send_raw(&envelope, bytes)` | `client.send(envelope, bytes)` |
//! | `AsyncSmtpTransport<Tokio1Executor>` | `smtp_proto_tokio::Client`; without async, `smtp_proto_blocking::Client` |
//! | `Response` | a [`Report`](crate::delivery::Report), with an outcome for each recipient |
//! | `Err(error)`, `is_permanent()`, `is_transient()` | [`Outcome::Refused`](crate::client::Outcome::Refused), with the reply and the step that it answered |
//! | `Err(error)`, `is_timeout()`, `is_client()` | [`Outcome::NotSent`](crate::client::Outcome::NotSent) or [`Outcome::InDoubt`](crate::client::Outcome::InDoubt), which one error cannot tell apart |
//! | `test_connection()` | `client.check()`, without a round trip |
//!
//! lettre sends a message to all of its recipients or to none; here each recipient has an outcome, and
//! [`Envelope::all_or_none`](crate::client::Envelope::all_or_none) is what lettre does.
//!
//! # From mail-send
//!
//! | mail-send 0.5 to 0.7 | here |
//! |---|---|
//! | `SmtpClientBuilder::new("host", 587).implicit_tls(false).connect()` | `Client::connect("smtp://host?tls=required")` |
//! | `.implicit_tls(true)` | `smtps://` |
//! | `.connect_plain()` | `?tls=none` |
//! | `.credentials((user, password))` | `.password(user, password)`, or in the URL |
//! | `.allow_invalid_certs()` | `.tls(TlsConnector::with_any_certificate("host")?)` |
//! | `.lmtp(true)` | `lmtp://host` |
//! | `.helo_host("name")` | `.name(Host::parse("name")?)` |
//! | `.timeout(..)` | [`Timeouts`](crate::client::Timeouts) |
//! | `smtp::message::Message::new(from, to, body)` | `Envelope::new(from)?.to(to)?` and a `Body` |
//! | `client.send(message)` | `client.send(envelope, body)`; many by `send_all`, without waiting between |
//! | `client.send_signed(message, &signer)` | sign with a crate for DKIM, and put the field in front: `Body::from_parts` |
//! | `client.mail_from`, `rcpt_to`, `data` | `client.send`, or the machine: [`Client::begin`](crate::client::Client::begin), `add_recipient`, `end` |
//! | `client.noop()`, `client.rset()` | `client.command(&Command::Noop)`; RSET is the machine's own |
//! | `Error::UnexpectedReply(response)` | [`Outcome::Refused`](crate::client::Outcome::Refused) |
//!
//! Its parser is another crate of the name smtp-proto: `Request` there is
//! [`Command`](crate::syntax::Command) here, `EhloResponse` is
//! [`Capabilities`](crate::syntax::Capabilities), `Response` is [`Reply`](crate::syntax::Reply), and
//! `DataReceiver` and `BdatReceiver` are part of [`Server`](crate::server::Server).
//!
//! # From mailin
//!
//! | mailin 0.6, mailin-embedded | here |
//! |---|---|
//! | `Handler`, an instance for each connection | `server::Handler`, one for all; state by [`State`](crate::reception::State) |
//! | `helo(ip, domain)` | `connected(session)`, then `hello(session)`: `session.peer()`, `session.hello()` |
//! | `mail(ip, domain, from)` | `mail(session, sender)` |
//! | `rcpt(to)` | `recipient(session, transaction, recipient)` |
//! | `data_start(domain, from, is8bit, to)` | `content(session, envelope)`, which returns a `Sink` |
//! | `data(buf)` | `Sink::write(bytes)` |
//! | `data_end()` | `Sink::finish()` |
//! | `auth_plain(..)`, `auth_login(..)` | `authenticate(session, credential)` |
//! | `Response`, `response::OK`, `NO_MAILBOX` | `Verdict`: `accept()`, `Err(refuse!("550 5.1.1 No mailbox"))` |
//! | `Response::custom(code, text)` | [`Reply::new(code, text)`](crate::syntax::Reply::new) |
//! | `SessionBuilder::new(name).build(ip, handler)`, `session.process(line)` | [`Server`](crate::server::Server), or [`Reception`](crate::reception::Reception) |
//! | `Action::Close`, `Action::UpgradeTls` | `is_closed()`, `wants_tls()` |
//! | `mailin_embedded::Server::new(handler)` `.with_addr(..)`, `.serve()` | `Server::bind(addr, config)`, `.serve(handler)` |
//! | `.with_ssl(SslConfig::..)` | `Options::new(config).tls(TlsAcceptor::from_pem_files(..)?)` |
//!
//! # From go-smtp
//!
//! | go-smtp 0.21 to 0.24 | here |
//! |---|---|
//! | `Backend`, `NewSession(c *Conn)` | `server::Handler`, `connected(session)` |
//! | `Session.Mail(from, opts)` | `mail(session, sender)`: `sender.parameters` |
//! | `Session.Rcpt(to, opts)` | `recipient(session, transaction, recipient)` |
//! | `Session.Data(r io.Reader)` | `content(session, envelope)`, and a `Sink` that is written to |
//! | `LMTPSession.LMTPData(r, status)` | `Sink::deliver(deliveries)` |
//! | `AuthSession.AuthMechanisms()`, `Auth(mech)` | [`Config::mechanisms`](crate::server::Config::mechanisms), `authenticate`, `exchange` |
//! | `Session.Reset()` | the `Sink` is dropped; [`Notice::Reset`](crate::reception::Notice::Reset) |
//! | `Session.Logout()` | `closed(session, result, tally)` |
//! | `&SMTPError{Code, EnhancedCode, Message}` | `refuse!("550 5.7.1 ...")` |
//! | `Conn.Hostname()`, `Conn.Conn().RemoteAddr()`, `TLSConnectionState()` | `session.hello()`, `session.peer()`, `session.tls()` |
//! | `Server.Domain`, `MaxMessageBytes`, `MaxRecipients`, `ReadTimeout` | [`Config`](crate::server::Config)`::new(name)`, `max_message_size`, `max_recipients`, `idle_timeout` |
//! | `Server.AllowInsecureAuth` | `allow_plain_text_auth()` |
//! | `Server.ListenAndServe()`, `Shutdown(ctx)` | `Server::bind(..)`, `serve_until(handler, Shutdown)` |
//! | `Server.Debug` | [`Config::traced`](crate::server::Config::traced), `trace(session, entry)` |
//! | `Dial`, `DialStartTLS`, `DialTLS` | `smtp://host?tls=none`, `smtp://host?tls=required`, `smtps://host` |
//! | `NewClient(conn)`, `NewClientLMTP(conn)` | `Client::with_stream(stream, config)`, with [`Dialect`](crate::machine::Dialect)`::Lmtp` |
//! | `Client.SendMail(from, to, r)` | `client.send(envelope, body)` |
//! | `Client.Mail`, `Rcpt`, `Data` and its `Close` | `client.send`; the reply of each recipient is in the report |
//!
//! # From aiosmtpd
//!
//! | aiosmtpd 1.4 | here |
//! |---|---|
//! | `Controller(handler, hostname, port)`, `start()`, `stop()` | `Server::bind(..)`, `serve_until(handler, shutdown)`, `shutdown.begin()` |
//! | `handle_EHLO`, `handle_HELO` | `hello(session)` |
//! | `handle_MAIL(server, session, envelope, address, options)` | `mail(session, sender)` |
//! | `handle_RCPT(.., address, rcpt_options)` | `recipient(session, transaction, recipient)` |
//! | `handle_DATA(server, session, envelope)`, `envelope.content` | `content(session, envelope)` with `InMemory`, or a `Sink` |
//! | `return '250 OK'`, `'550 ...'` | `accept()`, `Err(refuse!("550 5.1.1 ..."))` |
//! | `envelope.mail_from`, `mail_options`, `rcpt_tos` | `envelope.sender.path`, `sender.parameters`, `envelope.recipients` |
//! | `session.peer`, `host_name`, `ssl`, `authenticated`, `auth_data` | `session.peer()`, `hello()`, `tls()`, `identity()` |
//! | `handle_RSET`, `handle_NOOP`, `handle_QUIT`, `handle_VRFY` | [`Notice::Reset`](crate::reception::Notice::Reset), `command`, `closed`, `verify` |
//! | `handle_PROXY`, `proxy_protocol_timeout` | `Server::prepare`; see the example `proxy_protocol` |
//! | `authenticator`, `auth_required`, `auth_require_tls` | `authenticate(session, credential)`, [`require_auth`](crate::server::Config::require_auth), the default |
//! | `require_starttls`, `tls_context` | [`Tls::Required`](crate::server::Tls::Required), `Options::tls(acceptor)` |
//! | `data_size_limit`, `enable_SMTPUTF8` | [`max_message_size`](crate::server::Config::max_message_size), [`offer`](crate::server::Config::offer) |
//! | `handle_exception` | a method that panics is answered 451, and the session goes on |
//! | `aiosmtpd.lmtp.LMTP`, `UnixSocketController` | [`Dialect`](crate::machine::Dialect)`::Lmtp`, `Server::bind_unix` |
