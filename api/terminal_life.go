package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

func (s *Server) registerTerminalLife() {
	manages := only(mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin, mianmi.RoleOperator).keys(mianmi.ScopeManage)
	sees := only(allStaff...).keys(mianmi.ScopeRead | mianmi.ScopeManage | mianmi.ScopePay | mianmi.ScopeTighten)
	revokes := only(mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin, mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator).keys(mianmi.ScopeManage | mianmi.ScopeTighten)
	add(s, route{method: "POST", path: "/v1/terminals/{terminal}/enrolment-code", name: "issueEnrolmentCode", tag: "terminals", status: 201, may: manages,
		summary: "Make a code that enrols a terminal", about: "Shown once, lives a quarter of an hour, works once. A code that the terminal had before is worth nothing any more. " +
			"The machine that is enrolled with it takes the place of the one before, and has everything to prove anew."}, s.issueEnrolmentCode)
	add(s, route{method: "POST", path: "/v1/terminals/{terminal}/revoke", name: "revokeTerminal", tag: "terminals", may: revokes,
		summary: "Take a terminal's certificates back", about: "For a machine that was stolen or lost. Its connections end, nothing that it says counts any more, and no payment there passes without a PIN; of a model that proves nothing, close PIN-free as well. " +
			"It has to be enrolled anew."}, s.revokeTerminal)
	add(s, route{method: "GET", path: "/v1/terminals/{terminal}/status", name: "terminalStatus", tag: "terminals", may: sees,
		summary: "Show what a terminal runs", about: "What it is to run, what it has proved, and why PIN-free is not open there, as far as that depends on the terminal. In force means proved by its signed report, nothing less."}, s.terminalStatus)
}

