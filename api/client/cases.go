package client

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Case is a case of the support desk. What of it the caller may not see is empty.
type Case struct {
	ID       mianmi.CaseID     `json:"id"`
	Number   string            `json:"number"`
	Kind     string            `json:"kind"` // feedback, help, loss, fraud, dispute, complaint
	Category string            `json:"category"`
	Rail     string            `json:"rail"`
	State    string            `json:"state"` // opened, in_progress, waiting_payer, waiting_merchant, waiting_bank, decided, closed
	Queue    string            `json:"queue"`
	Assignee mianmi.StaffID    `json:"assignee"`
	Payer    mianmi.PayerID    `json:"payer"`
	Merchant mianmi.MerchantID `json:"merchant"`
	Shared   bool              `json:"shared"`
	OpenedBy string            `json:"opened_by"`

	OpenedAt     time.Time     `json:"opened_at"`
	ChangedAt    time.Time     `json:"changed_at"`
	FirstBy      time.Time     `json:"first_answer_by"`
	DecideBy     time.Time     `json:"decide_by"`
	WaitingSince *time.Time    `json:"waiting_since"` // for the payer
	Late         bool          `json:"late"`
	AnsweredAt   *time.Time    `json:"answered_at"`
	DecidedAt    *time.Time    `json:"decided_at"`
	ClosedAt     *time.Time    `json:"closed_at"`
	Reopened     int64         `json:"reopened"`
	Repeats      int64         `json:"repeats"`
	Verdict      string        `json:"verdict"`
	Award        *money.Amount `json:"award"`
	Version      int64         `json:"version"`

	Known  bool        `json:"known"` // of opening: there was this one about it
	Notes  []CaseNote  `json:"notes"` // oldest first; not in lists
	Links  []CaseLink  `json:"links"`
	Checks []CaseCheck `json:"checks"`
	Files  []CaseFile  `json:"files"`

	Complaints []CaseComplaint `json:"complaints"` // that the case is of
}

// CaseComplaint is a complaint that a case is of.
type CaseComplaint struct {
	ID      mianmi.ComplaintID `json:"id"`
	Channel string             `json:"channel"`
	Number  string             `json:"number"` // the channel's
	State   string             `json:"state"`  // pending, processing, processed
	Problem string             `json:"problem"`
	Waiting bool               `json:"waiting"` // the payer wrote, and nobody has answered
	Ordered int64              `json:"answers_on_the_way"`
	Failed  int64              `json:"answers_failed"`
}

// CaseNote is something that somebody wrote.
type CaseNote struct {
	N        int64     `json:"n"`
	Audience string    `json:"audience"` // inside, payer, merchant
	By       string    `json:"by"`
	Text     string    `json:"text"`
	At       time.Time `json:"at"`
}

// CaseLink names something that a case is about.
type CaseLink struct {
	Kind string `json:"kind"` // payment, terminal, agreement, complaint, entry, case, refund
	Ref  string `json:"ref"`
}

