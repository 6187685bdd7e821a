package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
)

// EnrolmentCode enrols a terminal, once.
type EnrolmentCode struct {
	Code      string    `json:"code"`
	Host      string    `json:"host"` // where terminals find the server; empty: it does not know
	ExpiresAt time.Time `json:"expires_at"`
}

// IssueEnrolmentCode makes a code that enrols a terminal.
func (c *Client) IssueEnrolmentCode(ctx context.Context, id mianmi.TerminalID) (EnrolmentCode, error) {
	return call[EnrolmentCode](ctx, c, http.MethodPost, "/v1/terminals/"+seg(id)+"/enrolment-code", nil)
}

// RevokeTerminal takes a terminal's certificates back.
func (c *Client) RevokeTerminal(ctx context.Context, id mianmi.TerminalID) (TerminalStatus, error) {
	return call[TerminalStatus](ctx, c, http.MethodPost, "/v1/terminals/"+seg(id)+"/revoke", nil)
}

// TerminalStatus is where a terminal's setting stands.
type TerminalStatus struct {
	Terminal  mianmi.TerminalID `json:"terminal"`
	Proof     string            `json:"proof"`
	Enrolled  bool              `json:"enrolled"`
	Stage     string            `json:"stage"`
	InForce   bool              `json:"in_force"`
	Believed  bool              `json:"believed"`
	Sentence  mianmi.Text       `json:"sentence"`
	Doubts    []Doubt           `json:"doubts"`
	Wanted    WantedSetting     `json:"wanted"`
	Tightened *WantedSetting    `json:"tightened"`
	Newest    *SettingLife      `json:"newest"`
	Running   *SettingLife      `json:"running"`

	Attested   int64     `json:"attested"`
	LeaseUntil time.Time `json:"lease_until"`
	ReportedAt time.Time `json:"reported_at"`
	SeenAt     time.Time `json:"seen_at"`
	Offline    bool      `json:"offline"`
	RevokedAt  time.Time `json:"revoked_at"`
	Boot       int64     `json:"boot"`
	PinFree    bool      `json:"pin_free"`
	Drift      string    `json:"drift"`
	DriftSince time.Time `json:"drift_since"`
	Unsafe     []string  `json:"unsafe"`
	Alarms     []string  `json:"alarms"`

	Device  Device       `json:"device"`
	Network Network      `json:"network"`
	Update  *Update      `json:"update"`
	Menu    []MenuChange `json:"menu"`
}

// Doubt is a reason not to believe a terminal.
type Doubt struct {
	Code  int       `json:"code"`
	Name  string    `json:"name"`
	Rule  string    `json:"rule"`
	At    time.Time `json:"at"`
	Words struct {
		Payer   mianmi.Text `json:"payer"`
		Cashier mianmi.Text `json:"cashier"`
		Support mianmi.Text `json:"support"`
	} `json:"words"`
}

// WantedSetting is a version of a setting and when it was asked for.
type WantedSetting struct {
	Version int64     `json:"version"`
	Since   time.Time `json:"since"`
}

// SettingLife is a setting that a terminal has fetched, with the time of each
// state of its life; zero: not reached.
type SettingLife struct {
	Version       int64     `json:"version"`
	Hash          string    `json:"hash"`
	PinFree       bool      `json:"pin_free"`
	Tightened     int64     `json:"tightened"`
	DesiredAt     time.Time `json:"desired_at"`
	DeliveredAt   time.Time `json:"delivered_at"`
	SavedAt       time.Time `json:"saved_at"`
	RebootedAt    time.Time `json:"rebooted_at"`
	AttestedAt    time.Time `json:"attested_at"`
	RefusedAt     time.Time `json:"refused_at"`
	RefusedReason string    `json:"refused_reason"`
	SupersededAt  time.Time `json:"superseded_at"`
}