// EnrolmentCode is a code as it is shown, once.
type EnrolmentCode struct {
	Code      string    `json:"code" doc:"To be typed into the terminal" example:"mm1-…"`
	Host      string    `json:"host,omitzero" doc:"Where terminals find this server, when that is known here"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (s *Server) issueEnrolmentCode(ctx context.Context, a mianmi.Actor, in *TerminalInput) (*struct{ Body EnrolmentCode }, error) {
	c, err := s.Enrol.Issue(ctx, a, mianmi.TerminalID(in.Terminal))
	if err != nil {
		return nil, err
	}
	code := protocol.EnrolCode{Secret: c.Secret, CA: s.CA}
	return &struct{ Body EnrolmentCode }{EnrolmentCode{Code: code.String(), Host: s.cfg.TerminalHost, ExpiresAt: c.ExpiresAt}}, nil
}

func (s *Server) revokeTerminal(ctx context.Context, a mianmi.Actor, in *TerminalInput) (*struct{ Body TerminalStatus }, error) {
	if err := s.Terminals.Revoke(ctx, a, mianmi.TerminalID(in.Terminal)); err != nil {
		return nil, err
	}
	return s.terminalStatus(ctx, a, in)
}

// TerminalStatus is where a terminal's setting stands.
type TerminalStatus struct {
	Terminal  string         `json:"terminal"`
	Proof     string         `json:"proof" enum:"attestation,host"`
	Enrolled  bool           `json:"enrolled" doc:"A machine with a valid certificate stands there"`
	Stage     string         `json:"stage" enum:"not_enrolled,revoked,drifted,refused,fell_back,wanted,delivered,saved,rebooted,attested,host_alone" doc:"How far it is with the newest tightening"`
	InForce   bool           `json:"in_force" doc:"It has proved to run the newest tightening or something newer, and the proof holds now"`
	Believed  bool           `json:"believed" doc:"PIN-free is open there as far as it depends on the terminal"`
	Sentence  Text           `json:"sentence"`
	Doubts    []Doubt        `json:"doubts" doc:"Why it is not believed"`
	Wanted    WantedSetting  `json:"wanted" doc:"What it is to run"`
	Tightened *WantedSetting `json:"tightened,omitzero" doc:"The newest tightening that concerns it"`
	Newest    *SettingLife   `json:"newest,omitzero" doc:"The life of what it is to run; left out before it has fetched it"`
	Running   *SettingLife   `json:"running,omitzero" doc:"The life of what it has proved to run"`

	Attested   int64      `json:"attested" doc:"Version that it has proved to run; 0: none"`
	LeaseUntil *time.Time `json:"lease_until,omitzero" doc:"How long the proof holds without another report"`
	ReportedAt *time.Time `json:"reported_at,omitzero"`
	SeenAt     *time.Time `json:"seen_at,omitzero" doc:"Last sign of life"`
	Offline    bool       `json:"offline" doc:"No sign of life for longer than a proof holds"`
	RevokedAt  *time.Time `json:"revoked_at,omitzero"`
	Boot       int64      `json:"boot" doc:"Boots that it has counted"`
	PinFree    bool       `json:"pin_free" doc:"Whether it takes PIN-free payments, as it says itself"`
	Drift      string     `json:"drift,omitzero" enum:"unknown_setting,looser,no_reboot" doc:"What it runs that nobody asked for"`
	DriftSince *time.Time `json:"drift_since,omitzero"`
	Unsafe     []string   `json:"unsafe" doc:"Rules on terminals that its last report failed"`
	Alarms     []string   `json:"alarms" doc:"Kinds that are open"`

	Device  Device       `json:"device" doc:"As its newest report says"`
	Network Network      `json:"network" doc:"As its newest report says"`
	Update  *Update      `json:"update,omitzero" doc:"A program that is not simply running, as its newest report says"`
	Menu    []MenuChange `json:"menu" doc:"Changes made in its own menu, newest first; at most 10"`
}

// Doubt is a reason not to believe a terminal.
type Doubt struct {
	Code  int        `json:"code" doc:"Number of the reason, as in payments"`
	Name  string     `json:"name"`
	Rule  string     `json:"rule,omitzero" doc:"Of the policy on terminals"`
	At    *time.Time `json:"at,omitzero" doc:"That the reason speaks of"`
	Words Words      `json:"words"`
}

// WantedSetting is a version of a setting and when it was asked for.
type WantedSetting struct {
	Version int64      `json:"version"`
	Since   *time.Time `json:"since,omitzero"`
}

// SettingLife is a setting that a terminal has fetched, with the time of each
// state of its life.
type SettingLife struct {
	Version       int64      `json:"version"`
	Hash          string     `json:"hash"`
	PinFree       bool       `json:"pin_free" doc:"What it says, emergency stops apart"`
	Tightened     int64      `json:"tightened,omitzero" doc:"The newest tightening that it holds"`
	DesiredAt     *time.Time `json:"desired_at,omitzero"`
	DeliveredAt   *time.Time `json:"delivered_at,omitzero"`
	SavedAt       *time.Time `json:"saved_at,omitzero"`
	RebootedAt    *time.Time `json:"rebooted_at,omitzero"`
	AttestedAt    *time.Time `json:"attested_at,omitzero"`
	RefusedAt     *time.Time `json:"refused_at,omitzero"`
	RefusedReason string     `json:"refused_reason,omitzero"`
	SupersededAt  *time.Time `json:"superseded_at,omitzero" doc:"When a newer one was proved"`
}

// Device is a machine and its programs.
type Device struct {
	Model    string `json:"model,omitzero"`
	OS       string `json:"os,omitzero"`
	Firmware string `json:"firmware,omitzero"`
	App      string `json:"app,omitzero"`
	Keypad   bool   `json:"keypad"`
	Battery  *int   `json:"battery,omitzero" doc:"Percent"`
}

// Network is the verdict of a terminal's own link checks.
type Network struct {
	Kind   string `json:"kind,omitzero"`
	DNS    bool   `json:"dns"`
	TLS    bool   `json:"tls"`
	Portal bool   `json:"portal"`
	RTTms  int64  `json:"rtt_ms"`
	LossPC int64  `json:"loss_pc"`
}

// Update is how a terminal stands with a program.
type Update struct {
	State   string `json:"state" doc:"trial: runs, and is not confirmed yet; waiting: for the restart; refused: is not taken, for the reason" example:"waiting"`
	Version string `json:"version"`
	Reason  string `json:"reason,omitzero" example:"not_attested"`
}

// MenuChange is a change that somebody made in a terminal's own menu.
type MenuChange struct {
	ID         string    `json:"id"`
	Version    int64     `json:"version" doc:"Of the terminal's local setting"`
	PinFree    bool      `json:"pin_free"`
	Author     string    `json:"author" doc:"Who was signed in at the menu"`
	BasedOn    int64     `json:"based_on" doc:"Version of the setting that was running"`
	At         time.Time `json:"at" doc:"By the terminal's clock"`
	ReceivedAt time.Time `json:"received_at"`
	State      string    `json:"state" enum:"new,in_force,waiting,rejected,lapsed" doc:"waiting: for a second person"`
	Approval   string    `json:"approval,omitzero" doc:"The proposal that it became"`
}

func (s *Server) terminalStatus(ctx context.Context, a mianmi.Actor, in *TerminalInput) (*struct{ Body TerminalStatus }, error) {
	st, err := s.Terminals.Status(ctx, a, mianmi.TerminalID(in.Terminal))
	if err != nil {
		return nil, err
	}
	return &struct{ Body TerminalStatus }{showTerminalStatus(&st)}, nil
}

func showTerminalStatus(st *terminal.Status) TerminalStatus {
	p, said := &st.State.Proven, &st.State.Said
	out := TerminalStatus{Terminal: string(st.Terminal), Proof: st.Model.Proof.String(), Enrolled: st.Enrolled, Stage: st.Stage.String(),
		InForce: st.InForce, Believed: len(st.Doubts) == 0, Sentence: statusSentence(st), Doubts: []Doubt{},
		Wanted: WantedSetting{Version: st.Version, Since: timeOrNone(st.Desired)}, Newest: showLife(st.Newest), Running: showLife(st.Running),
		Attested: p.Attested, LeaseUntil: timeOrNone(p.LeaseUntil), ReportedAt: timeOrNone(st.State.ReportedAt), SeenAt: timeOrNone(st.State.SeenAt),
		Offline: st.Offline, RevokedAt: timeOrNone(p.RevokedAt), Boot: st.State.Boot, PinFree: p.PinFree, Drift: p.Drift, DriftSince: timeOrNone(p.DriftSince),
		Unsafe: texts(p.Posture), Alarms: texts(st.State.Alarms),
		Device: Device{Model: said.Device.Model, OS: said.Device.OS, Firmware: said.Device.Firmware, App: said.Device.App, Keypad: said.Device.Keypad,
			Battery: said.Device.Battery},
		Network: Network(said.Network), Menu: []MenuChange{}}
	if u := said.Update; u != nil {
		out.Update = &Update{State: u.State, Version: u.Version, Reason: u.Reason}
	}
	if st.Need.Tightened > 0 {
		out.Tightened = &WantedSetting{Version: st.Need.Tightened, Since: timeOrNone(st.Need.TightenedAt)}
	}
	for i, d := range st.Doubts {
		out.Doubts = append(out.Doubts, showDoubt(&d, &st.Words[i]))
	}
	for i := range st.Menu {
		out.Menu = append(out.Menu, showMenu(&st.Menu[i]))
	}
	return out
}

func showDoubt(d *terminal.Doubt, w *terminal.Words) Doubt {
	return Doubt{Code: int(d.Reason), Name: d.Reason.String(), Rule: d.Rule, At: timeOrNone(d.At),
		Words: Words{Payer: Text(w.Payer), Cashier: Text(w.Cashier), Support: Text(w.Support)}}
}

// statusSentence is one line for whoever runs the shop.
func statusSentence(st *terminal.Status) Text {
	words := st.Stage.Words()
	t := Text{ZH: "设置" + words.ZH, EN: "The setting is " + words.EN}
	switch {
	case st.Stage == terminal.StageHostAlone:
		return Text(words)
	case !st.Stage.Done():
		t = Text{ZH: "设置尚未生效：" + words.ZH, EN: "Not yet in force: " + words.EN}
	case len(st.Words) > 0:
		// That it is closed is no doubt about the setting: an OFF is to be so.
		i := slices.IndexFunc(st.Doubts, func(d terminal.Doubt) bool { return d.Reason != pinfree.TerminalClosedItself })
		if i < 0 {
			t = Text{ZH: "设置已生效，本终端不做免密支付", EN: "In force: this terminal takes no PIN-free payment"}
			break
		}
		w := st.Words[i].Support
		t = Text{ZH: "设置已生效；" + strings.TrimSuffix(w.ZH, "。"), EN: "In force. " + w.EN}
	}
	if st.Offline && st.Enrolled {
		at := payer.Local(st.State.SeenAt)
		t.ZH += "；" + at.Format("1 月 2 日 15:04") + " 起离线"
		t.EN += "; offline since " + at.Format("15:04 on 2 January")
	}
	return Text{ZH: t.ZH + "。", EN: strings.TrimSuffix(t.EN, ".") + "."}
}

func showLife(s *terminal.Setting) *SettingLife {
	if s == nil {
		return nil
	}
	return &SettingLife{Version: s.Version, Hash: s.Hash.String(), PinFree: s.PinFree, Tightened: s.Tightened, DesiredAt: timeOrNone(s.Desired),
		DeliveredAt: timeOrNone(s.Delivered), SavedAt: timeOrNone(s.Saved), RebootedAt: timeOrNone(s.Rebooted), AttestedAt: timeOrNone(s.Attested),
		RefusedAt: timeOrNone(s.Refused), RefusedReason: s.RefusedReason, SupersededAt: timeOrNone(s.Superseded)}
}

func showMenu(c *terminal.MenuChange) MenuChange {
	return MenuChange{ID: c.ID, Version: c.Version, PinFree: c.PinFree, Author: c.Author, BasedOn: c.BasedOn, At: c.At, ReceivedAt: c.Received,
		State: c.State, Approval: string(c.Approval)}
}

// texts is a list that is never null.
func texts(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
