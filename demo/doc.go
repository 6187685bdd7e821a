// Package demo is an example world and a story, told over HTTP as software of
// others would: a payer closes PIN-free payment, a store does, a phone is
// lost, and each payment says why it asked for a password or did not.
//
// Everything goes through the API; the server, its clock and the first
// operator are given by cmd. Nothing here is needed in production.
package demo

import (
	"context"
	"io"
	"time"

	"github.com/mianmi/mianmi"
)

// Clock is the server's clock, which the demo sets to past days while it makes
// history.
type Clock interface {
	mianmi.Clock
	// JumpTo sets the clock to a time of the past.
	JumpTo(t time.Time)
	// CatchUp sets it to the machine's time.
	CatchUp()
}

// Operator is the account of the person who runs this mianmi.
type Operator struct {
	Login, Password string
	TOTP            string // base32
}

// Books are the figures of a check of all accounts against the journal.
type Books struct {
	Payers, Payments, Faults int64
}

// MachineStart says which terminal's program to start, on an empty folder.
type MachineStart struct {
	Name   string // of its folder
	Family string // of its model, as package agent/model has them
	Code   string // that enrols it
}

// Machine is the program of a terminal, running.
type Machine interface {
	Screen() string // address of its own screen
	// Cut takes away its way to the host, Mend gives it back.
	Cut()
	Mend()
	// PullPlug ends it as the loss of power does, and starts it again.
	PullPlug(ctx context.Context) error
}

// Stage is what the demo stands on. All parts are required, but for Host,
// Machine and WeChat where the world is that of a Peer.
type Stage struct {
	URL    string // of the API
	Host   string // for terminals: https://…
	Clock  Clock
	Random io.Reader
	// Operator makes an account for whoever runs this mianmi: the first one
	// cannot come from the API.
	Operator func(context.Context) (Operator, error)
	// Books checks every account of the database.
	Books func(context.Context) (Books, error)
	// Machine starts the program of a terminal as a process of its own.
	Machine func(context.Context, MachineStart) (Machine, error)
	// WeChat is the instance that is WeChat Pay to this one.
	WeChat *Peer
	// Dir is where the world's identifiers and tokens are kept; Database names
	// the database that they belong to.
	Dir, Database string
	Out           io.Writer
	Lang          mianmi.Lang
}