// Device is a machine and its programs, as it says.
type Device struct {
	Model    string `json:"model"`
	OS       string `json:"os"`
	Firmware string `json:"firmware"`
	App      string `json:"app"`
	Keypad   bool   `json:"keypad"`
	Battery  *int   `json:"battery"`
}

// Update is how a terminal stands with a program that is not simply running.
type Update struct {
	State   string `json:"state"` // trial, waiting, refused
	Version string `json:"version"`
	Reason  string `json:"reason"`
}

// Network is the verdict of a terminal's own link checks.
type Network struct {
	Kind   string `json:"kind"`
	DNS    bool   `json:"dns"`
	TLS    bool   `json:"tls"`
	Portal bool   `json:"portal"`
	RTTms  int64  `json:"rtt_ms"`
	LossPC int64  `json:"loss_pc"`
}

// MenuChange is a change that somebody made in a terminal's own menu.
type MenuChange struct {
	ID         string            `json:"id"`
	Version    int64             `json:"version"`
	PinFree    bool              `json:"pin_free"`
	Author     string            `json:"author"`
	BasedOn    int64             `json:"based_on"`
	At         time.Time         `json:"at"`
	ReceivedAt time.Time         `json:"received_at"`
	State      string            `json:"state"`
	Approval   mianmi.ApprovalID `json:"approval"`
}

// TerminalStatus shows what a terminal runs.
func (c *Client) TerminalStatus(ctx context.Context, id mianmi.TerminalID) (TerminalStatus, error) {
	return call[TerminalStatus](ctx, c, http.MethodGet, "/v1/terminals/"+seg(id)+"/status", nil)
}

// TerminalSettings lists the settings that a terminal has fetched, newest first.
func (c *Client) TerminalSettings(ctx context.Context, id mianmi.TerminalID, p Page) (List[SettingLife], error) {
	return call[List[SettingLife]](ctx, c, http.MethodGet, "/v1/terminals/"+seg(id)+"/settings"+p.query(), nil)
}

// InForce is what was in force at a terminal at an instant.
type InForce struct {
	At      time.Time    `json:"at"`
	InForce bool         `json:"in_force"`
	Version int64        `json:"version"`
	PinFree bool         `json:"pin_free"`
	From    time.Time    `json:"from"`
	Until   time.Time    `json:"until"`
	Boot    int64        `json:"boot"`
	Setting *SettingLife `json:"setting"`
}

// TerminalInForce shows what was in force at a terminal at an instant.
func (c *Client) TerminalInForce(ctx context.Context, id mianmi.TerminalID, at time.Time) (InForce, error) {
	q := url.Values{"at": {at.UTC().Format(time.RFC3339Nano)}}
	return call[InForce](ctx, c, http.MethodGet, "/v1/terminals/"+seg(id)+"/in-force?"+q.Encode(), nil)
}

// Check is a test that a terminal ran after a change.
type Check struct {
	ID         string           `json:"id"`
	Kind       string           `json:"kind"`
	Method     string           `json:"method"`
	Version    int64            `json:"version"`
	Payment    mianmi.PaymentID `json:"payment"`
	Claimed    bool             `json:"claimed"`
	Detail     string           `json:"detail"`
	Verdict    string           `json:"verdict"`
	Because    string           `json:"because"`
	At         time.Time        `json:"at"`
	ReceivedAt time.Time        `json:"received_at"`
}

// TerminalChecks lists the newest checks of a terminal.
func (c *Client) TerminalChecks(ctx context.Context, id mianmi.TerminalID) ([]Check, error) {
	l, err := call[List[Check]](ctx, c, http.MethodGet, "/v1/terminals/"+seg(id)+"/checks", nil)
	return l.Items, err
}

// RefusedReport is a report that was not taken.
type RefusedReport struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	Key    string    `json:"key"`
	Boot   int64     `json:"boot"`
	Number int64     `json:"number"`
	Digest string    `json:"digest"`
}

