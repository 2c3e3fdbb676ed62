"""Points aiosmtpd's own tests (aiosmtpd.tests) at servers that run already: a plugin of pytest.

aiosmtpd_suite.py NAME=PORT... FOLDER, with names and folder as for smtplib_suite.py, and further tls,
tls-required, tls-auth, smtps and submission; their certificate is aiosmtpd's. Prints what
smtplib_suite.py prints.

What is ours to change and is not the tests': replies are compared by code, since the words are each
server's own.
"""

import os
import socket
import sys
import types

import aiosmtpd
import aiosmtpd.controller
import pytest
from aiosmtpd.testing import helpers, statuscodes
from servers import PORTS, Stored

MODULES = ("test_smtp", "test_lmtp", "test_smtps", "test_smtpsmuggling", "test_starttls")

INSIDE = "looks into aiosmtpd"
HELP = "demands 250 for HELP, against RFC 5321 4.2.2"
CHOICE = "demands one of two codes that RFC 5321 4.2 and 4.3.2 allow"
MECHANISMS = "needs a mechanism of aiosmtpd's own"
EXTENSIONS = "demands just the extensions that aiosmtpd has"
STOPS = "stops its server"
ASCII = "needs a server that takes no SMTPUTF8"
LEFT_OUT = {
    "TestProtocol": INSIDE,
    "TestClientCrash": INSIDE,
    "TestAuthArgs": INSIDE,
    "TestLimits": INSIDE,
    "TestSanitize": INSIDE,
    "TestTLSContext": INSIDE,
    "TestCustomization::test_default_greeting": INSIDE,
    "TestCustomization::test_limitlocalpart": INSIDE,
    "TestSMTP::test_binary": CHOICE,
    "TestSMTP::test_ehlo": EXTENSIONS,
    "TestSMTP::test_help": HELP,
    "TestSMTP::test_help_": HELP,
    "TestSMTP::test_help_esmtp": HELP,
    "TestSMTP::test_help_bad_arg": CHOICE,
    "TestSMTP::test_mail_smtp_errsyntax[params_noesmtp]": CHOICE,
    "TestSMTP::test_mail_esmtp_errsyntax[malformed]": CHOICE,
    "TestSMTP::test_mail_invalid_address": CHOICE,
    "TestSMTP::test_mail_esmtp_invalid_address": CHOICE,
    "TestSMTP::test_rcpt_smtp_errsyntax[params]": CHOICE,
    "TestSMTP::test_rcpt_invalid_address": CHOICE,
    "TestSMTP::test_vrfy_not_address": CHOICE,
    "TestSMTP::test_way_too_long_command": "sends a line of 1 MB, on which the server hangs up",
    "TestSMTPAuth::test_no_ehlo": CHOICE,
    "TestSMTPAuth::test_helo": CHOICE,
    "TestSMTPAuth::test_already_authenticated": CHOICE,
    "TestSMTPAuth::test_auth_loginteract_warning": MECHANISMS,
    "TestAuthMechanisms::test_ehlo": EXTENSIONS,
    "TestAuthMechanisms::test_custom_mechanism": MECHANISMS,
    "TestAuthMechanisms::test_plain1_bad_base64_length": CHOICE,
    "TestAuthMechanisms::test_plain1_empty": CHOICE,
    "TestAuthMechanisms::test_plain2_no_credentials": CHOICE,
    "TestAuthMechanisms::test_plain1_goodcreds_sanitized_log": INSIDE,
    "TestAuthMechanisms::test_DENYFALSE": MECHANISMS,
    "TestAuthMechanisms::test_DENYMISSING": MECHANISMS,
    "TestAuthMechanisms::test_NONE": MECHANISMS,
    "TestAuthenticator": INSIDE,
    "TestRequiredAuthentication::test_help_authenticated": HELP,
    "TestRequiredAuthentication::test_data_authenticated": "has a wrong password taken",
    "TestSMTPWithController::test_mail_invalid_body": CHOICE,
    "TestSMTPWithController::test_bad_encodings": "writes addresses that are not UTF-8",
    "TestSMTPWithController::test_data_line_too_long": "has lines of 1,002 bytes refused",
    "TestSMTPWithController::test_long_line_leak": INSIDE,
    "TestSMTPWithController::test_too_long_line_delay_error": "has lines of 1,002 bytes refused",
    "TestSmuggling": "has a content with a bare LF taken, which is refused",
    "TestStrictASCII::test_ehlo": ASCII,
    "TestStrictASCII::test_bad_encoded_param": ASCII,
    "TestStrictASCII::test_mail_param": ASCII,
    "TestStrictASCII::test_data": ASCII,
    "test_help": HELP,
    "test_lhlo": EXTENSIONS,
    "TestNoTLS::test_disabled_tls": CHOICE,
    "TestStartTLS::test_help_starttls": HELP,
    "TestStartTLS::test_help_after_starttls": HELP,
    "TestStartTLS::test_tls_handshake_stopcontroller": STOPS,
    "TestStartTLS::test_helo_starttls": STOPS,
    "TestTLSForgetsSessionData::test_forget_mail": "says STARTTLS in a transaction, which is 503",
    "TestTLSForgetsSessionData::test_forget_rcpt": "says STARTTLS in a transaction, which is 503",
    "TestRequireTLSAUTH::test_auth_notls": CHOICE,
}


