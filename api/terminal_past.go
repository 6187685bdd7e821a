package api

import (
	"context"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal"
)

func (s *Server) registerTerminalPast() {
	sees := only(allStaff...).keys(mianmi.ScopeRead | mianmi.ScopeManage | mianmi.ScopePay | mianmi.ScopeTighten)
	add(s, route{method: "GET", path: "/v1/terminals/{terminal}/settings", name: "terminalSettings", tag: "terminals", may: sees,
		summary: "List the settings that a terminal has fetched", about: "Newest first, each with the time of every state of its life: desired, delivered, saved, rebooted, attested. Nothing is ever removed."}, s.terminalSettings)
	add(s, route{method: "GET", path: "/v1/terminals/{terminal}/in-force", name: "terminalInForce", tag: "terminals", may: sees,
		summary: "Show what was in force at a terminal at an instant", about: "By the proofs of that time: what the terminal had proved to run, and whether the proof held."}, s.terminalInForce)
	add(s, route{method: "GET", path: "/v1/terminals/{terminal}/checks", name: "terminalChecks", tag: "terminals", may: sees,
		summary: "List the checks that a terminal ran after changes", about: "Newest first: test payments, which the host looks up in its own books, one check for each other method, and what people at the terminal say is wrong (trouble)."}, s.terminalChecks)
	add(s, route{method: "GET", path: "/v1/terminals/{terminal}/refused-reports", name: "refusedReports", tag: "terminals", may: sees,
		summary: "List the reports of a terminal that were not taken", about: "Newest first, the last 200: repeated, older, unsigned, by a key that does not count."}, s.refusedReports)
	add(s, route{method: "GET", path: "/v1/terminal-alarms", name: "terminalAlarms", tag: "terminals", may: sees,
		summary: "List alarms about terminals", about: "Newest first; of a terminal, a store or a merchant. An alarm closes by itself when its cause is gone."}, s.terminalAlarms)
}

func (s *Server) terminalSettings(ctx context.Context, a mianmi.Actor, in *struct {
	TerminalInput
	PageInput
}) (*struct{ Body List[SettingLife] }, error) {
	var before int64
	if in.After != "" {
		var err error
		if before, err = strconv.ParseInt(in.After, 10, 64); err != nil || before < 1 {
			return nil, mianmi.InvalidField("after", "want next of the page before")
		}
	}
	list, err := s.Terminals.History(ctx, a, mianmi.TerminalID(in.Terminal), before, in.Limit)
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, func(x *terminal.Setting) SettingLife { return *showLife(x) },
		func(x *terminal.Setting) string { return strconv.FormatInt(x.Version, 10) }), nil
}

// InForce is what was in force at a terminal at an instant.
type InForce struct {
	At      time.Time    `json:"at"`
	InForce bool         `json:"in_force" doc:"A proof held at that instant"`
	Version int64        `json:"version" doc:"That the terminal had proved last; 0: none"`
	PinFree bool         `json:"pin_free" doc:"What that setting says"`
	From    *time.Time   `json:"from,omitzero" doc:"Since when the proof held"`
	Until   *time.Time   `json:"until,omitzero" doc:"When it ended, or ends without another report"`
	Boot    int64        `json:"boot,omitzero"`
	Setting *SettingLife `json:"setting,omitzero"`
}

func (s *Server) terminalInForce(ctx context.Context, a mianmi.Actor, in *struct {
	TerminalInput
	At time.Time `query:"at" required:"true" doc:"The instant"`
}) (*struct{ Body InForce }, error) {
	got, err := s.Terminals.InForceAt(ctx, a, mianmi.TerminalID(in.Terminal), in.At)
	if err != nil {
		return nil, err
	}
	out := InForce{At: in.At.UTC(), InForce: got.InForce, Setting: showLife(got.Setting)}
	if r := got.Run; r != nil {
		out.Version, out.PinFree, out.From, out.Until, out.Boot = r.Version, r.PinFree, timeOrNone(r.From), timeOrNone(r.Until), r.Boot
	}
	return &struct{ Body InForce }{out}, nil
}

