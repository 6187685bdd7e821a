package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/fleet"
	"github.com/mianmi/mianmi/store"
)

// FleetOptions are those of Fleet.
type FleetOptions struct {
	DSN       string
	Terminals int
	Rounds    int
	Profile   string // folder for CPU and heap profiles of the server; empty: none
	// Server is a command that serves the database with the terminals' listener
	// and MQTT on free ports of the loopback address, logs JSON to standard error,
	// and takes ServerOrder on its standard input. Swarm is SwarmProcess.
	Server, Swarm func(ctx context.Context) *exec.Cmd
	Store         store.Options
	Authority     func(ctx context.Context, db *store.DB) (*fleet.CA, error)
	// Operator makes one of mianmi's own people on the database itself.
	Operator func(ctx context.Context) (Operator, error)
	Options
}

// Operator is who orders an OFF, and who lifts it.
type Operator struct{ Login, Password, TOTP string }

// FleetFigures is what a run of Fleet measured.
type FleetFigures struct {
	Terminals int    `json:"terminals"`
	Engine    string `json:"engine"`
	// Joined is the time from nothing to every terminal connected and attested.
	Joined float64 `json:"joined_s"`
	// Memory of the server's process (RSS) in KiB: before the first terminal
	// connected, with all of them, and after the OFFs.
	RSSBefore  int64        `json:"rss_before_kib"`
	RSSJoined  int64        `json:"rss_joined_kib"`
	RSSAfter   int64        `json:"rss_after_kib"`
	JoinedEach float64      `json:"kib_a_terminal_joined"`
	AfterEach  float64      `json:"kib_a_terminal_after"`
	Rounds     []FleetRound `json:"rounds"`
}

// FleetRound is one OFF over all terminals. Times are in milliseconds.
type FleetRound struct {
	Order float64 `json:"order_ms"` // the OFF itself, as whoever ordered it waited
	// From the OFF's acknowledgement, as the terminals saw it and as the host has
	// it on record.
	Delivered     Spread `json:"delivered"`
	Attested      Spread `json:"attested"`
	DeliveredHost Spread `json:"delivered_on_record"`
	AttestedHost  Spread `json:"attested_on_record"`
	// One message through the same broker to each of the same connections, which
	// nobody answers: the limit.
	Broadcast Spread  `json:"broadcast"`
	CPU       float64 `json:"server_cpu_ms"`    // of the server from the order to the last proof
	Asked     int64   `json:"asked_themselves"` // terminals that no hint reached
	Again     int64   `json:"asked_again"`
	Broken    int64   `json:"connections_lost"`
	Proved    int     `json:"proved"` // terminals by the host's own count
}

// Spread is how a time was spread over the terminals, in milliseconds.
type Spread struct {
	P50  float64 `json:"p50_ms"`
	P99  float64 `json:"p99_ms"`
	Last float64 `json:"last_ms"`
	N    int     `json:"n"`
}

// spread measures instants from an origin. What came before it is 0: a hint may
// be faster than the answer to whoever ordered the OFF.
func spread(at []int64, origin time.Time) Spread {
	if len(at) == 0 {
		return Spread{}
	}
	at = slices.Sorted(slices.Values(at))
	ms := func(i int) float64 { return float64(max(at[i]-origin.UnixNano(), 0)/1000) / 1e3 }
	return Spread{ms(len(at) / 2), ms(len(at) * 99 / 100), ms(len(at) - 1), len(at)}
}

// String is one line for people.
func (s Spread) String() string {
	return fmt.Sprintf("p50 %7.0f  p99 %7.0f  last %7.0f ms  (%d)", s.P50, s.P99, s.Last, s.N)
}

// Median is the round whose last proof came neither first nor last.
func (f FleetFigures) Median() FleetRound {
	r := slices.SortedFunc(slices.Values(f.Rounds), func(a, b FleetRound) int { return cmp.Compare(a.Attested.Last, b.Attested.Last) })
	if len(r) == 0 {
		return FleetRound{}
	}
	return r[(len(r)-1)/2]
}