class Box(Stored):
    """It, as aiosmtpd's handlers keep it."""

    def __init__(self, name, decode):
        super().__init__(name)
        self.decode = decode

    def all(self):
        for paths, content in self.messages():
            sender, *recipients = [path.strip("<>") for path in paths]
            yield types.SimpleNamespace(
                mail_from=sender,
                rcpt_tos=recipients,
                content=content.decode() if self.decode else content,
            )


class Receiving(helpers.ReceivingHandler):
    """Has received what the server stored."""

    source = None

    @property
    def box(self):
        return list(self.source.all())

    @box.setter
    def box(self, _):
        pass


class Controller(aiosmtpd.controller.Controller):
    """Stands for the server that a test believes to start."""

    def __init__(self, handler, **options):
        if type(self).__name__ == "LMTPController":
            name = "lmtp"
        elif type(self) is not Controller:
            pytest.skip("has a server of its own making")
        else:
            name = server_for(options)
        if isinstance(handler, helpers.ReceivingHandler):
            handler.__class__ = Receiving
            handler.source = Box(name, options.get("decode_data"))
        elif type(handler).__name__ == "PeekerHandler":
            # Nobody else is let in.
            handler.login, handler.password = b"goodlogin", b"goodpasswd"
        elif type(handler).__name__ not in ("Sink", "type"):
            pytest.skip(INSIDE)
        self.handler, self.hostname, self.port = handler, "localhost", PORTS[name]

    def start(self):
        pass

    def stop(self, no_assert=False):
        pass


def server_for(options):
    if "command_call_limit" in options:
        pytest.skip("sets limits of aiosmtpd's own")
    if options.get("data_size_limit", 1 << 25) is None:
        pytest.skip("wants no SIZE")
    if options.get("data_size_limit", 1 << 25) < 1 << 16:
        pytest.skip("sets a limit below that of RFC 5321 4.5.3.1.7")
    if options.get("ssl_context"):
        return "smtps"
    if options.get("require_starttls"):
        return "tls-required"
    if options.get("tls_context"):
        return "tls-auth" if options.get("auth_require_tls") else "tls"
    if options.get("auth_required"):
        return "submission"
    return "auth" if options.get("auth_callback") or options.get("authenticator") else "utf8"


def against_grammar(address):
    if "(comment)" in address:
        return "writes a comment, against RFC 5321 4.1.2"
    if "\\" in address or "IPv6::" in address:
        return "writes an address against RFC 5321 4.1.2"
    if len(address) > 256:
        return "writes a path longer than RFC 5321 4.5.3.1.3 has"
    return None


def pytest_collection_modifyitems(items):
    for item in items:
        name = item.nodeid.split("::", 1)[1]
        plain = name.split("[")[0]
        reason = LEFT_OUT.get(name) or LEFT_OUT.get(plain) or LEFT_OUT.get(plain.split("::")[0])
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        reason = reason or against_grammar(parameters.get("address", ""))
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_runtest_logreport(report):
    name = report.nodeid.split("/")[-1].replace(".py::", ".").replace("::", ".")
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "expected to fail"
        print(f"left out {name}: {reason.removeprefix('Skipped: ')}")
    elif report.failed:
        reason = report.longrepr.reprcrash.message if hasattr(report.longrepr, "reprcrash") else str(report.longrepr)
        print(f"failed {name}: {reason.splitlines()[0]}")
    elif report.when == "call":
        print(f"passed {name}")


def prepare():
    aiosmtpd.controller.Controller = Controller
    statuscodes.StatusCode.__eq__ = lambda self, other: self[0] == other[0]
    statuscodes.StatusCode.__ne__ = lambda self, other: self[0] != other[0]
    statuscodes.StatusCode.__hash__ = lambda self: self[0]
    socket.setdefaulttimeout(10)  # nothing here takes longer


class Quiet:
    """Reports nothing but the lines above."""

    @staticmethod
    @pytest.hookimpl(trylast=True)
    def pytest_configure(config):
        reporter = config.pluginmanager.getplugin("terminalreporter")
        config.pluginmanager.unregister(reporter)


if __name__ == "__main__":
    prepare()
    print("version aiosmtpd", aiosmtpd.__version__)
    folder = os.path.join(os.path.dirname(aiosmtpd.__file__), "tests")
    tests = [os.path.join(folder, module + ".py") for module in MODULES]
    pytest.main(
        ["-p", "no:cacheprovider", "-s", *filter(os.path.exists, tests)],
        plugins=[sys.modules["__main__"], Quiet],
    )
