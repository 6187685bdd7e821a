package main

import (
	"context"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/contract"
)

// contractCmd looks after PIN-free contracts on the database itself, while servers
// run: they ask the payment systems.
type contractCmd struct {
	List contractListCmd `cmd:"" help:"List PIN-free contracts, at payment systems and signed here (front), newest first." zh:"列出免密协议：在支付渠道签的和在本系统签的（front），最新的在前。"`
	Show contractShowCmd `cmd:"" help:"Show a contract: its agreement, how it stands, who closed it." zh:"显示一份协议：所依据的签约、状态、由谁关闭。"`
	End  contractEndCmd  `cmd:"" help:"End a contract. The payment system is asked until it confirms, and the agreement stays; of one that was signed here the agreement is closed." zh:"解约。向支付渠道请求解约直到确认，签约不变；在本系统签的协议，则关闭其签约。"`
}

// onContracts opens what keeps contracts, finds out who does it, and runs fn.
func (a *app) onContracts(ctx context.Context, who *asStaff, fn func(context.Context, *fleetWork, *contract.Service) error) error {
	return a.onFleet(ctx, who, func(ctx context.Context, w *fleetWork) error {
		all, err := a.closer(ctx, w.db, w.actor)
		if err != nil {
			return err
		}
		return fn(ctx, w, contract.New(contract.Parts{Store: w.db, Payers: all.payers, Clock: a.clock, Random: a.random, Log: a.log}, 0))
	})
}

type contractListCmd struct {
	asStaff
	Merchant string `placeholder:"MERCHANT" help:"Those of this merchant (mc…) alone." zh:"仅列出该商户（mc…）的。"`
	State    string `placeholder:"STATE" enum:"signing,signed,ending,ended,lapsed," default:"" help:"Those alone that are signing, signed, ending, ended or lapsed; ending: closed here, and not yet confirmed by the payment system." zh:"仅列出该状态的：signing（待签）、signed（已签）、ending（已关闭，渠道尚未确认）、ended（已解约）、lapsed（未签成）。"`
	Kind     string `placeholder:"KIND" enum:"password_exempt,papay,payscore," default:"" help:"Those of this kind alone: password_exempt, papay or payscore." zh:"仅列出该类的：password_exempt（免密支付）、papay（委托代扣）、payscore（支付分免确认）。"`
	Before   string `placeholder:"MARK" help:"Go on after a page: what it printed last." zh:"从上一页之后继续，值为上一页末尾所示。"`
}

// Run prints a page of contracts, each on a line.
func (c *contractListCmd) Run(ctx context.Context, a *app) error {
	q := contract.Query{Merchant: mianmi.MerchantID(c.Merchant), Kind: c.Kind, Limit: fleetPageMax}
	q.State, _ = contract.ParseState(c.State)
	if c.Before != "" {
		var ok bool
		if q.Before, ok = contract.ParseMark(c.Before); !ok {
			return mianmi.InvalidField("before", "want what a page printed last")
		}
	}
	return a.onContracts(ctx, &c.asStaff, func(ctx context.Context, w *fleetWork, s *contract.Service) error {
		list, err := s.List(ctx, w.actor, q)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return w.print(mianmi.Text{ZH: "没有这样的协议。\n", EN: "There is no such contract.\n"})
		}
		for i := range list {
			k := &list[i]
			_, err := fmt.Fprintf(a.stdout, "%s  %s  %s  %s  %s\n", k.ID, k.Merchant, k.Kind, moment(k.OpenedAt), k.Words(s.Now()).In(a.lang))
			if err != nil {
				return err
			}
		}
		if len(list) < fleetPageMax {
			return nil
		}
		return w.print(say("下一页：--before %s\n", "Next page: --before %s\n", list[len(list)-1].Mark()))
	})
}

type contractShowCmd struct {
	asStaff
	Contract string `arg:"" placeholder:"CONTRACT" help:"The contract: cc…, or contract_id of one that was signed here." zh:"协议标识：cc…，或在本系统所签协议的 contract_id。"`
}

// Run prints all that is known of a contract.
func (c *contractShowCmd) Run(ctx context.Context, a *app) error {
	return a.onContracts(ctx, &c.asStaff, func(ctx context.Context, w *fleetWork, s *contract.Service) error {
		k, err := s.Show(ctx, w.actor, mianmi.ContractID(c.Contract))
		if err != nil {
			return err
		}
		return w.printContract(&k, s.Now())
	})
}

func (w *fleetWork) printContract(k *contract.Contract, now time.Time) error {
	for _, line := range []struct{ zh, en, value string }{
		{"状态", "state", k.State(now).String() + "  " + k.Words(now).In(w.app.lang)},
		{"商户", "merchant", string(k.Merchant)}, {"付款人", "payer", string(k.Payer)}, {"签约", "agreement", string(k.Agreement)},
		{"渠道", "channel", k.Channel}, {"类别", "kind", k.Kind}, {"服务 ID", "service", k.Service}, {"渠道编号", "number", k.Number},
		{"发起", "opened", moment(k.OpenedAt)}, {"签署", "signed", moment(k.SignedAt)},
		{"关闭", "closed", moment(k.RevokedAt) + "  " + k.RevokedBy}, {"解约", "ended", moment(k.EndedAt) + "  " + k.EndedBy},
	} {
		if line.value == "" {
			continue
		}
		if err := w.print(mianmi.Text{ZH: pad(line.zh, 10) + line.value + "\n", EN: pad(line.en, 11) + line.value + "\n"}); err != nil {
			return err
		}
	}
	return nil
}

type contractEndCmd struct {
	asStaff
	Contract string `arg:"" placeholder:"CONTRACT" help:"The contract, as in mianmi contract list." zh:"协议标识，见 mianmi contract list。"`
}

// Run ends a contract and prints how it stands then.
func (c *contractEndCmd) Run(ctx context.Context, a *app) error {
	return a.onContracts(ctx, &c.asStaff, func(ctx context.Context, w *fleetWork, s *contract.Service) error {
		k, err := s.End(ctx, w.actor, mianmi.ContractID(c.Contract))
		if err != nil {
			return err
		}
		return w.printContract(&k, s.Now())
	})
}
