package fleet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2" // what a cluster asks and is answered by auth callout
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/mianmi/mianmi"
)

// External is a NATS cluster that carries the messages in the place of the
// embedded broker. It asks mianmi who may come in (auth callout), so no terminal
// is known to it by configuration. Cluster makes its configuration (docs/terminal-protocol.md).
type External struct {
	URL       string // nats://user:password@host:port,… of the account that terminals live in
	AuthURL   string // the same servers, as the user of the callout's account
	SystemURL string // the same servers, as a user of the system account; empty: live connections end with their pass
	Account   string // name of the account that terminals live in
	Issuer    string // seed of the account key that signs passes ("SA…")
}

const (
	// passLife is how long a terminal's pass holds. When it ends the cluster ends
	// the connection, and the terminal comes anew: the latest end of a revoked one.
	passLife    = 10 * time.Minute
	subjectAuth = "$SYS.REQ.USER.AUTH"
	// reconnectWait is short: hints are late meanwhile.
	reconnectWait = 200 * time.Millisecond
)

// callout answers a cluster's question who may come in.
type callout struct {
	enter   func(Peer) error
	ca      *CA
	clock   mianmi.Clock
	issuer  nkeys.KeyPair
	account string
}

// joinBus connects to the cluster and takes its questions.
func joinBus(ctx context.Context, x External, enter func(Peer) error, s *Service) (*bus, error) {
	issuer, err := nkeys.FromSeed([]byte(x.Issuer))
	if err != nil || x.Account == "" {
		return nil, mianmi.InvalidField("nats_issuer", "want the seed of an account key (SA…), and the account's name")
	}
	roots, err := x509.SystemCertPool() // a cluster may have certificates of its own
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AddCert(s.CA.cert)
	options := []nats.Option{nats.Name("mianmi host"), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.RetryOnFailedConnect(false),
		func(o *nats.Options) error { // TLS where the cluster wants it
			o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Time: s.Clock.Now}
			return nil
		}}
	auth, err := nats.Connect(x.AuthURL, options...)
	if err != nil {
		return nil, errors.New("connect to the NATS cluster for its auth callout: " + errorWithoutURL(err))
	}
	c := &callout{enter: enter, ca: s.CA, clock: s.Clock, issuer: issuer, account: x.Account}
	if _, err := auth.QueueSubscribe(subjectAuth, hostsQueue, c.answer); err != nil {
		auth.Close()
		return nil, fmt.Errorf("listen to the auth callout: %w", err)
	}
	conn, err := nats.Connect(x.URL, options...)
	if err != nil {
		auth.Close()
		return nil, errors.New("connect to the NATS cluster: " + errorWithoutURL(err))
	}
	b, err := openBus(ctx, conn, s)
	if err != nil {
		auth.Close()
		return nil, err
	}
	b.also = auth.Close
	b.kick = func(mianmi.TerminalID) error { return nil } // its pass ends by itself
	if x.SystemURL == "" {
		return b, nil
	}
	sys, err := nats.Connect(x.SystemURL, options...)
	if err != nil {
		b.close()
		return nil, errors.New("connect to the NATS cluster's system account: " + errorWithoutURL(err))
	}
	b.also = func() { auth.Close(); sys.Close() }
	b.kick = func(id mianmi.TerminalID) error { return kickFrom(sys, id) }
	return b, nil
}

// errorWithoutURL keeps passwords in addresses out of errors: only what the
// client names itself passes.
func errorWithoutURL(err error) string {
	for _, known := range []error{nats.ErrNoServers, nats.ErrAuthorization, nats.ErrTimeout, nats.ErrAuthExpired} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "no connection; look at the cluster's log"
}