// RefusedReports lists the reports of a terminal that were not taken, newest first.
func (c *Client) RefusedReports(ctx context.Context, id mianmi.TerminalID, p Page) (List[RefusedReport], error) {
	return call[List[RefusedReport]](ctx, c, http.MethodGet, "/v1/terminals/"+seg(id)+"/refused-reports"+p.query(), nil)
}

// TerminalAlarm is something about a terminal that somebody has to look at.
type TerminalAlarm struct {
	ID       string            `json:"id"`
	Terminal mianmi.TerminalID `json:"terminal"`
	Kind     string            `json:"kind"`
	Detail   string            `json:"detail"`
	OpenedAt time.Time         `json:"opened_at"`
	ClosedAt time.Time         `json:"closed_at"`
}

// TerminalQuery narrows a list about terminals; all fields may be empty.
type TerminalQuery struct {
	Merchant mianmi.MerchantID
	Store    mianmi.StoreID
	Terminal mianmi.TerminalID
	Scope    Scope // of OFFs alone
	Open     bool  // what is open or watched alone
	Page
}

func (w TerminalQuery) query(open string) string {
	q := url.Values{}
	for name, v := range map[string]string{"merchant": string(w.Merchant), "store": string(w.Store), "terminal": string(w.Terminal), "scope": string(w.Scope),
		"after": w.After} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if w.Open {
		q.Set(open, "true")
	}
	if w.Limit > 0 {
		q.Set("limit", strconv.Itoa(w.Limit))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// TerminalAlarms lists alarms about terminals, newest first.
func (c *Client) TerminalAlarms(ctx context.Context, w TerminalQuery) (List[TerminalAlarm], error) {
	return call[List[TerminalAlarm]](ctx, c, http.MethodGet, "/v1/terminal-alarms"+w.query("open"), nil)
}

// SwitchOff is an OFF and how far the terminals in its scope are with it.
type SwitchOff struct {
	ID          string        `json:"id"`
	Scope       Scope         `json:"scope"`
	Stop        mianmi.StopID `json:"stop"`
	Actor       string        `json:"actor"`
	At          time.Time     `json:"at"`
	Until       time.Time     `json:"until"`
	Total       int           `json:"total"`
	InForce     int           `json:"in_force"`
	HostAlone   int           `json:"host_alone"`
	Outstanding int           `json:"outstanding"`
	Deadline    time.Time     `json:"deadline"`
	Late        bool          `json:"late"`
	EscalatedAt time.Time     `json:"escalated_at"`
	State       string        `json:"state"`
	ClosedAt    time.Time     `json:"closed_at"`
	Sentence    mianmi.Text   `json:"sentence"`
}

// SwitchOffs lists OFFs with their live counts, newest first.
func (c *Client) SwitchOffs(ctx context.Context, w TerminalQuery) (List[SwitchOff], error) {
	return call[List[SwitchOff]](ctx, c, http.MethodGet, "/v1/switch-offs"+w.query("watched"), nil)
}

// SwitchOff shows an OFF with its live count.
func (c *Client) SwitchOff(ctx context.Context, id string) (SwitchOff, error) {
	return call[SwitchOff](ctx, c, http.MethodGet, "/v1/switch-offs/"+seg(id), nil)
}

// OutstandingTerminal is a terminal that an OFF waits for.
type OutstandingTerminal struct {
	Terminal mianmi.TerminalID `json:"terminal"`
	Name     string            `json:"name"`
	Store    mianmi.StoreID    `json:"store"`
	Stage    string            `json:"stage"`
	Because  mianmi.Text       `json:"because"`
	Offline  bool              `json:"offline"`
	SeenAt   time.Time         `json:"seen_at"`
}

// Outstanding lists the terminals that an OFF waits for.
func (c *Client) Outstanding(ctx context.Context, id string, p Page) (List[OutstandingTerminal], error) {
	return call[List[OutstandingTerminal]](ctx, c, http.MethodGet, "/v1/switch-offs/"+seg(id)+"/outstanding"+p.query(), nil)
}
