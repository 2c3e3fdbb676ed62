package smtp_test

// Points go-smtp's tests of its server at servers that run already. `install` has each of them call
// leaveOut first, and stand in place of its own server's Serve.
//
// SERVERS: NAME=PORT... FOLDER, where NAME is smtp, strict, plain, lmtp or ascii, and FOLDER/NAME is where
// that server leaves each message, as N.eml and N.envelope.
//
// What is not the tests': the words of the greeting and of the reply to EHLO, which are each server's
// own, are changed on the wire.

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
)

var leftOut = map[string]string{
	"TestServerPanicRecover":            "looks into its classes",
	"TestServer_LMTP":                   "needs a backend of its own",
	"TestServer_LMTP_Early":             "needs a backend of its own",
	"TestServer_LMTP_DuplicatedRcpt":    "needs a backend of its own",
	"TestServer_authDisabled":           "demands a wording",
	"TestServer_anonymousUserError":     "demands 502, where RFC 4954 6 has 530",
	"TestServer_tooManyInvalidCommands": "demands 500 before the end, where RFC 5321 3.8 has 421",
	"TestServer_tooLongMessage":         "needs a limit of 50 octets, where RFC 5321 4.5.3.1.7 has 64 Ki at least",
	"TestServer_tooLongLine":            "demands a reply to a line that has not ended",
	"TestServer_otherCommands":          "demands 502 for HELP, which RFC 5321 4.5.1 has servers support",
}

func leaveOut(t *testing.T) {
	if why, ok := leftOut[t.Name()]; ok {
		t.Skip(why)
	}
}

func server(t *testing.T, s *smtp.Server) string {
	switch {
	case s.LMTP:
		return "lmtp"
	case s.Strict:
		return "strict"
	case s.AuthDisabled:
		return "smtp"
	case t.Name() == "TestServerSMTPUTF8_Disabled":
		return "ascii"
	}
	return "plain"
}

func stand(t *testing.T, s *smtp.Server, listener net.Listener) {
	arguments := strings.Fields(os.Getenv("SERVERS"))
	name := server(t, s)
	folder := filepath.Join(arguments[len(arguments)-1], name)
	port := ""
	for _, argument := range arguments {
		if strings.HasPrefix(argument, name+"=") {
			port = strings.TrimPrefix(argument, name+"=")
		}
	}
	client, err := listener.Accept()
	if err != nil {
		panic(err)
	}
	listener.Close()
	upstream, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	go func() {
		io.Copy(upstream, client)
		upstream.Close()
	}()
	defer client.Close()
	kept := messages{folder: folder}
	kept.number = kept.count()
	replies := bufio.NewScanner(upstream)
	greeted, introduced := false, false
	for replies.Scan() {
		reply := replies.Text()
		switch {
		case !greeted:
			greeted = true
			reply = "220 localhost ESMTP Service Ready"
		case !introduced && strings.HasPrefix(reply, "250-"):
			introduced = true
			reply = "250-Hello localhost"
		case strings.HasPrefix(reply, "235 "):
			kept.authenticated = true
		}
		kept.update(s.Backend.(*backend))
		fmt.Fprintf(client, "%s\r\n", reply)
	}
}

// What a server has stored since the connection began.
type messages struct {
	folder        string
	number        int
	authenticated bool
}

func (m *messages) path(kind string) string {
	return filepath.Join(m.folder, fmt.Sprint(m.number, kind))
}

func (m *messages) count() int {
	envelopes, _ := filepath.Glob(filepath.Join(m.folder, "*.envelope"))
	return len(envelopes)
}

func (m *messages) update(be *backend) {
	for ; m.number < m.count(); m.number++ {
		envelope, err := os.ReadFile(m.path(".envelope"))
		if err != nil {
			panic(err)
		}
		content, err := os.ReadFile(m.path(".eml"))
		if err != nil {
			panic(err)
		}
		paths := strings.Split(string(envelope), "\n")
		for i, path := range paths {
			paths[i] = strings.Trim(path, "<>")
		}
		lines := strings.ReplaceAll(string(content), "\r\n", "\n")
		message := &message{From: paths[0], To: paths[1:], Data: []byte(lines)}
		if m.authenticated {
			be.messages = append(be.messages, message)
		} else {
			be.anonmsgs = append(be.anonmsgs, message)
		}
	}
}
