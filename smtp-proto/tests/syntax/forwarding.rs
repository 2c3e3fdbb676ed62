use std::net::IpAddr;

use smtp_proto::syntax::{
    AtrnDomains, Attribute, AttributeName, AttributeValue, Attributes, ForwardingCommand,
    QueueNode, SyntaxErrorKind, write_attributes,
};

use super::written;

const XCLIENT: ForwardingCommand = ForwardingCommand::XClient;
const XFORWARD: ForwardingCommand = ForwardingCommand::XForward;

fn text(value: &str) -> AttributeValue<'_> {
    AttributeValue::Text(value.into())
}

/// XCLIENT-a, XCLIENT-b
#[test]
fn xclient() {
    let parsed = Attributes::parse(
        XCLIENT,
        "NAME=[tempunavail] addr=192.0.2.1 PORT=[Unavailable] PROTO=ESMTP HELO=a+2Bb.example \
         LOGIN=j+20doe DESTADDR=ipv6:2001:db8::1 DESTPORT=25",
    )
    .unwrap();
    let attributes: Vec<_> = parsed.iter().collect();
    assert_eq!(parsed.get(AttributeName::Ident), None);
    assert_eq!(parsed.get(AttributeName::Port), Some(attributes[2].clone()));
    let values: Vec<_> = attributes
        .iter()
        .map(|each| (each.name(), each.value()))
        .collect();
    assert_eq!(
        values,
        [
            (AttributeName::Name, AttributeValue::TemporarilyUnavailable),
            (AttributeName::Addr, text("192.0.2.1")),
            (AttributeName::Port, AttributeValue::Unavailable),
            (AttributeName::Proto, text("ESMTP")),
            (AttributeName::Helo, text("a+b.example")),
            (AttributeName::Login, text("j doe")),
            (AttributeName::DestAddr, text("ipv6:2001:db8::1")),
            (AttributeName::DestPort, text("25")),
        ]
    );
    assert_eq!(attributes[1].ip_address(), "192.0.2.1".parse().ok());
    assert_eq!(attributes[6].ip_address(), "2001:db8::1".parse().ok());
    assert_eq!(
        (attributes[2].port(), attributes[7].port()),
        (None, Some(25))
    );
    assert_eq!(
        (attributes[7].ip_address(), attributes[1].port()),
        (None, None)
    );
    assert_eq!(attributes[5].clone().into_owned(), attributes[5]);
}

/// XFORWARD-a
#[test]
fn xforward() {
    let attributes: Vec<_> =
        Attributes::parse(XFORWARD, "NAME=x PROTO=ESMTP SOURCE=Local IDENT=4F3A")
            .unwrap()
            .iter()
            .collect();
    assert_eq!(attributes[0].value(), text("x"));
    assert_eq!(attributes[2].value(), text("Local"));
    let longest = format!("HELO={}", "x".repeat(255));
    assert!(Attributes::parse(XFORWARD, &longest).is_ok());
    let too_long = Attributes::parse(XFORWARD, &format!("{longest}x")).unwrap_err();
    assert_eq!(
        (too_long.kind(), too_long.at()),
        (SyntaxErrorKind::TooLong, 260)
    );
}

#[test]
fn malformed_attributes() {
    for (command, argument, at) in [
        (XCLIENT, "", 0),
        (XCLIENT, "NAME", 4),
        (XCLIENT, "NAME=", 5),
        (XCLIENT, "NAME=x  ADDR=192.0.2.1", 7),
        (XCLIENT, "NAME=x ADDR=[192.0.2.1]", 12),
        (XCLIENT, "ADDR=2001:db8::1", 5),
        (XCLIENT, "ADDR=IPV6:192.0.2.1", 5),
        (XCLIENT, "ADDR=192.0.2.256", 5),
        (XCLIENT, "PORT=65536", 5),
        (XCLIENT, "PORT=-1", 5),
        (XCLIENT, "NAME=x name=y", 7),
        (XCLIENT, "IDENT=x", 0),
        (XCLIENT, "REVERSE_NAME=x", 0),
        (XCLIENT, "HELO=a+0D+0Ab", 6),
        (XCLIENT, "HELO=a=b", 6),
        (XFORWARD, "LOGIN=x", 0),
        (XFORWARD, "HELO=a+20b", 6),
        (XFORWARD, "HELO=+CE+B4", 5),
        (XFORWARD, "SOURCE=else", 7),
    ] {
        let error = Attributes::parse(command, argument).expect_err(argument);
        assert_eq!(error.at(), at, "{argument}");
    }
}