// fleetBench is a run of Fleet.
type fleetBench struct {
	o      FleetOptions
	db     *store.DB
	world  *fleetWorld
	server *server
	swarm  *child

	first, second *client.Client
	figures       FleetFigures
}

// Fleet measures an OFF over N terminals, which are a process of their own, at
// a server that is one, too.
func Fleet(ctx context.Context, o FleetOptions) (f FleetFigures, err error) {
	if err := raiseFiles(o.Terminals); err != nil {
		return f, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := &fleetBench{o: o}
	if b.db, err = store.Open(ctx, o.DSN, o.Store); err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, b.db.Close()) }()
	if _, err := b.db.Migrate(ctx); err != nil {
		return f, err
	}
	if b.world, err = newFleetWorld(ctx, b.db, o); err != nil {
		return f, err
	}
	if b.server, err = startServer(ctx, o.Server(ctx)); err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, b.server.stop()) }()
	if err := b.login(ctx); err != nil {
		return f, err
	}
	b.figures = FleetFigures{Terminals: o.Terminals, Engine: b.db.Engine()}
	if err := b.join(ctx); err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, b.swarm.stop()) }()
	for n := range o.Rounds {
		r, err := b.round(ctx, n)
		if err != nil {
			return f, fmt.Errorf("round %d: %w", n+1, err)
		}
		b.figures.Rounds = append(b.figures.Rounds, r)
	}
	return b.figures, b.memory(&b.figures.RSSAfter, &b.figures.AfterEach)
}

func (b *fleetBench) login(ctx context.Context) error {
	anyone, err := client.New("http://"+b.server.api, client.Options{})
	if err != nil {
		return err
	}
	for _, who := range []**client.Client{&b.first, &b.second} {
		o, err := b.o.Operator(ctx)
		if err != nil {
			return err
		}
		code, err := totp.GenerateCode(o.TOTP, time.Now())
		if err != nil {
			return err
		}
		s, err := anyone.LoginStaff(ctx, o.Login, o.Password, code)
		if err != nil {
			return fmt.Errorf("log in: %w", err)
		}
		*who = anyone.As(s.Token)
	}
	return nil
}

// join connects every terminal, and returns when all have proved what they run.
func (b *fleetBench) join(ctx context.Context) (err error) {
	// What it took to check passwords would hide what terminals take.
	if err := b.server.ask(ServerOrder{Settle: true}, &ServerDid{}); err != nil {
		return err
	}
	if b.figures.RSSBefore, err = residentKiB(b.server.pid()); err != nil {
		return err
	}
	if b.swarm, err = startChild(b.o.Swarm(ctx)); err != nil {
		return err
	}
	plan := b.world.plan
	plan.MQTT, plan.Dials = b.server.mqtt, dialsAtOnce
	began := time.Now()
	err = b.swarm.tell(plan)
	if err == nil {
		_, err = b.watch(watchJoin, func() error { return nil })
	}
	if err != nil {
		return errors.Join(fmt.Errorf("connect the terminals: %w", err), b.swarm.stop())
	}
	b.figures.Joined = time.Since(began).Seconds()
	return b.memory(&b.figures.RSSJoined, &b.figures.JoinedEach)
}

// dialsAtOnce is how many handshakes are under way: more of them would wait for
// the processor, and a real fleet does not come back in one moment either.
const dialsAtOnce = 32

func (b *fleetBench) memory(rss *int64, each *float64) (err error) {
	*rss, err = residentKiB(b.server.pid())
	*each = float64(*rss-b.figures.RSSBefore) / float64(b.o.Terminals)
	return err
}

// watch lets the terminals watch for something, does it, and returns what they
// saw.
func (b *fleetBench) watch(what string, do func() error) (saw swarmSaw, err error) {
	if err := b.swarm.ask(swarmOrder{what}, &saw); err != nil {
		return saw, err
	}
	if err := do(); err != nil {
		return saw, err
	}
	saw = swarmSaw{}
	if err := b.swarm.hear(&saw); err != nil {
		return saw, err
	}
	if saw.Problem != "" {
		return saw, errors.New(saw.Problem)
	}
	return saw, nil
}

