package payer

import (
	"context"
	"io"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/secret"
)

// Config is how strict the service is. Zero values mean the defaults.
type Config struct {
	CoolingOff     time.Duration // before a loosening is in force; default 10 min; at least 0
	NoCoolingOff   bool          // demo and tests: CoolingOff 0 means none
	PasswordTries  int           // consecutive failures before the lock; default and maximum 5 (RTS Art. 4)
	LockFor        time.Duration // default 3 h
	AllowanceLife  time.Duration // default 10 min
	CodeLife       time.Duration // payment code; default 60 s
	CodePrefix     string        // two digits; default "28"
	RiskVersion    string        // the current risk text; default RiskText's version
	ConsentVersion string        // of the agreement text
}

// Store keeps payers. Each method is one durable transaction.
//
// Change locks the payer's row, calls fn with the present state (agreements
// and password included), and writes what fn left in it, with the entries that
// fn returns. When fn fails nothing is written, unless the error is wrapped in
// Keep (a failed password try must be counted).
type Store interface {
	CreatePayer(ctx context.Context, s *State, e []evidence.Entry) error
	ChangePayer(ctx context.Context, id mianmi.PayerID, fn func(*State) ([]evidence.Entry, error)) error
	Payer(ctx context.Context, id mianmi.PayerID) (*State, error)
	PayerByPhone(ctx context.Context, digest []byte) (mianmi.PayerID, error)
	Agreements(ctx context.Context, id mianmi.PayerID) ([]Agreement, error)
	AddInstrument(ctx context.Context, in Instrument, e evidence.Entry) error
	Instruments(ctx context.Context, id mianmi.PayerID) ([]Instrument, error)
	AddCode(ctx context.Context, c Code) error
}

// State is all that Change may read and alter.
type State struct {
	Payer    Payer
	Person   Person
	Phone    []byte // keyed digest of the phone number, the key of the login
	Password Password
	// Agreement is the one that the change is about: set Want to have it read.
	Agreements map[mianmi.MerchantID]Agreement
}

// Code is a payment code as stored: only its keyed digest.
type Code struct {
	Digest    []byte
	Payer     mianmi.PayerID
	ExpiresAt time.Time
}

// Service changes payers' settings.
type Service struct {
	store  Store
	keys   *secret.Keys
	clock  mianmi.Clock
	random io.Reader
	cfg    Config
}

// Methods, each with the actor who asks (rights are checked in each):
//
//	Create(ctx, actor, NewPayer) (*State, error)            operator, API client with ScopePayers
//	Show(ctx, actor, id) (*State, error)                    the payer, support, operator, auditor, risk, API client (payers)
//	Close(ctx, actor, id) (*State, error)                   the payer, support, operator; one step, idempotent
//	Reopen(ctx, actor, id, Reopening) (*State, error)       the payer: password, current risk text, cooling-off
//	CancelReopen → Close
//	SetLimits(ctx, actor, id, Settings, Proof)              tightening at once, loosening like Reopen
//	ReportLoss(ctx, actor, id, note) / LiftLoss(...)         freeze at once; lifting needs the password and a support agent or operator
//	Allow(ctx, actor, id, Proof, max, merchant)             one-off allowance, password
//	OpenAgreement / CloseAgreement / Agreements
//	SetPassword / ChangePassword / Verify / Unlock
//	AddInstrument / Instruments / IssueCode
//	Login(ctx, phone, password) (mianmi.PayerID, error)
var _ = money.Amount{}
