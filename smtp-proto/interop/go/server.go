// Runs a go-smtp server that stores each content, and beside it the sender and the recipients:
// go-server SMTP|LMTP PORT USER PASSWORD
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"sync/atomic"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

type backend struct{ user, password string }

func (b backend) Login(_ *smtp.ConnectionState, user, password string) (smtp.Session, error) {
	if user != b.user || password != b.password {
		return nil, &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no such user"}
	}
	return &session{}, nil
}

func (b backend) AnonymousLogin(*smtp.ConnectionState) (smtp.Session, error) {
	return &session{}, nil
}

type session struct {
	sender     string
	recipients []string
}

var count uint64

func (s *session) Reset()        { *s = session{} }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ smtp.MailOptions) error {
	s.sender = from
	return nil
}

func (s *session) Rcpt(to string) error {
	if !strings.HasSuffix(to, "@interop.test") || strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	s.recipients = append(s.recipients, to)
	return nil
}

func (s *session) Data(content io.Reader) error {
	octets, err := io.ReadAll(content)
	path := fmt.Sprintf("/mnt/stored/%06d", atomic.AddUint64(&count, 1))
	envelope := strings.Join(append([]string{s.sender}, s.recipients...), "\n")
	if err == nil {
		err = os.WriteFile(path+".envelope", []byte(envelope), 0o644)
	}
	if err == nil {
		err = os.WriteFile(path+".part", octets, 0o644)
	}
	if err == nil {
		err = os.Rename(path+".part", path+".eml")
	}
	return err
}

func main() {
	protocol, port := os.Args[1], os.Args[2]
	users := backend{os.Args[3], os.Args[4]}
	certificate, err := tls.LoadX509KeyPair("/mnt/certificate.pem", "/mnt/key.pem")
	if err != nil {
		log.Fatal(err)
	}
	server := smtp.NewServer(users)
	server.Domain = "mx.interop.test"
	server.LMTP = protocol == "LMTP"
	server.MaxMessageBytes = 1 << 26
	server.AllowInsecureAuth = true
	server.EnableSMTPUTF8 = true
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.EnableAuth(sasl.Login, func(connection *smtp.Conn) sasl.Server {
		return sasl.NewLoginServer(func(user, password string) error {
			state := connection.State()
			session, err := users.Login(&state, user, password)
			if err == nil {
				connection.SetSession(session)
			}
			return err
		})
	})
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(listener)) // its own ListenAndServe has LMTP at a Unix socket only
}
