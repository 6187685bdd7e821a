package terminal

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/posture"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// State is what is known of a terminal's settings: one row, changed by its
// reports.
type State struct {
	Proven
	BootID       string
	Boot, Number int64            // of the newest report; 0: there was none
	Running      protocol.Setting // as it says; version 0: nothing
	AttestedAt   time.Time        // first proof of what it runs now
	RunFrom      time.Time        // since when without a gap; zero: nothing is proved
	Delivered    int64            // newest version that it has fetched
	Saved        int64            // version on its disk that runs after the next boot; 0: none
	Refused      int64            // version that it does not run, as it says; 0: none
	Said         Said
	Alarms       []string  // kinds that are open
	RefusalAt    time.Time // of the last refused report that went into the log
	ReportedAt   time.Time // by the host's clock
	SeenAt       time.Time // last sign of life
}

// Said is what else the newest report says.
type Said struct {
	posture.Facts
	At         time.Time        `json:"at"` // by the terminal's clock
	Decided    time.Time        `json:"decided,omitzero"`
	Update     *protocol.Update `json:"update,omitempty"` // nil: nothing to say of programs
	Tightening int64            `json:"tightening,omitempty"`
	Local      *protocol.Local  `json:"local,omitempty"`
	Pending    *protocol.Local  `json:"pending,omitempty"`
	// TroubleAt is when somebody there last said that something is wrong, by the
	// host's clock.
	TroubleAt time.Time `json:"trouble_at,omitzero"`
}

// Setting is a config that a terminal has fetched, with the time of each state
// of its life; zero: not reached. It is never removed.
type Setting struct {
	Terminal   mianmi.TerminalID
	Version    int64
	Hash       protocol.Hash
	Config     []byte    // as delivered; filled to be written alone
	PinFree    bool      // what it says without regard to stops
	StopsUntil time.Time // end of the last stop that it holds; zero: none
	Tightened  int64     // epoch of the newest tightening that it holds

	Desired       time.Time // when the change was made; zero: not known
	Delivered     time.Time
	DeliveredBoot int64 // boot that was known then
	Saved         time.Time
	SavedBoot     int64
	Rebooted      time.Time
	Attested      time.Time
	Refused       time.Time
	RefusedReason string
	Superseded    time.Time // a newer one was attested
}

// Run is a span in which a terminal's proof of one setting held.
type Run struct {
	Terminal mianmi.TerminalID
	From     time.Time
	Version  int64
	Hash     protocol.Hash
	PinFree  bool // of the config
	Boot     int64
	Until    time.Time // when the proof ended; zero: it is the one in State
}

// Refusal is a report that was not taken.
type Refusal struct {
	ID       string
	Terminal mianmi.TerminalID
	At       time.Time
	Reason   string // RefusedReplay …
	Key      string // as the report says
	Boot     int64  // as the report says, when it could be read
	Number   int64
	Digest   protocol.Hash // of what came
}

// Why a report is refused. The names stand in the API and in the log.
const (
	RefusedForm      = "form"        // not the form of this protocol
	RefusedKey       = "unknown_key" // signed by a key that is not this terminal's
	RefusedRevoked   = "revoked_key"
	RefusedExpired   = "expired_key"
	RefusedSignature = "signature" // not signed, or changed on the way
	RefusedForeign   = "foreign"   // another terminal's
	RefusedReplay    = "replayed"  // the newest one again
	RefusedOlder     = "older"     // than one that was taken
	RefusedBoot      = "boot_id"   // another boot with the same count
)

// Alarm is something about a terminal that somebody has to look at. One of a
// kind is open at a time.
type Alarm struct {
	ID       string
	Terminal mianmi.TerminalID
	Kind     string // AlarmDrift …
	Detail   string // by its code
	OpenedAt time.Time
	ClosedAt time.Time // zero: open
}

// Kinds of alarm.
const (
	AlarmDrift    = "drift"
	AlarmFellBack = "fell_back"
	AlarmRefused  = "setting_refused" // the terminal does not run a config
	AlarmPosture  = "unsafe"
	AlarmReport   = "report_refused"
	AlarmCheck    = "check_failed"
	AlarmTrouble  = "trouble"        // a person there says that something is wrong
	AlarmUpdate   = "update_refused" // a program was not taken, or was given up again
	AlarmOverdue  = "overdue"        // an OFF is not in force there after its deadline
)
