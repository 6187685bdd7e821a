package terminal

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// Proven is what a terminal has proved, as payments read it in their own
// transaction. The zero Proven has proved nothing.
type Proven struct {
	Terminal   mianmi.TerminalID
	Attested   int64     // version of the config that it has proved to run; 0: none
	Floor      int64     // newest version that it has ever proved, by this key
	LeaseUntil time.Time // by the host's clock; zero: never proved
	PinFree    bool      // takes PIN-free payments, as it says itself
	// Posture are the rules of the policy on terminals that its last report
	// failed, and PostureEpoch the epoch of the policy that judged.
	Posture      []string
	PostureEpoch int64
	Drift        string    // what it runs that nobody asked for (DriftUnknown …); empty: nothing
	DriftSince   time.Time // zero without drift
	RevokedAt    time.Time // zero: it has a key that counts
}

// What a terminal can run that nobody asked for.
const (
	DriftUnknown  = "unknown_setting" // a config that was not delivered to it
	DriftLooser   = "looser"          // PIN-free where the config that it runs has it off
	DriftNoReboot = "no_reboot"       // runs at once what its model runs after a reboot
)

// Need is what a terminal must have proved for PIN-free.
type Need struct {
	Tightened   int64 // epoch of the newest tightening that concerns it; 0: none
	TightenedAt time.Time
	Judged      int64 // least epoch of the policy that judged its posture
}

// Doubt is a reason not to believe a terminal.
type Doubt struct {
	Reason pinfree.Reason
	At     time.Time // that the reason speaks of; zero: none
	Rule   string    // of the policy on terminals, for PostureUnsafe
}

// AppendDoubts appends why the terminal is not to be believed at now; nothing:
// PIN-free is open as far as it depends on the terminal (docs/adr/0009).
func (p *Proven) AppendDoubts(dst []Doubt, n Need, now time.Time) []Doubt {
	switch {
	case p == nil:
		return append(dst, Doubt{Reason: pinfree.TerminalNeverProved})
	case !p.RevokedAt.IsZero():
		return append(dst, Doubt{Reason: pinfree.TerminalRevoked, At: p.RevokedAt})
	case p.Drift != "":
		dst = append(dst, Doubt{Reason: pinfree.TerminalDrifted, At: p.DriftSince})
	case p.Floor == 0:
		return append(dst, Doubt{Reason: pinfree.TerminalNeverProved})
	case p.Attested < p.Floor:
		dst = append(dst, Doubt{Reason: pinfree.TerminalFellBack})
	case !now.Before(p.LeaseUntil):
		dst = append(dst, Doubt{Reason: pinfree.TerminalLeaseOver, At: p.LeaseUntil})
	}
	if p.Attested < n.Tightened && p.Drift == "" {
		dst = append(dst, Doubt{Reason: pinfree.TerminalBehind, At: n.TightenedAt})
	}
	if p.PostureEpoch < n.Judged {
		dst = append(dst, Doubt{Reason: pinfree.PostureUnsafe, Rule: "not_judged"})
	}
	for _, rule := range p.Posture {
		dst = append(dst, Doubt{Reason: pinfree.PostureUnsafe, Rule: rule})
	}
	if !p.PinFree {
		dst = append(dst, Doubt{Reason: pinfree.TerminalClosedItself})
	}
	return dst
}

// Runs reports whether the terminal has proved to run the version or a newer
// one, and nothing speaks against it since.
func (p *Proven) Runs(version int64) bool {
	return p != nil && p.RevokedAt.IsZero() && p.Drift == "" && p.Floor > 0 && p.Attested >= p.Floor && p.Attested >= version
}

// InForce reports whether what the terminal runs is in force at now: attested,
// at least the newest tightening, inside its lease.
func (p *Proven) InForce(n Need, now time.Time) bool {
	return p.Runs(n.Tightened) && now.Before(p.LeaseUntil)
}