// round sends the plain message, orders an OFF, waits until all have proved it,
// and switches on again.
func (b *fleetBench) round(ctx context.Context, n int) (r FleetRound, err error) {
	if r.Broadcast, err = b.broadcast(); err != nil {
		return r, err
	}
	if err := b.profile(ServerOrder{Profile: b.file("off-%d.cpu.pprof", n+1)}); err != nil {
		return r, err
	}
	cpu, called := treeCPU(b.server.pid()), time.Now()
	var acked time.Time
	saw, err := b.watch(watchOff, func() error {
		_, err := b.first.CloseScope(ctx, client.OfMerchant(b.world.merchant))
		acked = time.Now()
		return err
	})
	if err != nil {
		return r, err
	}
	r.CPU = float64((treeCPU(b.server.pid()) - cpu).Milliseconds())
	if err := b.profile(ServerOrder{EndProfile: true, Heap: b.file("off-%d.heap.pprof", n+1)}); err != nil {
		return r, err
	}
	r.Order = float64(acked.Sub(called).Microseconds()) / 1e3
	r.Delivered, r.Attested = spread(saw.Delivered, acked), spread(saw.Attested, acked)
	r.Asked, r.Again, r.Broken = saw.Asked, saw.Again, saw.Broken
	if err := b.onRecord(ctx, &r, acked); err != nil {
		return r, err
	}
	_, err = b.watch(watchOn, func() error { return b.on(ctx) })
	return r, err
}

func (b *fleetBench) broadcast() (Spread, error) {
	var began time.Time
	saw, err := b.watch(watchBroadcast, func() error {
		var did ServerDid
		err := b.server.ask(ServerOrder{Broadcast: true}, &did)
		if err == nil && did.Sent != b.o.Terminals {
			err = fmt.Errorf("the server knows %d of %d terminals", did.Sent, b.o.Terminals)
		}
		began = did.Began
		return err
	})
	return spread(saw.Heard, began), err
}

func (b *fleetBench) file(pattern string, n int) string {
	if b.o.Profile == "" {
		return ""
	}
	return b.o.Profile + "/" + fmt.Sprintf(pattern, n)
}

// profile passes orders about profiles on, when they are wanted.
func (b *fleetBench) profile(o ServerOrder) error {
	if b.o.Profile == "" {
		return nil
	}
	return b.server.ask(o, &ServerDid{})
}

// onRecord reads what the host has on record about the newest OFF.
func (b *fleetBench) onRecord(ctx context.Context, r *FleetRound, acked time.Time) error {
	list, err := b.first.SwitchOffs(ctx, client.TerminalQuery{Merchant: b.world.merchant})
	if err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return errors.New("the host has no OFF on record")
	}
	off := list.Items[0]
	r.Proved = off.InForce
	version, err := strconv.ParseInt(off.ID, 10, 64)
	if err != nil {
		return err
	}
	times, err := b.db.SettingTimes(ctx, version)
	if err != nil {
		return err
	}
	var delivered, attested []int64
	for _, s := range times {
		delivered = append(delivered, s.Delivered.UnixNano())
		if !s.Attested.IsZero() {
			attested = append(attested, s.Attested.UnixNano())
		}
	}
	r.DeliveredHost, r.AttestedHost = spread(delivered, acked), spread(attested, acked)
	return nil
}

// on opens PIN-free payment again, by two persons.
func (b *fleetBench) on(ctx context.Context) error {
	p, err := b.first.SetPolicy(ctx, client.OfMerchant(b.world.merchant), client.Terms{PinFree: true}, nil)
	if err != nil {
		return err
	}
	if p.Proposal == nil {
		return mianmi.Conflicts("not_a_loosening", "switching on needs no second person")
	}
	_, err = b.second.Approve(ctx, p.Proposal.ID)
	return err
}
