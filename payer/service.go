package payer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/secret"
)

// Config tunes a Service. Zero values mean the defaults.
type Config struct {
	CoolingOff   time.Duration // before a loosening is in force, default 24 h
	NoCoolingOff bool          // loosenings are in force at once: for demonstrations and tests

	TriesMax int           // wrong passwords in a row before a lock, default 5; rules may allow fewer
	LockFor  time.Duration // the first lock, default 3 h; each further one doubles, up to a day
	ResetFor time.Duration // life of a one-time code for a new password, default 15 min

	CodePrefix string        // two digits that lead each payment code, default "88"
	CodeLife   time.Duration // default 60 s
	CodesMax   int           // live codes of one payer at a time, default 5

	AllowanceMax  int64         // minor units, default 100,000 (¥1,000)
	AllowanceLife time.Duration // longest life of a one-off allowance, default 24 h

	Risk    Document // what reopening accepts; default RiskText
	Consent Document // what an agreement accepts; default ConsentText
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		v    *time.Duration
		then time.Duration
	}{
		{&c.CoolingOff, 24 * time.Hour}, {&c.LockFor, 3 * time.Hour}, {&c.ResetFor, 15 * time.Minute},
		{&c.CodeLife, time.Minute}, {&c.AllowanceLife, 24 * time.Hour},
	} {
		if *d.v <= 0 {
			*d.v = d.then
		}
	}
	if c.NoCoolingOff {
		c.CoolingOff = 0
	}
	if c.TriesMax <= 0 {
		c.TriesMax = 5
	}
	if c.CodePrefix == "" {
		c.CodePrefix = "88"
	}
	if c.CodesMax <= 0 {
		c.CodesMax = 5
	}
	if c.AllowanceMax <= 0 {
		c.AllowanceMax = 1000_00
	}
	if c.Risk.Version == "" {
		c.Risk = RiskText
	}
	if c.Consent.Version == "" {
		c.Consent = ConsentText
	}
	return c
}

// Validate returns an Invalid error that names the setting at fault.
func (c Config) Validate() error {
	if c.CodePrefix != "" && !digits(c.CodePrefix, 2, 2) {
		return mianmi.InvalidField("code_prefix", "want two digits")
	}
	if c.NoCoolingOff && c.CoolingOff > 0 {
		return mianmi.InvalidField("cooling_off", "set, and switched off at once")
	}
	return nil
}

// Store is what this package keeps. A method that changes a payer locks the
// payer's row first, so that all changes of one payer, payments too, come one
// after the other. Missing rows are NotFound.
type Store interface {
	// InsertPayer writes a new payer. A phone number that is taken is a
	// Conflict with the code "phone_taken".
	InsertPayer(ctx context.Context, n Insert) error
	Payer(ctx context.Context, id mianmi.PayerID) (Payer, error)
	Person(ctx context.Context, id mianmi.PayerID) (Person, error)
	PayerByPhone(ctx context.Context, digest []byte) (mianmi.PayerID, error)

	// ChangePayer locks the payer, runs fn and writes what it left, in one
	// transaction. fn may run more than once, each time from what is stored;
	// when it fails nothing is written.
	ChangePayer(ctx context.Context, id mianmi.PayerID, fn func(*Change) error) error
	// ChangeAgreement is ChangePayer with the agreement of payer and merchant;
	// the zero Agreement when there is none. A merchant that does not exist is NotFound.
	// Contracts at channels for an agreement that it leaves closed are revoked with it.
	ChangeAgreement(ctx context.Context, id mianmi.PayerID, m mianmi.MerchantID, fn func(*Change, *Agreement) error) error
	Agreements(ctx context.Context, id mianmi.PayerID) ([]Agreement, error)

	// InsertInstrument is a Conflict with the code "too_many" above max of them.
	InsertInstrument(ctx context.Context, i Instrument, max int, fn func(*Change) error) error
	Instruments(ctx context.Context, id mianmi.PayerID) ([]Instrument, error)

	// InsertCode writes a payment code, unless the payer has liveMax live ones:
	// a Conflict with the code "too_many_codes" and RetryAfter. A digest that is
	// taken is a Conflict with the code "exists". The payer's codes that expired
	// long ago are removed.
	InsertCode(ctx context.Context, c Code, now time.Time, liveMax int) error

	// Entries returns the record of a subject in a bucket, oldest first.
	Entries(ctx context.Context, q EntryQuery) ([]evidence.Entry, error)
}

// Insert is a new payer for the store.
type Insert struct {
	Payer       Payer
	Person      Person
	Password    Password
	PersonKey   []byte // random; of the digests in the record
	PhoneDigest []byte
	Entry       evidence.Entry
}

