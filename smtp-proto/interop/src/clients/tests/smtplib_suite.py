"""Points Python's own tests of smtplib (test.test_smtplib) at servers that run already.

smtplib_suite.py NAME=PORT... FOLDER

NAME: smtp, esmtp (the simulated server's extensions), plain, login, auth, utf8, lmtp. FOLDER/NAME is
where that server leaves each message, as N.eml and N.envelope. Prints `passed TEST`,
`failed TEST: reason` or `left out TEST: reason` for each test, and the version first.

What is ours to change and is not the tests': replies are compared by code, since the words are each
server's own; and mailboxes without a domain, which SMTP has not, get one on the wire.
"""

import io
import platform
import re
import smtplib
import socket
import threading
import unittest
import warnings

warnings.simplefilter("ignore")
from servers import PORTS, Stored  # noqa: E402
from test import mock_socket, test_smtplib as suite  # noqa: E402

DOMAIN = "@bare.test"

NO_SERVER = "speaks to no server"
SCRIPTED = "has the server answer from a script"
LEFT_OUT = {
    "NonConnectingTests": NO_SERVER,
    "DefaultArgumentsTests": NO_SERVER,
    "BadHELOServerTests": SCRIPTED,
    "TooLongLineTests": SCRIPTED,
    "testQuoteData": NO_SERVER,
    "testTimeoutDefault": "sets the timeout of a socket that is not real",
    "testUnixDomainSocketTimeoutDefault": "connects to a socket that is not real",
    "SMTPGeneralTests.testSourceAddress": "binds a port of one number",
    "LMTPGeneralTests.testSourceAddress": "binds a port of one number",
    "LMTPGeneralTests.testBasic2": "connects to a name that is not real",
    "testAUTH_PLAIN_initial_response_auth": "says AUTH before EHLO, against RFC 4954 4",
    "testSecondHELO": "demands 503, against RFC 5321 4.1.4",
    "testHELP": "demands a wording",
    "SMTPSimTests.testVRFY": "needs a directory of users",
    "SMTPSimTests.testEXPN": "needs a directory of lists",
    "testAUTH_BUGGY": "needs a mechanism that never ends",
    "testAUTH_CRAM_MD5": "needs CRAM-MD5, which the server does not have",
    "test_auth_function": "needs CRAM-MD5, which the server does not have",
    "test_with_statement_QUIT_failure": SCRIPTED,
    "test__rest_from_mail_cmd": SCRIPTED,
    "test_421_from_mail_cmd": SCRIPTED,
    "test_421_from_rcpt_cmd": SCRIPTED,
    "test_421_from_data_cmd": SCRIPTED,
}


class Messages(Stored):
    def all(self):
        for paths, content in self.messages():
            yield [bare(path) for path in paths], content

    def last(self):
        return list(self.all())[-1]


def bare(path):
    return path if path == "<>" else path.strip("<>").replace(DOMAIN, "")


class Printed(io.StringIO):
    """Looks as what the tests' own server prints."""

    def __init__(self, messages, show):
        super().__init__()
        self.messages, self.show = messages, show

    def getvalue(self):
        return "".join(self.show(*message) for message in self.messages.all())


def show_content(envelope, content):
    return suite.MSG_BEGIN + content.decode().replace("\r\n", "\n") + suite.MSG_END


def show_envelope(envelope, content):
    return f"sender: {envelope[0]}\nrecips: {envelope[1:]!r}\n"


class Server:
    """Stands for the server that a test believes to run itself."""

    def __init__(self, test, name):
        self.test = test
        self.become(name)

    def become(self, name):
        self.messages, self.test.port = Messages(name), PORTS[name]

    def add_feature(self, feature):
        mechanisms = set(feature.split()[1:]) & {"PLAIN", "LOGIN"}
        self.become("auth" if len(mechanisms) > 1 else mechanisms.pop().lower())

    @property
    def _addresses(self):
        envelope, _ = self.messages.last()
        return {"from": envelope[0], "tos": envelope[1:]}

    @property
    def last_mailfrom(self):
        return self.messages.last()[0][0]

    @property
    def last_rcpttos(self):
        return self.messages.last()[0][1:]

    @property
    def last_message(self):
        content = self.messages.last()[1].replace(b"\r\n", b"\n")
        return content[:-1]

    # The servers refuse what they do not offer, and these addresses cannot come otherwise.
    last_mail_options = ["BODY=8BITMIME", "SMTPUTF8"]
    last_rcpt_options = []


def begin(test, name):
    test.real_getfqdn = socket.getfqdn
    socket.getfqdn = mock_socket.getfqdn
    test.host = suite.HOST
    test.serv_evt, test.client_evt = threading.Event(), threading.Event()
    test.serv_evt.set()
    test.serv = Server(test, name)


def end(test):
    socket.getfqdn = test.real_getfqdn


def begin_debugging(test):
    begin(test, "smtp")
    messages = test.serv.messages
    test.output = Printed(messages, show_content)
    suite.smtpd.DEBUGSTREAM = Printed(messages, show_envelope)


def compare(test, first, second, msg=None):
    both = (first, second)
    if all(isinstance(it, tuple) and len(it) == 2 and isinstance(it[0], int) for it in both):
        first, second = first[0], second[0]
    unittest.TestCase.assertEqual(test, first, second, msg)


def prepare():
    quoteaddr = smtplib.quoteaddr

    def with_domain(address):
        path = quoteaddr(address)
        return path if "@" in path or path == "<>" else path[:-1] + DOMAIN + ">"

    smtplib.quoteaddr = with_domain
    for name, port in (("SMTPGeneralTests", "smtp"), ("LMTPGeneralTests", "lmtp")):
        case = getattr(suite, name)
        case.setUp = lambda test, port=port: setattr(test, "port", PORTS[port])
        case.tearDown = lambda test: None
    suite.DebuggingServerTests.setUp = begin_debugging
    suite.SMTPSimTests.setUp = lambda test: begin(test, "esmtp")
    suite.SMTPUTF8SimTests.setUp = lambda test: begin(test, "utf8")
    suite.SMTPAUTHInitialResponseSimTests.setUp = lambda test: begin(test, "plain")
    for name in dir(suite):
        case = getattr(suite, name)
        if isinstance(case, type) and issubclass(case, unittest.TestCase):
            case.assertEqual = compare
            if name.endswith("SimTests") or name == "DebuggingServerTests":
                case.tearDown = end


def flatten(tests):
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def main():
    prepare()
    print("version Python", platform.python_version(), flush=True)
    for test in flatten(unittest.defaultTestLoader.loadTestsFromModule(suite)):
        case, method = test.id().split(".")[-2:]
        name = f"{case}.{method}"
        reasons = [LEFT_OUT[key] for key in (name, method, case) if key in LEFT_OUT]
        if reasons:
            print(f"left out {name}: {reasons[0]}", flush=True)
            continue
        result = unittest.TestResult()
        test.run(result)
        troubles = result.failures + result.errors
        if result.skipped:
            print(f"left out {name}: {result.skipped[0][1]}", flush=True)
        elif troubles:
            # The last line that is not indented, nor one of the message of an assertion.
            lines = re.findall(r"^[A-Za-z_.]+:.*$", troubles[0][1], re.MULTILINE)
            print(f"failed {name}: {(lines or troubles)[-1]}", flush=True)
        else:
            print(f"passed {name}", flush=True)


main()
