"""Sends the messages in /mnt/jobs: smtplib.py PORT MODE WISH USER PASSWORD"""

import os
import smtplib
import ssl
import sys

port, mode, wish, user, password = sys.argv[1:]
context = ssl.create_default_context(cafile="/mnt/ca.pem")
options = {"local_hostname": "client.test", "timeout": 60}
if mode == "LMTP":
    client = smtplib.LMTP("localhost", int(port), local_hostname="client.test")
elif mode == "implicit TLS":
    client = smtplib.SMTP_SSL("localhost", int(port), context=context, **options)
else:
    client = smtplib.SMTP("localhost", int(port), **options)
client.set_debuglevel(1)
if mode in ("STARTTLS", "AUTH PLAIN", "AUTH LOGIN"):
    client.starttls(context=context)
if mode.startswith("AUTH"):
    client.ehlo()
    client.user, client.password = user, password
    method = client.auth_plain if mode == "AUTH PLAIN" else client.auth_login
    client.auth(mode.split()[1], method)
of_mail, of_rcpt = {
    "Nothing": ([], []),
    "Notification": (["RET=HDRS", "ENVID=interop"], ["NOTIFY=SUCCESS,FAILURE"]),
    "Internationalized": (["SMTPUTF8"], []),
}[wish]
for job in sorted(os.listdir("/mnt/jobs")):
    folder = os.path.join("/mnt/jobs", job)
    with open(os.path.join(folder, "sender"), encoding="utf-8") as file:
        sender = file.read().strip()
    with open(os.path.join(folder, "recipients"), encoding="utf-8") as file:
        recipients = file.read().split()
    with open(os.path.join(folder, "content"), "rb") as file:
        content = file.read()
    body = [] if content.isascii() else ["BODY=8BITMIME"]
    client.sendmail(sender, recipients, content, of_mail + body, of_rcpt)
client.quit()
