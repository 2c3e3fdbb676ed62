// Sends the messages in /mnt/jobs: go-client LIBRARY PORT MODE WISH USER PASSWORD
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	standard "net/smtp"
	"os"
	"path/filepath"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// What both libraries have.
type client interface {
	Hello(name string) error
	StartTLS(config *tls.Config) error
	Rcpt(to string) error
	Data() (io.WriteCloser, error)
	Quit() error
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func read(job, name string) []byte {
	octets, err := os.ReadFile(filepath.Join(job, name))
	check(err)
	return octets
}

func main() {
	library, port, mode, wish, user, password := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6]
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(read("/mnt", "ca.pem"))
	trust := &tls.Config{ServerName: "localhost", RootCAs: roots}

	address := net.JoinHostPort("localhost", port)
	var connection net.Conn
	var err error
	if mode == "implicit TLS" {
		connection, err = tls.Dial("tcp", address, trust)
	} else {
		connection, err = net.Dial("tcp", address)
	}
	check(err)

	var client client
	var auth func() error
	var mail func(sender string) error
	if library == "net/smtp" {
		c, err := standard.NewClient(connection, "localhost")
		check(err)
		client, mail = c, c.Mail
		auth = func() error { return c.Auth(standard.PlainAuth("", user, password, "localhost")) }
	} else {
		open := smtp.NewClient
		if mode == "LMTP" {
			open = smtp.NewClientLMTP
		}
		c, err := open(connection, "localhost")
		check(err)
		mechanism := sasl.NewPlainClient("", user, password)
		if mode == "AUTH LOGIN" {
			mechanism = sasl.NewLoginClient(user, password)
		}
		client = c
		auth = func() error { return c.Auth(mechanism) }
		mail = func(sender string) error {
			return c.Mail(sender, &smtp.MailOptions{UTF8: wish == "Internationalized"})
		}
	}

	check(client.Hello("client.test"))
	if mode == "STARTTLS" || strings.HasPrefix(mode, "AUTH") {
		check(client.StartTLS(trust))
	}
	if strings.HasPrefix(mode, "AUTH") {
		check(auth())
	}
	jobs, err := filepath.Glob("/mnt/jobs/*") // in order
	check(err)
	for _, job := range jobs {
		check(mail(string(bytes.TrimSpace(read(job, "sender")))))
		for _, recipient := range strings.Fields(string(read(job, "recipients"))) {
			if err := client.Rcpt(recipient); err != nil {
				log.Print(recipient, ": ", err)
			}
		}
		content, err := client.Data()
		check(err)
		_, err = content.Write(read(job, "content"))
		check(err)
		check(content.Close())
	}
	check(client.Quit())
}