// Check is a test that a terminal ran after a change.
type Check struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind" doc:"test_payment, method or trouble"`
	Method     string    `json:"method,omitzero" doc:"Of a trouble: what is wrong (not_me, no_pin_asked, wrong_amount, device, display, other)"`
	Version    int64     `json:"version" doc:"Of the setting that ran"`
	Payment    string    `json:"payment,omitzero"`
	Claimed    bool      `json:"claimed" doc:"Passed, as the terminal says"`
	Detail     string    `json:"detail,omitzero" doc:"As the terminal says"`
	Verdict    string    `json:"verdict" enum:"pending,proved,claimed,failed" doc:"proved: the host's own books say so; claimed: the terminal alone says so"`
	Because    string    `json:"because,omitzero"`
	At         time.Time `json:"at" doc:"By the terminal's clock"`
	ReceivedAt time.Time `json:"received_at"`
}

func (s *Server) terminalChecks(ctx context.Context, a mianmi.Actor, in *struct {
	TerminalInput
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body List[Check] }, error) {
	list, err := s.Terminals.Checks(ctx, a, mianmi.TerminalID(in.Terminal), in.Limit)
	if err != nil {
		return nil, err
	}
	out := List[Check]{Items: make([]Check, len(list))}
	for i := range list {
		c := &list[i]
		out.Items[i] = Check{ID: c.ID, Kind: c.Kind, Method: c.Method, Version: c.Version, Payment: string(c.Payment), Claimed: c.Claimed, Detail: c.Detail,
			Verdict: c.Verdict, Because: c.Because, At: c.At, ReceivedAt: c.Received}
	}
	return &struct{ Body List[Check] }{out}, nil
}

// RefusedReport is a report that was not taken.
type RefusedReport struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason" enum:"form,unknown_key,revoked_key,expired_key,signature,foreign,replayed,older,boot_id"`
	Key    string    `json:"key,omitzero" doc:"As the report says"`
	Boot   int64     `json:"boot,omitzero"`
	Number int64     `json:"number,omitzero"`
	Digest string    `json:"digest" doc:"SHA-256 of what came"`
}

func (s *Server) refusedReports(ctx context.Context, a mianmi.Actor, in *struct {
	TerminalInput
	PageInput
}) (*struct{ Body List[RefusedReport] }, error) {
	list, err := s.Terminals.Refusals(ctx, a, mianmi.TerminalID(in.Terminal), in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, func(r *terminal.Refusal) RefusedReport {
		return RefusedReport{ID: r.ID, At: r.At, Reason: r.Reason, Key: r.Key, Boot: r.Boot, Number: r.Number, Digest: r.Digest.String()}
	}, func(r *terminal.Refusal) string { return r.ID }), nil
}

// TerminalAlarm is something about a terminal that somebody has to look at.
type TerminalAlarm struct {
	ID       string     `json:"id"`
	Terminal string     `json:"terminal"`
	Kind     string     `json:"kind" enum:"drift,fell_back,setting_refused,unsafe,report_refused,check_failed,trouble,update_refused,overdue"`
	Detail   string     `json:"detail,omitzero"`
	OpenedAt time.Time  `json:"opened_at"`
	ClosedAt *time.Time `json:"closed_at,omitzero"`
}

func (s *Server) terminalAlarms(ctx context.Context, a mianmi.Actor, in *struct {
	Merchant string `query:"merchant" doc:"Of this merchant; mianmi's own people may leave it out"`
	Store    string `query:"store"`
	Terminal string `query:"terminal"`
	Open     bool   `query:"open" doc:"Only those that are open"`
	PageInput
}) (*struct{ Body List[TerminalAlarm] }, error) {
	list, err := s.Terminals.Alarms(ctx, a, terminal.AlarmQuery{Merchant: mianmi.MerchantID(in.Merchant), Store: mianmi.StoreID(in.Store),
		Terminal: mianmi.TerminalID(in.Terminal), Open: in.Open, Before: in.After, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, func(x *terminal.Alarm) TerminalAlarm {
		return TerminalAlarm{ID: x.ID, Terminal: string(x.Terminal), Kind: x.Kind, Detail: x.Detail, OpenedAt: x.OpenedAt, ClosedAt: timeOrNone(x.ClosedAt)}
	}, func(x *terminal.Alarm) string { return x.ID }), nil
}
