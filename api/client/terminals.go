package client

import (
	"context"
	"net/http"
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
