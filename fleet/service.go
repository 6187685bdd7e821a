package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Terminals is what a host knows of its terminals: *terminal.Service.
type Terminals interface {
	// Deliver returns the terminal's config when it is newer than have, else nil.
	Deliver(ctx context.Context, id mianmi.TerminalID, have int64) (config []byte, version int64, err error)
	// Report judges a signed report.
	Report(ctx context.Context, id mianmi.TerminalID, signed []byte) (protocol.Receipt, error)
	// AddKey keeps the key of an enrolment and uses it up, after which the terminal has proved
	// nothing; RenewKey one that the terminal itself asked for, and what it has
	// proved stays.
	AddKey(ctx context.Context, e terminal.Enrolment, k terminal.Key) error
	RenewKey(ctx context.Context, id mianmi.TerminalID, k terminal.Key) error
	// KeyLive reports whether a key is one of the terminal's, not revoked and not
	// past its time.
	KeyLive(ctx context.Context, id mianmi.TerminalID, keyID string) (bool, error)
	// Revocations lists the keys that were revoked at or after an instant, the
	// oldest revocation first.
	Revocations(ctx context.Context, since time.Time, limit int) ([]terminal.Key, error)
}

// Versions reads the number of the newest change of settings and, as of it,
// the version of the config that a terminal is to run; 0: it is not known.
type Versions func(ctx context.Context) (epoch int64, of func(mianmi.TerminalID) int64, err error)

// Enroller knows enrolment codes: *terminal.Enrol.
type Enroller interface {
	Enrolment(ctx context.Context, secret string) (terminal.Enrolment, error)
}

// Deps are the parts that a fleet needs.
type Deps struct {
	Terminals Terminals
	Versions  Versions
	Enroller  Enroller
	// Payments serves the API's routes for a terminal; nil: there are none here.
	Payments func(context.Context, Peer) (http.Handler, error)
	// Updates serves PathUpdate for a terminal; nil: there are none.
	Updates func(Peer) http.Handler
	// Channels says whether the payment systems outside answer that the terminal's
	// merchant can be paid through, as far as that is known; nil: none is told.
	Channels func(context.Context, Peer) []protocol.ChannelState
	CA       *CA
	Clock    mianmi.Clock
	Random   io.Reader
	Log      *slog.Logger
}

// Config is how terminals find the host.
type Config struct {
	Listen     string   // host:port of the mutual-TLS listener
	MQTTListen string   // host:port of MQTT over TLS; empty: long poll alone
	Names      []string // names and addresses that terminals use, for the certificate
	MQTTPublic string   // host:port as terminals reach MQTT, several with commas; empty: the first name and MQTTListen's port
	Folder     string   // of the broker
	Node       string   // name of this node
	External   *External
	ConnsMax   int // 0: 20,000
}

// connsMax is what one node holds by default: 40 KiB each in the broker.
const connsMax = 20_000

// Service is a node's side of its terminals. New starts it, Stop ends it.
type Service struct {
	Deps
	cfg      Config
	host     *hostCert
	broker   *broker // nil: external, or none
	bus      *bus    // nil: long poll alone
	http     *http.Server
	listener net.Listener
	hints    *hints
	failures failures
	asks     chan struct{} // a place for each question that is being answered

	cancel   context.CancelFunc
	stopping <-chan struct{} // closed by Stop
	done     sync.WaitGroup
}

