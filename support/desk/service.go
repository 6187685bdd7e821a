package desk

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/support"
	"github.com/mianmi/mianmi/support/files"
)

// Store is what this package keeps. Missing things are NotFound.
type Store interface {
	// InsertCase writes a new case, with what hangs on it. fn sees who else has
	// complained before it decides; its error leaves nothing written. A number that
	// is taken is a Conflict with the code "exists".
	InsertCase(ctx context.Context, c *Change, g Guard, fn func(Before) error) error
	// ChangeCase locks the case, lets fn say what becomes of it and writes that;
	// nothing when fn adds no entry.
	ChangeCase(ctx context.Context, id mianmi.CaseID, fn func(*Change) error) error
	Case(ctx context.Context, id mianmi.CaseID) (Whole, error)
	CaseByNumber(ctx context.Context, number string) (mianmi.CaseID, error)
	// Cases lists without what hangs on them.
	Cases(ctx context.Context, q Query) ([]Case, error)
	// CasesDue are cases whose deadlines somebody has to be told of.
	CasesDue(ctx context.Context, now time.Time, most int) ([]mianmi.CaseID, error)

	// LooseFile notes a file that perhaps no case has, to be looked at when it is due.
	// It is Unavailable while the file is being removed.
	LooseFile(ctx context.Context, id string, due time.Time) error
	LooseFiles(ctx context.Context, now time.Time, most int) ([]string, error)
	// ClaimLooseFile says that the file is being removed, unless it is not due or
	// somebody else has claimed it, and whether a case has it. Who does not get done
	// until then has lost the claim.
	ClaimLooseFile(ctx context.Context, id string, now, until time.Time) (claimed, needed bool, err error)
	// DropLooseFile ends a claim.
	DropLooseFile(ctx context.Context, id string) error

	// ClaimComplaints takes complaints whose case does not agree with them yet, and
	// puts each off, so that no other node has it meanwhile. A Change that links a
	// complaint makes the case that complaint's, unless it has one. One that has something
	// new for the payer, or another state, is news to its complaints.
	ClaimComplaints(ctx context.Context, now, until time.Time, most int) ([]DueComplaint, error)
	// PutOffComplaint notes another try, EndComplaint that the two agree. Both do
	// nothing when there is news since the claim.
	PutOffComplaint(ctx context.Context, d DueComplaint, next time.Time) error
	EndComplaint(ctx context.Context, d DueComplaint) error

	PayoutStore
}

// Guard is what a new case is held against.
type Guard struct {
	Payer    mianmi.PayerID
	Payments []mianmi.PaymentID
	Kind     Kind
	Since    time.Time // the payer's cases since then are counted
	Ended    time.Time // of those that are over, the ones that ended since then

	Complaint mianmi.ComplaintID // that the case is opened for; empty: for none
}

// Before is what there is already.
type Before struct {
	// Same is about one of the payments; when there are none, a loss or fraud of the
	// payer. An open one, else the one that ended last.
	Same   *Case
	Lately int64 // cases of the payer since Guard.Since

	Of mianmi.CaseID // the case that Guard.Complaint has already; empty: none
}

// Change is a case that is locked. Notes, Links and Checks are those that are
// added; fn may read the former ones in Was.
type Change struct {
	Case    Case
	Was     Whole
	Notes   []Note
	Links   []Link
	Checks  []Check
	Files   []File
	Packs   []Pack
	Entries []evidence.Entry
}

// Payers is what this package asks of payer.Service.
type Payers interface {
	Close(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, b payer.Basis) (payer.Status, error)
	ReportLoss(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, b payer.Basis) (payer.Status, error)
	LiftLoss(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, b payer.Basis) (payer.Status, error)
	Unlock(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, b payer.Basis) (payer.Status, error)
	ResetPassword(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, b payer.Basis) (payer.Reset, error)
	Hold(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, o payer.HoldOrder) (payer.Status, error)
	LiftHold(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, in payer.HoldLifting) (payer.Status, error)
	GrantAllowance(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, in payer.AllowanceInput) (payer.Status, error)
	CloseAgreement(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, agreement mianmi.AgreementID) (payer.Agreement, error)
	Show(ctx context.Context, a mianmi.Actor, id mianmi.PayerID) (payer.View, error)
}

// Payments is what this package asks of payment.Service.
type Payments interface {
	Payment(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error)
}

// Complaints is what this package asks of support.Service.
type Complaints interface {
	Complaint(ctx context.Context, a mianmi.Actor, id mianmi.ComplaintID) (support.Complaint, []support.Step, error)
	Answers(ctx context.Context, a mianmi.Actor, id mianmi.ComplaintID) ([]support.Answer, error)
	Answer(ctx context.Context, a mianmi.Actor, id mianmi.ComplaintID, o support.Order) (support.Answer, error)
}

// Staff finds who cases can be assigned to.
type Staff interface {
	StaffByID(ctx context.Context, id mianmi.StaffID) (access.Staff, error)
}

// Folder keeps what is attached: files.Folder.
type Folder interface {
	Clean(ctx context.Context, content []byte) (files.Clean, error)
	Write(c files.Clean) error
	Read(id string) ([]byte, error)
	Sweep(id string, needed bool) error
}

// Parts are what a Service works with; Levels has a default. Without Refunds a
// refund waits for a node that has it, without Complaints so do complaints, and zero
// Limits allow no payout. All else is required.
type Parts struct {
	Store    Store
	Payers   Payers
	Payments Payments
	Staff    Staff
	Keys     *secret.Keys
	Clock    mianmi.Clock
	Random   io.Reader // safe for concurrent use
	Log      *slog.Logger
	Levels   Levels
	Files    Folder
	Refunds  Refunds
	Limits   Limits

	Complaints Complaints
}

// Service is all that can be done about cases. Every method checks the actor's
// rights; what the actor may not see looks as if there were none.
type Service struct{ Parts }

// New returns a Service, or an error when a part is missing.
func New(p Parts) (*Service, error) {
	if p.Store == nil || p.Payers == nil || p.Payments == nil || p.Staff == nil || p.Keys == nil || p.Clock == nil || p.Random == nil || p.Log == nil || p.Files == nil {
		return nil, errors.New("desk: a required part is missing")
	}
	if p.Levels.Kinds == nil {
		p.Levels.Kinds = LevelsDefault.Kinds
	}
	return &Service{p}, nil
}

// now is the store's precision: what is returned is what is read back.
func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }

// target is what rights on a case are about. A merchant has none on a case that
// is not shared with it.
func target(c *Case) access.Target {
	t := access.Target{Payer: c.Payer}
	if c.Shared {
		t.Merchant = c.Merchant
	}
	return t
}

func (s *Service) see(actor mianmi.Actor, c *Case) error {
	if access.Allow(actor, access.CaseShow, target(c)) != nil {
		return mianmi.Missing("case")
	}
	return nil
}
