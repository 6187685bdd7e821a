package merchant

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/terminal/posture"
)

// ApprovalLife is how long a proposal waits for its second person.
const ApprovalLife = 7 * 24 * time.Hour

// waitingMax bounds the proposals that wait for one scope: whoever decides
// reads them all.
const waitingMax = 8

// ApprovalState is where a proposal stands. The numbers are stored.
type ApprovalState uint8

const (
	Waiting   ApprovalState = 1
	Approved  ApprovalState = 2
	Rejected  ApprovalState = 3
	Withdrawn ApprovalState = 4
	Lapsed    ApprovalState = 5 // what it was based on has changed
	Expired   ApprovalState = 6 // nobody decided in time; derived from the time, never stored
)

var approvalNames = [...]string{"", "waiting", "approved", "rejected", "withdrawn", "lapsed", "expired"}

// String returns the state's name as it stands in the API.
func (s ApprovalState) String() string {
	if int(s) < len(approvalNames) {
		return approvalNames[s]
	}
	return ""
}

// Proposal is a loosening that somebody asks for: one of the four.
type Proposal struct {
	Terms     *Terms         `json:"terms,omitempty"`     // of the scope's policy
	Rollout   *rollout.Plan  `json:"rollout,omitempty"`   // how the terms come to the scope's terminals; nil: to all at once
	Lift      mianmi.StopID  `json:"lift,omitempty"`      // of an emergency stop
	Facts     *Facts         `json:"facts,omitempty"`     // of the scope's merchant
	Terminals *posture.Terms `json:"terminals,omitempty"` // of the policy on terminals; the scope is everything
}

// Approval is a proposal and what became of it.
type Approval struct {
	ID         mianmi.ApprovalID
	Scope      Scope
	Merchant   mianmi.MerchantID // whose scope it is; empty for everything, channels, models
	Proposal   Proposal
	BasedOn    int64  // version of the policy, stop or merchant that it changes
	ProposedBy string // mianmi.Actor.String()
	ProposedAt time.Time
	ExpiresAt  time.Time
	State      ApprovalState
	DecidedBy  string // empty while it waits
	DecidedAt  time.Time
}

// At is the state at now: a proposal that nobody decided in time is Expired.
func (a Approval) At(now time.Time) ApprovalState {
	if a.State == Waiting && !now.Before(a.ExpiresAt) {
		return Expired
	}
	return a.State
}

// open returns a Conflict error unless the proposal still waits at now.
func (a Approval) open(now time.Time) error {
	switch a.At(now) {
	case Waiting:
		return nil
	case Expired:
		return mianmi.Conflicts("approval_expired", "nobody decided in time: propose it again")
	case Lapsed:
		return mianmi.Conflicts("approval_lapsed", "the setting has changed since: propose it again")
	}
	return mianmi.Conflicts("approval_decided", "it is decided already: "+a.State.String())
}