// New listens and starts the broker. ctx bounds nothing but what runs inside:
// it ends with Stop.
func New(ctx context.Context, d Deps, cfg Config) (s *Service, err error) {
	if cfg.ConnsMax == 0 {
		cfg.ConnsMax = connsMax
	}
	if len(cfg.Names) == 0 {
		return nil, mianmi.InvalidField("terminal_names", "want at least one name or address that terminals reach this host by")
	}
	ctx, cancel := context.WithCancel(ctx)
	s = &Service{Deps: d, cfg: cfg, cancel: cancel, stopping: ctx.Done(), asks: make(chan struct{}, asksMax), host: &hostCert{ca: d.CA, names: cfg.Names, clock: d.Clock, random: d.Random}}
	s.failures.clock = d.Clock
	s.hints = newHints(s)
	defer func() {
		if err != nil {
			s.Stop()
			s = nil
		}
	}()
	if err := s.openBus(ctx); err != nil {
		return s, err
	}
	if s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen); err != nil {
		return s, fmt.Errorf("listen for terminals: %w", err)
	}
	s.http = s.server(ctx)
	s.done.Go(func() {
		if err := s.http.ServeTLS(s.listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			d.Log.Error("the listener for terminals ended", "error", err)
		}
	})
	s.done.Go(func() { s.hints.run(ctx) })
	s.done.Go(func() { (&revocations{s: s}).run(ctx) })
	return s, nil
}

// openBus starts or joins the broker, and answers what terminals ask over it.
func (s *Service) openBus(ctx context.Context) error {
	switch {
	case s.cfg.External != nil:
		b, err := joinBus(ctx, *s.cfg.External, s.pass(ctx), s)
		s.bus = b
		return err
	case s.cfg.MQTTListen == "":
		return nil
	}
	if err := os.MkdirAll(s.cfg.Folder, 0o700); err != nil {
		return fmt.Errorf("make the broker's folder: %w", err)
	}
	var err error
	s.broker, err = startBroker(brokerConfig{listen: s.cfg.MQTTListen, folder: s.cfg.Folder, name: s.cfg.Node,
		tls: s.host.TLS(tls.RequireAndVerifyClientCert), connsMax: s.cfg.ConnsMax}, s.pass(ctx), s.Random, s.Log)
	if err != nil {
		return err
	}
	conn, err := s.broker.connect()
	if err != nil {
		return err
	}
	s.bus, err = openBus(ctx, conn, s)
	return err
}

// pass says whether a terminal may come in. What is not known stays out.
func (s *Service) pass(ctx context.Context) func(Peer) error {
	return func(p Peer) error {
		ctx, cancel := context.WithTimeout(ctx, passMax)
		defer cancel()
		return s.mayEnter(ctx, p)
	}
}

// passMax is how long a connection waits to be let in.
const passMax = 3 * time.Second

var errKey = &mianmi.Error{Kind: mianmi.Unauthenticated, Code: "terminal_key_revoked",
	Msg: "this terminal's certificate is not valid any more: enrol the terminal again"}

func (s *Service) mayEnter(ctx context.Context, p Peer) error {
	live, err := s.Terminals.KeyLive(ctx, p.ID, p.Key)
	if err == nil && !live {
		err = errKey
	}
	return err
}

// Address is where the listener for terminals is.
func (s *Service) Address() net.Addr { return s.listener.Addr() }

// MQTT is host:port of MQTT as terminals reach it; empty without it.
func (s *Service) MQTT() string {
	switch {
	case s.cfg.MQTTPublic != "":
		return s.cfg.MQTTPublic
	case s.broker != nil:
		return net.JoinHostPort(s.cfg.Names[0], strconv.Itoa(s.broker.port()))
	}
	return ""
}

// Kick ends the live connections of a terminal, after its keys were revoked.
// Requests over HTTPS are asked for their key each time.
func (s *Service) Kick(id mianmi.TerminalID) error {
	s.hints.forget(id)
	if s.broker != nil {
		return s.broker.kick(id)
	}
	if s.bus != nil {
		return s.bus.kick(id)
	}
	return nil
}

// stopMax is how long requests may take to end: the long polls are told.
const stopMax = 5 * time.Second

// Stop ends listener, hints and broker.
func (s *Service) Stop() {
	s.cancel()
	if s.http != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.http.BaseContext(nil)), stopMax)
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			_ = s.http.Close()
		}
	}
	s.done.Wait()
	if s.bus != nil {
		s.bus.close()
	}
	if s.broker != nil {
		s.broker.stop()
	}
}