/// XCLIENT-d
#[test]
fn attributes_are_written_in_lines_that_are_not_too_long() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let addr = Attribute::address(AttributeName::Addr, address("2001:db8::1")).unwrap();
    let name = Attribute::unavailable(AttributeName::Name);
    let login = Attribute::new(AttributeName::Login, "δ").unwrap();
    let lines = written(|out| {
        write_attributes(XCLIENT, &[addr.clone(), name.clone(), login.clone()], out);
    });
    assert_eq!(
        lines,
        "XCLIENT LOGIN=+CE+B4 ADDR=IPV6:2001:db8::1 NAME=[UNAVAILABLE]\r\n"
    );
    let lines = written(|out| write_attributes(XFORWARD, &[login, addr.clone()], out));
    assert_eq!(lines, "XFORWARD ADDR=IPV6:2001:db8::1\r\n");
    assert_eq!(written(|out| write_attributes(XCLIENT, &[], out)), "");

    // 7 + 6 + 255, then 6 + 236 and CR LF: 512 bytes; one more needs another line.
    for (length, lines) in [(236, 1), (237, 2)] {
        let helo = Attribute::new(AttributeName::Helo, &"h".repeat(255)).unwrap();
        let name = Attribute::new(AttributeName::Name, &"n".repeat(length)).unwrap();
        let text = written(|out| write_attributes(XCLIENT, &[name, helo], out));
        assert_eq!(text.matches("\r\n").count(), lines, "{length}");
        assert_eq!(text.matches("XCLIENT ").count(), lines);
        assert!(text.split_inclusive("\r\n").all(|line| line.len() <= 512));
    }
    assert!(Attribute::new(AttributeName::Helo, &"h".repeat(256)).is_err());
    assert!(Attribute::new(AttributeName::Helo, "a\r\nb").is_err());
    assert!(Attribute::new(AttributeName::Port, "x").is_err());
    assert!(Attribute::address(AttributeName::Port, address("192.0.2.1")).is_err());
    assert_eq!(
        Attribute::address(AttributeName::DestAddr, address("192.0.2.1"))
            .unwrap()
            .value(),
        text("192.0.2.1")
    );
}

/// 1985-5-a
#[test]
fn queue_nodes() {
    let host = |text| smtp_proto::syntax::Host::parse(text).unwrap();
    assert_eq!(
        QueueNode::parse("foo.com"),
        Ok(QueueNode::Host(host("foo.com")))
    );
    assert_eq!(
        QueueNode::parse("@foo.com"),
        Ok(QueueNode::Subdomains(host("foo.com")))
    );
    let QueueNode::Queue(queue) = QueueNode::parse("#q-1/x").unwrap() else {
        panic!("not a queue");
    };
    assert_eq!(queue.as_str(), "q-1/x");
    for text in ["foo.com", "@foo.com", "#q-1/x"] {
        assert_eq!(QueueNode::parse(text).unwrap().to_string(), text);
    }
    for (text, at) in [
        ("", 0),
        ("@", 1),
        ("#", 1),
        ("a_b", 1),
        ("@-a", 1),
        ("#a b", 2),
        ("δ", 0),
    ] {
        assert_eq!(QueueNode::parse(text).unwrap_err().at(), at, "{text}");
    }
}

/// 2645-5.2-a
#[test]
fn atrn_domains() {
    let domains = AtrnDomains::parse("a.example,b.example").unwrap();
    let hosts: Vec<_> = domains.iter().map(|host| host.to_string()).collect();
    assert_eq!(hosts, ["a.example", "b.example"]);
    assert_eq!(domains.as_str(), "a.example,b.example");
    for (text, at) in [
        ("", 0),
        ("a,", 2),
        (",a", 0),
        ("a, b", 2),
        ("a,[192.0.2.1]", 2),
        ("a_b", 1),
    ] {
        assert_eq!(AtrnDomains::parse(text).unwrap_err().at(), at, "{text}");
    }
}