// Change is a payer under lock. What fn leaves in it is written; Balance and
// Counters are not.
type Change struct {
	Payer    Payer
	Password Password
	// PersonKey is the key of digests in the record; nil: it was erased.
	PersonKey []byte
	Entries   []evidence.Entry // of changes of the settings, one for each version
	Noted     []evidence.Entry // of what leaves the settings as they are
	// Contracts is how many contracts at channels there are for the agreement that
	// the change is about, as far as they are not ended there.
	Contracts int64

	Save         bool // write Payer's settings
	SavePassword bool // write Password, and Payer's VerifiableFrom with it
	EndSessions  bool // end the payer's sessions
	KeepSession  mianmi.SessionID
	VoidCodes    bool // remove the payer's payment codes
	// Measure is taken with the change; that it was before is a Conflict with the
	// code "measure_taken", and nothing is written. Empty: it follows from none.
	Measure   mianmi.MeasureID
	MeasureAt time.Time
	// Answer is what the change makes of a question, which Measure names then; that
	// it was answered is a Conflict with the code "question_answered".
	Answer Answer
}

// EntryQuery chooses a page of a subject's record.
type EntryQuery struct {
	Bucket  mianmi.Bucket
	Subject string
	After   mianmi.EntryID
	Limit   int
}

// Parts are what a Service works with; all are required.
type Parts struct {
	Store  Store
	Access *access.Service
	Keys   *secret.Keys
	Hasher *secret.Hasher
	Clock  mianmi.Clock
	Random io.Reader
	// FailuresMax is how many attempts to authenticate the rules in force let
	// fail in a row; 0: they do not say. Passwords lock then at the latest.
	FailuresMax func(context.Context) (int64, error)
}

// Service changes payers.
type Service struct {
	Parts
	cfg Config
}

// New returns a service, or an Invalid error that names a setting.
func New(p Parts, c Config) (*Service, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Service{Parts: p, cfg: c.withDefaults()}, nil
}

// Risk returns the text that reopening, and raising a limit, accepts.
func (s *Service) Risk() Document { return s.cfg.Risk }

// Consent returns the text that opening an agreement accepts.
func (s *Service) Consent() Document { return s.cfg.Consent }

// change runs fn on the payer under lock, after settings whose cooling-off is
// over have come into force, and returns the status that it left.
func (s *Service) change(ctx context.Context, id mianmi.PayerID, fn func(c *Change, now time.Time) error) (Status, error) {
	if err := checkID(id); err != nil {
		return Status{}, err
	}
	now := s.now()
	var left Status
	err := s.Store.ChangePayer(ctx, id, func(c *Change) error {
		if err := s.settle(c, now); err != nil {
			return err
		}
		if err := fn(c, now); err != nil {
			return err
		}
		left = c.Payer.Status(now)
		return nil
	})
	if err != nil {
		return Status{}, err
	}
	return left, nil
}

// settle puts pending settings into force once their time has come, and says
// so in the record.
func (s *Service) settle(c *Change, now time.Time) error {
	p := &c.Payer
	p.Hold = p.Held(now) // one that is over goes with the next change
	if p.Pending == nil || now.Before(p.Pending.At) {
		return nil
	}
	before := p.snapshot()
	p.Settings, p.Since, p.Pending = p.Pending.Settings, p.Pending.At, nil
	return s.record(c, now, recordInput{Actor: mianmi.System("cooling-off"), Type: "payer.settings.in_force", Before: before})
}

// recordInput is what a record of a change says besides the payer's state.
type recordInput struct {
	Actor     mianmi.Actor
	Type      string
	Before    Snapshot
	Basis     Basis
	Document  string
	Agreement *RecordedAgreement
	Detail    map[string]any
	Measure   *mianmi.Measure
}

// record raises the payer's version and adds the entry of the change.
func (s *Service) record(c *Change, now time.Time, in recordInput) error {
	c.Payer.Version++
	c.Save = true
	e, err := s.entry(now, c.Payer.ID, in.Actor, in.Type, Record{
		Version: c.Payer.Version, Before: in.Before, After: c.Payer.snapshot(), Session: in.Actor.Via,
		Basis: in.Basis.Recorded(c.PersonKey), Document: in.Document, Agreement: in.Agreement, Detail: in.Detail, Measure: in.Measure,
	})
	c.Entries = append(c.Entries, e)
	return err
}