func (c *callout) answer(m *nats.Msg) {
	req, err := jwt.DecodeAuthorizationRequestClaims(string(m.Data))
	if err != nil {
		return // whoever asks so is not a server
	}
	out := jwt.NewAuthorizationResponseClaims(req.UserNkey)
	out.Audience = req.Server.ID
	peer, err := c.peer(req.TLS)
	if err == nil {
		err = c.enter(peer)
	}
	if err == nil {
		out.Jwt, err = c.pass(peer, req.UserNkey)
	}
	if err != nil {
		out.Jwt, out.Error = "", "not a terminal that may come in"
	}
	text, err := out.Encode(c.issuer)
	if err != nil {
		return // the server's question runs out: refused
	}
	_ = m.Respond([]byte(text)) // lost: refused
}

// peer reads the terminal of a connection. The cluster has verified the chain;
// it is verified again, for the cluster may trust more than we do.
func (c *callout) peer(t *jwt.ClientTLS) (Peer, error) {
	if t == nil || len(t.VerifiedChains) == 0 || len(t.VerifiedChains[0]) == 0 {
		return Peer{}, errors.New("no verified certificate")
	}
	block, _ := pem.Decode([]byte(t.VerifiedChains[0][0]))
	if block == nil {
		return Peer{}, errors.New("no certificate")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return Peer{}, fmt.Errorf("read a certificate: %w", err)
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: c.ca.Pool(), CurrentTime: c.clock.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return Peer{}, fmt.Errorf("verify a certificate: %w", err)
	}
	return peerOf(leaf)
}

func (c *callout) pass(p Peer, user string) (string, error) {
	u := jwt.NewUserClaims(user)
	u.Name, u.Audience = string(p.ID), c.account
	u.Expires = c.clock.Now().Add(passLife).Unix()
	publish, subscribe := may(p.ID)
	u.Permissions.Pub.Allow.Add(publish...)
	u.Permissions.Sub.Allow.Add(subscribe...)
	return u.Encode(c.issuer)
}

// clusterNodesMax bounds the answers that are waited for, kickWait the time.
const (
	clusterNodesMax = 64
	kickWait        = time.Second
)

// kickFrom ends the terminal's connections on every server of the cluster.
func kickFrom(sys *nats.Conn, id mianmi.TerminalID) error {
	ask, err := json.Marshal(map[string]any{"auth": true, "user": string(id), "limit": kickMax})
	if err != nil {
		return fmt.Errorf("ask for the connections of terminal %s: %w", id, err)
	}
	inbox := sys.NewInbox()
	sub, err := sys.SubscribeSync(inbox)
	if err != nil {
		return fmt.Errorf("ask for the connections of terminal %s: %w", id, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := sys.PublishRequest("$SYS.REQ.SERVER.PING.CONNZ", inbox, ask); err != nil {
		return fmt.Errorf("ask for the connections of terminal %s: %w", id, err)
	}
	for range clusterNodesMax {
		m, err := sub.NextMsg(kickWait)
		if errors.Is(err, nats.ErrTimeout) {
			return nil // all have answered
		}
		if err != nil {
			return fmt.Errorf("wait for the connections of terminal %s: %w", id, err)
		}
		if err := kickOne(sys, id, m.Data); err != nil {
			return err
		}
	}
	return nil
}

// kickOne ends what one server says that it has.
func kickOne(sys *nats.Conn, id mianmi.TerminalID, answer []byte) error {
	var has struct {
		Server struct {
			ID string `json:"id"`
		} `json:"server"`
		Data struct {
			Conns []struct {
				Cid  uint64 `json:"cid"`
				User string `json:"authorized_user"`
			} `json:"connections"`
		} `json:"data"`
	}
	if err := json.Unmarshal(answer, &has); err != nil {
		return fmt.Errorf("read the connections of terminal %s: %w", id, err)
	}
	for _, c := range has.Data.Conns {
		if c.User != string(id) {
			continue
		}
		order, err := json.Marshal(map[string]uint64{"cid": c.Cid})
		if err != nil {
			return fmt.Errorf("end a connection of terminal %s: %w", id, err)
		}
		if _, err := sys.Request("$SYS.REQ.SERVER."+has.Server.ID+".KICK", order, kickWait); err != nil {
			return fmt.Errorf("end a connection of terminal %s: %w", id, err)
		}
	}
	return nil
}
