//! What a server's application has to say.

/// Defines an adapter's trait `Handler`, its methods `async` or not, with the documentation that is given;
/// `Sink` and `Exchange` are the adapter's.
#[doc(hidden)]
#[macro_export]
macro_rules! handler {
    ($($async:ident . await)? $(#[$docs:meta])*) => {
        use std::{io, sync::Arc};

        use $crate::{
            delivery::Error,
            machine::TraceEntry,
            reception::{
                ClientAttributes, Envelope, Notice, Recipient, Refusal, Sender, Session, State,
                Tally, Transaction, Verdict, accept,
            },
            server::{
                Reason,
                replies::{not_authorised, not_implemented, queue_unavailable},
            },
            syntax::Reply,
        };
        #[cfg(feature = "auth")]
        use $crate::{
            reception::Identity,
            sasl::{Credential, invalid_credentials},
        };
        #[cfg(feature = "scram")]
        use $crate::sasl::{ScramHash, ScramKeys};

        $crate::handler! { @trait [$($async)?] [$(#[$docs])*]
            /// Takes a connection, and says what is to be remembered of it; or refuses it: 554 lets the
            /// client take leave, 421 and 521 close the connection. The greeting is the machine's, or the
            /// [reply](smtp_proto::reception::Accept::reply), 220. Accepts unless written.
            connected(session: &Session<S>) -> Verdict<S::Session>
                = Ok(S::Session::default().into());

            /// Answers EHLO, HELO, or LHLO in LMTP: the session holds what the client says. Accepts unless
            /// written, and offers what the configuration does; or else what the verdict
            /// [says](smtp_proto::reception::Accept::offer). XCLIENT and XFORWARD are for peers that may, so
            /// offer them here, and not to the clients that they speak for.
            hello(session: &Session<S>) -> Verdict
                = accept();

            /// Answers STARTTLS. Accepts unless written; where there is nobody to do TLS it is not asked.
            start_tls(session: &Session<S>) -> Verdict
                = accept();

            /// Checks what a client says to prove who it is, by one of the built-in mechanisms: PLAIN,
            /// LOGIN, EXTERNAL, XOAUTH2, OAUTHBEARER and SCRAM, as far as the configuration
            /// [offers](smtp_proto::server::Config::mechanisms) them. Refuses unless written. For EXTERNAL,
            /// [`Session::tls`] has the client's certificate.
            ///
            /// Returns who the client is from now on: [`Session::identity`]. Whoever is to act for another
            /// goes under that other's name, if you allow it; under any other name it is turned down. Compare
            /// secrets in constant time, or their hashes.
            ///
            /// # Errors
            ///
            /// Turns the client down, with [`invalid_credentials`] if they are not right, with 454 if that
            /// cannot be told for now.
            #[cfg(feature = "auth")]
            authenticate(
                session: &Session<S>,
                credential: Credential<'_>
            ) -> Result<Identity, Refusal>
                = Err(invalid_credentials().into());

            /// Returns the keys by which a user's password is checked without being sent: SCRAM, as far as
            /// the configuration offers it. Nobody has any unless written.
            ///
            /// Make them by [`ScramKeys::from_password`] when the password is set. If the proof is right,
            /// [`authenticate`](Self::authenticate) is asked with [`Credential::Proven`]. Whether there is
            /// such a user is kept from the client: for `None`, keys are made up that look like those of
            /// [`limits::SCRAM_ITERATIONS`] and [`ScramKeys::SALT`], until the process ends; return
            /// [`ScramKeys::decoy`] yourself if yours look different, or are to stay the same for longer.
            ///
            /// # Errors
            ///
            /// Turns the client down, with 454 if the keys cannot be had for now.
            ///
            /// [`limits::SCRAM_ITERATIONS`]: smtp_proto::machine::limits::SCRAM_ITERATIONS
            #[cfg(feature = "scram")]
            scram_keys(
                session: &Session<S>,
                user: &str,
                hash: ScramHash
            ) -> Result<Option<ScramKeys>, Refusal>
                = Ok(None);

            /// Has a say before an exchange of AUTH begins, and begins it where the mechanism is not built
            /// in, or is to take the place of one that is. Leaves all to the built-in ones unless written.
            ///
            /// # Errors
            ///
            /// Refuses AUTH before anything is asked of the client.
            #[cfg(feature = "auth")]
            exchange(
                session: &Session<S>,
                mechanism: &str
            ) -> Result<Option<Box<dyn Exchange>>, Refusal>
                = Ok(None);

            /// Answers MAIL, and says what is to be remembered of the transaction that it begins. Accepts
            /// unless written.
            mail(session: &Session<S>, sender: &Sender) -> Verdict<S::Transaction>
                = Ok(S::Transaction::default().into());

            /// Answers RCPT, and says what is to be remembered of the recipient.
            recipient(
                session: &Session<S>,
                transaction: &Transaction<S>,
                recipient: &Recipient
            ) -> Verdict<S::Recipient>;

            /// Provides for the content of a message. What was remembered of the transaction and of its
            /// accepted recipients comes with the envelope.
            ///
            /// # Errors
            ///
            /// Refuses the content before any of it comes, if it comes by DATA.
            content(session: &Session<S>, envelope: Envelope<S>) -> Result<Self::Sink, Refusal>;

            /// Answers VRFY. Unless written it answers 252, which promises nothing.
            verify(session: &Session<S>, name: &str) -> Verdict
                = accept();

            /// Answers EXPN, if it is offered.
            expand(session: &Session<S>, name: &str) -> Verdict
                = accept();

            /// Answers HELP, if it is offered.
            help(session: &Session<S>, topic: Option<&str>) -> Verdict
                = accept();

            /// Answers ETRN, if it is offered, at once: see [`Event::Etrn`](smtp_proto::server::Event::Etrn).
            /// `node` is that of a [`QueueNode`](smtp_proto::syntax::QueueNode). Unless written it answers
            /// 458, as nothing can be sent.
            etrn(session: &Session<S>, node: &str) -> Verdict
                = Err(queue_unavailable().into());

            /// Answers XCLIENT, by which a proxy says for whom it speaks, if it is [offered](Self::hello);
            /// and says what is to be remembered of that client. The session is then the client's: its
            /// address is that of ADDR and PORT, its identity LOGIN, and it says EHLO again. Refuses unless
            /// written (550).
            xclient(session: &Session<S>, attributes: &ClientAttributes) -> Verdict<S::Session>
                = Err(not_authorised().into());

            /// Answers XFORWARD, if it is [offered](Self::hello): see
            /// [`Event::XForward`](smtp_proto::server::Event::XForward). Accepts unless written.
            xforward(session: &Session<S>, attributes: &ClientAttributes) -> Verdict
                = accept();

            /// Answers a command that the [configuration](smtp_proto::server::Config::command) leaves to the
            /// application. Unless written it answers 502.
            command(session: &Session<S>, verb: &str, argument: Option<&str>) -> Verdict
                = Err(not_implemented().into());

            /// Rewords what the machine says by itself, as far as the configuration has it
            /// [reviewed](smtp_proto::server::Config::review), within the class of the reply. Leaves it
            /// unless written.
            review(
                session: &Session<S>,
                reply: &Reply<'static>,
                reason: Reason
            ) -> Option<Reply<'static>>
                = None;
        }
    };

    (@trait $spelling:tt [$($docs:tt)*] $(
        $(#[$attribute:meta])*
        $name:ident($($argument:ident: $kind:ty),*) -> $output:ty $(= $default:expr)?;
    )*) => {
        $($docs)*
        pub trait Handler<S: State = ()>: Send + Sync + 'static {
            /// Where the content of one message goes.
            type Sink: Sink;

            $($crate::handler! { @method $spelling [$(#[$attribute])*]
                [&self] $name($($argument: $kind),*) -> $output $(= $default)?
            })*

            /// Hears what needs no answer.
            fn notice(&self, session: &Session<S>, notice: &Notice<'_>) {
                let _ = (session, notice);
            }

            /// Hears the dialogue as it goes, without secrets, if the configuration has it
            /// [traced](smtp_proto::server::Config::traced). Nothing of it is kept.
            fn trace(&self, session: &Session<S>, entry: &TraceEntry) {
                let _ = (session, entry);
            }

            /// Hears that a connection is over, in good order or in error, and what came of it: once for each
            /// connection that was accepted, whether it was begun or not.
            fn closed(&self, session: &Session<S>, result: Result<(), &Error>, tally: &Tally) {
                let _ = (session, result, tally);
            }

            /// Hears that no connection could be accepted, for want of descriptors mostly. The server tries
            /// again in a moment.
            fn accept_failed(&self, error: &io::Error) {
                let _ = error;
            }
        }

        impl<S: State, H: Handler<S>> Handler<S> for Arc<H> {
            type Sink = H::Sink;

            $($crate::handler! { @forward $spelling [$(#[$attribute])*]
                $name($($argument: $kind),*) -> $output
            })*

            fn notice(&self, session: &Session<S>, notice: &Notice<'_>) {
                H::notice(self, session, notice);
            }

            fn trace(&self, session: &Session<S>, entry: &TraceEntry) {
                H::trace(self, session, entry);
            }

            fn closed(&self, session: &Session<S>, result: Result<(), &Error>, tally: &Tally) {
                H::closed(self, session, result, tally);
            }

            fn accept_failed(&self, error: &io::Error) {
                H::accept_failed(self, error);
            }
        }
    };

    (@method [async] [$($attributes:tt)*]
        [$($receiver:tt)*] $name:ident($($argument:ident: $kind:ty),*) -> $output:ty
    ) => {
        $($attributes)*
        fn $name($($receiver)*, $($argument: $kind),*) -> impl Future<Output = $output> + Send;
    };
    (@method [async] [$($attributes:tt)*]
        [$($receiver:tt)*] $name:ident($($argument:ident: $kind:ty),*) -> $output:ty = $default:expr
    ) => {
        $($attributes)*
        fn $name($($receiver)*, $($argument: $kind),*) -> impl Future<Output = $output> + Send {
            $(let _ = $argument;)*
            async { $default }
        }
    };
    (@method [] [$($attributes:tt)*]
        [$($receiver:tt)*] $name:ident($($argument:ident: $kind:ty),*) -> $output:ty
    ) => {
        $($attributes)*
        fn $name($($receiver)*, $($argument: $kind),*) -> $output;
    };
    (@method [] [$($attributes:tt)*]
        [$($receiver:tt)*] $name:ident($($argument:ident: $kind:ty),*) -> $output:ty = $default:expr
    ) => {
        $($attributes)*
        fn $name($($receiver)*, $($argument: $kind),*) -> $output {
            $(let _ = $argument;)*
            $default
        }
    };

    (@forward [async] [$($attributes:tt)*]
        $name:ident($($argument:ident: $kind:ty),*) -> $output:ty
    ) => {
        $($attributes)*
        fn $name(&self, $($argument: $kind),*) -> impl Future<Output = $output> + Send {
            H::$name(self, $($argument),*)
        }
    };
    (@forward [] [$($attributes:tt)*]
        $name:ident($($argument:ident: $kind:ty),*) -> $output:ty
    ) => {
        $($attributes)*
        fn $name(&self, $($argument: $kind),*) -> $output {
            H::$name(self, $($argument),*)
        }
    };
}

/// Has a `Handler` answer a question, with `.await` after each call or without: all but those about the
/// exchange of a mechanism and about a message, which are somewhere in the middle.
#[doc(hidden)]
#[macro_export]
macro_rules! answer {
    ($handler:expr, $session:expr, $question:expr $(, . $await:ident)?) => {{
        use $crate::reception::{Answer, Question};
        let (handler, session) = ($handler, $session);
        match $question {
            Question::Connected => Answer::Session(handler.connected(session)$(.$await)?),
            Question::XClient(said) => Answer::Session(handler.xclient(session, &said)$(.$await)?),
            Question::Mail(sender) => Answer::Transaction(handler.mail(session, &sender)$(.$await)?),
            Question::Recipient(transaction, recipient) => {
                let answer = handler.recipient(session, &transaction, &recipient)$(.$await)?;
                Answer::Recipient(answer)
            }
            #[cfg(feature = "auth")]
            Question::Credential(claim) => {
                Answer::Identity(handler.authenticate(session, claim.credential())$(.$await)?)
            }
            #[cfg(feature = "scram")]
            Question::Keys { user, hash } => {
                let keys = handler.scram_keys(session, &user, hash)$(.$await)?;
                Answer::Keys(keys.and_then(|keys| {
                    $crate::reception::FoundKeys::draw(keys, getrandom::fill)
                }))
            }
            Question::Reply { reply, reason, .. } => {
                Answer::Reply(handler.review(session, &reply, reason)$(.$await)?)
            }
            question => Answer::Plain(match question {
                Question::Hello => handler.hello(session)$(.$await)?,
                Question::StartTls => handler.start_tls(session)$(.$await)?,
                Question::Verify(name) => handler.verify(session, &name)$(.$await)?,
                Question::Expand(name) => handler.expand(session, &name)$(.$await)?,
                Question::Help(topic) => handler.help(session, topic.as_deref())$(.$await)?,
                Question::Etrn(node) => handler.etrn(session, &node)$(.$await)?,
                Question::XForward(said) => handler.xforward(session, &said)$(.$await)?,
                Question::Command { verb, argument } => {
                    handler.command(session, &verb, argument.as_deref())$(.$await)?
                }
                _ => Err($crate::reception::Refusal::local_error()),
            }),
        }
    }};
}