// note adds an entry about something that leaves the settings as they are: a
// password that was right, or wrong.
func (s *Service) note(c *Change, now time.Time, kind string, detail map[string]any) error {
	n := c.Payer.snapshot()
	e, err := s.entry(now, c.Payer.ID, payerActor(c.Payer.ID), kind, Record{Version: c.Payer.Version, Before: n, After: n, Detail: detail})
	if err != nil {
		return err
	}
	e.ID, err = s.entryID(now, 2*c.Payer.Version+1) // after the one that made the version
	c.Noted = append(c.Noted, e)
	return err
}

// entry makes an entry about a version of the payer's settings.
func (s *Service) entry(now time.Time, id mianmi.PayerID, actor mianmi.Actor, kind string, body Record) (evidence.Entry, error) {
	name, err := s.entryID(now, 2*body.Version)
	if err != nil {
		return evidence.Entry{}, err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return evidence.Entry{}, fmt.Errorf("encode %s: %w", kind, err)
	}
	return evidence.Entry{ID: name, At: now, Type: kind, Subject: string(id), Actor: actor.String(), Body: text}, nil
}

// entryID makes an identifier that sorts by time and then by order: entries of
// one millisecond, or one transaction, stand in their order.
func (s *Service) entryID(now time.Time, order int64) (mianmi.EntryID, error) {
	id, err := mianmi.NewOrderedID("en", now, order, s.Random)
	return mianmi.EntryID(id), err
}

func target(id mianmi.PayerID) access.Target { return access.Target{Payer: id} }

// NewPayer is a payer to be created.
type NewPayer struct {
	Phone    string // E.164; must be free
	Name     string // 1 to 64 characters
	Lang     mianmi.Lang
	Currency money.Currency // of balance and limits, default CNY
	Password string         // six digits; empty: set later

	// PinFree opens PIN-free payment from the start, with RiskVersion accepted
	// at registration: nothing was closed before, so there is nothing to cool off from.
	PinFree     bool
	RiskVersion string
}

// Create creates a payer. PIN-free payment is off unless PinFree says so.
func (s *Service) Create(ctx context.Context, actor mianmi.Actor, n NewPayer) (View, error) {
	if err := access.Allow(actor, access.PayerCreate, access.Target{}); err != nil {
		return View{}, err
	}
	if n.Currency == "" {
		n.Currency = "CNY"
	}
	if err := s.checkNew(n); err != nil {
		return View{}, err
	}
	now := s.now()
	id, err := mianmi.NewID("py", now, s.Random)
	if err != nil {
		return View{}, err
	}
	p := Payer{ID: mianmi.PayerID(id), CreatedAt: now, Version: 1, Since: now, Balance: money.Of(0, n.Currency),
		Settings: Settings{PinFree: n.PinFree, Currency: n.Currency}}
	var w Password
	if n.Password != "" {
		if w.Hash, err = s.Hasher.Hash(ctx, n.Password); err != nil {
			return View{}, err
		}
		p.VerifiableFrom = &now
	}
	body := Record{Version: 1, After: p.snapshot(), Session: actor.Via}
	if n.PinFree {
		body.Document = n.RiskVersion
	}
	e, err := s.entry(now, p.ID, actor, "payer.created", body)
	if err != nil {
		return View{}, err
	}
	key := make([]byte, PersonKeyBytes)
	if _, err := io.ReadFull(s.Random, key); err != nil {
		return View{}, fmt.Errorf("read randomness for a person's key: %w", err)
	}
	person := Person{Payer: p.ID, Phone: n.Phone, Name: n.Name, Lang: n.Lang}
	err = s.Store.InsertPayer(ctx, Insert{Payer: p, Person: person, PersonKey: key, Password: w, Entry: e,
		PhoneDigest: s.Keys.Digest(secret.ForPhone, n.Phone)})
	if err != nil {
		return View{}, err
	}
	return view(actor, p, person, now), nil
}

func (s *Service) checkNew(n NewPayer) error {
	if err := checkPhone("phone", n.Phone); err != nil {
		return err
	}
	if err := checkName(n.Name); err != nil {
		return err
	}
	if n.Lang > mianmi.EN {
		return mianmi.InvalidField("lang", "not a known language")
	}
	if !n.Currency.Valid() {
		return mianmi.InvalidField("currency", "want three upper-case letters (ISO 4217)")
	}
	if n.Password != "" {
		if err := checkPassword("password", n.Password, n.Phone); err != nil {
			return err
		}
	}
	if n.PinFree && n.Password == "" {
		return mianmi.InvalidField("password", "PIN-free payment needs a payment password first")
	}
	if n.PinFree {
		return accepts("risk_version", n.RiskVersion, s.cfg.Risk)
	}
	return nil
}

// now is the store's precision: what is returned is what is read back.
func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }
