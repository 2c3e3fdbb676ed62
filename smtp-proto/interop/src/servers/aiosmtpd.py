"""Runs an aiosmtpd server that stores each content, and beside it the sender and the recipients."""
import asyncio
import os
import ssl
import sys

from aiosmtpd import lmtp, smtp

kind, port, user, password = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode(), sys.argv[4].encode()


class Handler:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        local, _, domain = address.rpartition("@")
        if domain != "interop.test" or local == "nobody":
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        Handler.count += 1
        path = "/mnt/stored/%06d" % Handler.count
        with open(path + ".envelope", "w") as file:
            file.write("\n".join([envelope.mail_from or "", *envelope.rcpt_tos]))
        with open(path + ".part", "wb") as file:
            file.write(envelope.original_content)
        os.rename(path + ".part", path + ".eml")
        if kind == "LMTP":  # a reply for each recipient
            return "\r\n".join("250 2.0.0 %s has it" % recipient for recipient in envelope.rcpt_tos)
        return "250 2.0.0 stored"


def authenticate(server, session, envelope, mechanism, data):
    known = isinstance(data, smtp.LoginPassword) and (data.login, data.password) == (user, password)
    return smtp.AuthResult(success=known, handled=False)


async def main():
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain("/mnt/certificate.pem", "/mnt/key.pem")
    protocol = {"SMTP": smtp.SMTP, "LMTP": lmtp.LMTP}[kind]

    def session():
        return protocol(
            Handler(), hostname="mx.interop.test", enable_SMTPUTF8=True, data_size_limit=2**26, timeout=60,
            tls_context=tls, authenticator=authenticate, auth_require_tls=False, loop=loop,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", port)
    await server.serve_forever()


asyncio.run(main())