// CaseCheck is an identity check.
type CaseCheck struct {
	N      int64     `json:"n"`
	Method string    `json:"method"`
	Asked  []string  `json:"asked"`
	Passed bool      `json:"passed"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// NewCase is a case to be opened.
type NewCase struct {
	Kind     string         `json:"kind"`
	Category string         `json:"category,omitempty"`
	Payer    mianmi.PayerID `json:"payer,omitempty"`
	Text     string         `json:"text"`
	Links    []CaseLink     `json:"links,omitempty"`
}

// OpenCase opens a case, or returns the one that there is about it.
func (c *Client) OpenCase(ctx context.Context, n NewCase) (Case, error) {
	return call[Case](ctx, c, http.MethodPost, "/v1/cases", n)
}

// CaseQuery asks for cases; what is empty does not narrow it.
type CaseQuery struct {
	Kind, State, Queue string
	Assignee           string // "none": assigned to nobody
	Payer              mianmi.PayerID
	Merchant           mianmi.MerchantID
	Link               CaseLink
	Open               bool
	Since, Until       time.Time
	Before             string // next of the page before
	Limit              int
}

// Cases lists cases, newest first.
func (c *Client) Cases(ctx context.Context, q CaseQuery) (List[Case], error) {
	return call[List[Case]](ctx, c, http.MethodGet, "/v1/cases"+query(map[string]any{
		"kind": q.Kind, "state": q.State, "queue": q.Queue, "assignee": q.Assignee, "payer": q.Payer, "merchant": q.Merchant,
		"link_kind": q.Link.Kind, "link_ref": q.Link.Ref, "before": q.Before, "since": q.Since, "until": q.Until, "open": q.Open,
		"limit": q.Limit,
	}), nil)
}

// Case shows a case, by its identifier or its number.
func (c *Client) Case(ctx context.Context, id mianmi.CaseID) (Case, error) {
	return call[Case](ctx, c, http.MethodGet, "/v1/cases/"+seg(id), nil)
}

func (c *Client) caseStep(ctx context.Context, method string, id mianmi.CaseID, step string, in any) (Case, error) {
	return call[Case](ctx, c, method, "/v1/cases/"+seg(id)+"/"+step, in)
}

// CaseMove is where a case is brought to.
type CaseMove struct {
	To      string `json:"to"`
	Version int64  `json:"version"`
	Why     string `json:"why,omitempty"` // for mianmi's own people
}

// MoveCase brings a case to another state.
func (c *Client) MoveCase(ctx context.Context, id mianmi.CaseID, m CaseMove) (Case, error) {
	return c.caseStep(ctx, http.MethodPost, id, "moves", m)
}

// CaseAssignment is whose work a case is to be.
type CaseAssignment struct {
	Queue    string         `json:"queue,omitempty"`
	Assignee mianmi.StaffID `json:"assignee,omitempty"`
	Version  int64          `json:"version"`
}

// AssignCase gives a case to a queue and to somebody there.
func (c *Client) AssignCase(ctx context.Context, id mianmi.CaseID, a CaseAssignment) (Case, error) {
	return c.caseStep(ctx, http.MethodPut, id, "assignment", a)
}

// NewCaseNote is a note to be written; its key makes a repeat harmless.
type NewCaseNote struct {
	Key      string `json:"key"`
	Audience string `json:"audience"`
	Text     string `json:"text"`
}

// NoteCase writes a note.
func (c *Client) NoteCase(ctx context.Context, id mianmi.CaseID, n NewCaseNote) (Case, error) {
	return c.caseStep(ctx, http.MethodPost, id, "notes", n)
}

// LinkCase links something that a case is about.
func (c *Client) LinkCase(ctx context.Context, id mianmi.CaseID, l CaseLink) (Case, error) {
	return c.caseStep(ctx, http.MethodPost, id, "links", l)
}

// NewCaseCheck is an identity check that was made.
type NewCaseCheck struct {
	Method string   `json:"method"` // id_document, video_call, call_back, branch, signed_request
	Asked  []string `json:"asked"`  // names of what was asked, never an answer
	Passed bool     `json:"passed"`
}

// CheckIdentity records an identity check.
func (c *Client) CheckIdentity(ctx context.Context, id mianmi.CaseID, n NewCaseCheck) (Case, error) {
	return c.caseStep(ctx, http.MethodPost, id, "checks", n)
}

// CaseAct is something to be done for the payer of a case.
type CaseAct struct {
	// close_pin_free, report_loss, close_agreement and hold protect; lift_hold,
	// allow_once, lift_loss, unlock_password and reset_password need a check.
	Act       string             `json:"act"`
	Agreement mianmi.AgreementID `json:"agreement,omitempty"` // of close_agreement
	Until     time.Time          `json:"until,omitzero"`      // of hold
	Max       *money.Amount      `json:"max,omitempty"`       // of allow_once
	Merchant  mianmi.MerchantID  `json:"merchant,omitempty"`  // of allow_once
}

// CaseActed is what an act came to.
type CaseActed struct {
	Case  Case   `json:"case"`
	Reset *Reset `json:"reset"` // of reset_password: shown once
}

// ActForPayer acts for the payer of a case.
func (c *Client) ActForPayer(ctx context.Context, id mianmi.CaseID, a CaseAct) (CaseActed, error) {
	return call[CaseActed](ctx, c, http.MethodPost, "/v1/cases/"+seg(id)+"/acts", a)
}

// CaseDecision is who bears what.
type CaseDecision struct {
	Verdict string        `json:"verdict"` // upheld, partly_upheld, rejected, answered
	Award   *money.Amount `json:"award,omitempty"`
	Text    string        `json:"text"` // for the payer
	Version int64         `json:"version"`
}

// DecideCase decides a case.
func (c *Client) DecideCase(ctx context.Context, id mianmi.CaseID, d CaseDecision) (Case, error) {
	return c.caseStep(ctx, http.MethodPost, id, "decision", d)
}

// Liability is what happened in a case, and who is to bear what.
type Liability struct {
	ReportedAt  time.Time          `json:"reported_at"`
	ProtectedAt *time.Time         `json:"protected_at"` // since when nothing of the payer's passes PIN-free
	PaidYear    []money.Amount     `json:"paid_this_year"`
	Findings    []LiabilityFinding `json:"findings"`
	Totals      []struct {
		Bearer string       `json:"bearer"`
		Amount money.Amount `json:"amount"`
	} `json:"totals"`
	Events []struct {
		At   time.Time `json:"at"`
		What string    `json:"what"`
		Ref  string    `json:"ref"`
	} `json:"events"` // oldest first
}

// LiabilityFinding is a payment with who is to bear what is missing of it.
type LiabilityFinding struct {
	Payment mianmi.PaymentID `json:"payment"`
	At      time.Time        `json:"at"`
	Missing money.Amount     `json:"missing"`
	Promise *struct {
		Pack    string      `json:"pack"`
		Version int64       `json:"version"`
		ID      string      `json:"id"`
		Title   mianmi.Text `json:"title"`
	} `json:"promise"` // nil: nothing is promised
	Shares []struct {
		Bearer string       `json:"bearer"` // unclear, nobody, payer, cover, merchant, platform
		Amount money.Amount `json:"amount"`
		Reason string       `json:"reason"`
		Words  mianmi.Text  `json:"words"`
		Off    *struct {
			Layer string    `json:"layer"`
			ID    string    `json:"id"`
			Since time.Time `json:"since"`
			Entry string    `json:"entry"`
		} `json:"off"` // of passed_while_off
	} `json:"shares"` // they sum up to Missing
}

// Liability says who is to bear what of a case; confirmed: the fraud has been confirmed.
func (c *Client) Liability(ctx context.Context, id mianmi.CaseID, confirmed bool) (Liability, error) {
	return call[Liability](ctx, c, http.MethodGet, "/v1/cases/"+seg(id)+"/liability?confirmed="+strconv.FormatBool(confirmed), nil)
}
