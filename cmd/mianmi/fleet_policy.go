package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/terminal/posture"
)

type fleetPolicyCmd struct {
	asStaff
	Set     string `type:"existingfile" placeholder:"FILE" xor:"do" help:"Set the policy of this JSON file, written as this command prints it." zh:"按 JSON 文件设置策略，格式与本命令的输出相同。"`
	Approve string `placeholder:"APPROVAL" xor:"do" help:"Approve a policy that another person proposed (ap…)." zh:"复核通过他人提出的策略（ap…）。"`
	Reject  string `placeholder:"APPROVAL" xor:"do" help:"Reject a policy that another person proposed (ap…)." zh:"驳回他人提出的策略（ap…）。"`
}

// Run prints the policy on terminals as JSON, or changes it.
func (c *fleetPolicyCmd) Run(ctx context.Context, a *app) error {
	return a.onFleet(ctx, &c.asStaff, func(ctx context.Context, w *fleetWork) error {
		s := merchant.New(w.db, a.clock, a.random)
		switch {
		case c.Set != "":
			return c.set(ctx, w, s)
		case c.Approve+c.Reject != "" && c.Login == "":
			return mianmi.InvalidField("login", "a second person is a person: name yours")
		case c.Approve != "":
			return w.decide(ctx, s, c.Approve, s.Approve)
		case c.Reject != "":
			return w.decide(ctx, s, c.Reject, s.Reject)
		}
		p, err := s.TerminalPolicy(ctx, w.actor)
		if err != nil {
			return err
		}
		text, err := p.Terms.Encode()
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := json.Indent(&b, text, "", "  "); err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.stdout, b.String())
		return err
	})
}

// policyFileMax is far above what a policy may say.
const policyFileMax = 1 << 20

func (c *fleetPolicyCmd) set(ctx context.Context, w *fleetWork, s *merchant.Service) (err error) {
	f, err := os.Open(c.Set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(io.LimitReader(f, policyFileMax))
	if err != nil {
		return err
	}
	terms, err := posture.Decode(text)
	if err != nil {
		return mianmi.InvalidField("file", err.Error())
	}
	r, err := s.SetTerminalPolicy(ctx, w.actor, merchant.TerminalsOrder{Terms: terms})
	switch {
	case c.Login == "" && mianmi.KindOf(err) == mianmi.Denied:
		return mianmi.InvalidField("login", "only a person can propose a looser policy")
	case err != nil:
		return err
	case r.Proposal != nil:
		return w.print(say("已申请，待另一人复核：\n  mianmi fleet policy --approve %s\n", "Proposed; another person has to approve it:\n  mianmi fleet policy --approve %s\n", r.Proposal.ID))
	case r.Change == merchant.Same:
		return w.print(mianmi.Text{ZH: "与现行策略相同，没有改动。\n", EN: "That is the policy in force; nothing changed.\n"})
	}
	return w.print(say("第 %d 版终端策略已生效。\n", "The policy on terminals is in force as version %d.\n", r.Policy.Version))
}

// decide ends a proposal of this kind alone: others are approved where they
// are shown.
func (w *fleetWork) decide(ctx context.Context, s *merchant.Service, id string, how func(context.Context, mianmi.Actor, mianmi.ApprovalID) (merchant.Approval, error)) error {
	a, err := s.Approval(ctx, w.actor, mianmi.ApprovalID(id))
	if err != nil {
		return err
	}
	if a.Proposal.Terminals == nil {
		return mianmi.InvalidField("approval", "is about something else than the policy on terminals")
	}
	if a, err = how(ctx, w.actor, a.ID); err != nil {
		return err
	}
	if a.State == merchant.Approved {
		return w.print(say("已通过，策略生效。\n", "Approved; it is in force.\n"))
	}
	return w.print(say("已驳回。\n", "Rejected.\n"))
}
