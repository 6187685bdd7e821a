package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/support"
)

// withComplaints makes what keeps complaints.
func (s *services) withComplaints(a *app, db *store.DB, t *tuning) (err error) {
	p := support.Parts{Store: db, Payments: s.payments, Keys: s.keys, Clock: a.clock, Random: a.random, Log: a.log}
	if t.wechatPay != nil {
		p.Channels = append(p.Channels, wechatComplaints{t.wechatPay})
	}
	s.complaints, err = support.New(p)
	return err
}

// complaintWorkers say what is ordered about complaints, and read them at their
// channels where there are such.
func complaintWorkers(clock mianmi.Clock, s *services, t *tuning) []worker {
	say := worker{"answer complaints", time.Second, func(ctx context.Context) (bool, error) {
		n, err := s.complaints.Say(ctx)
		return n > 0, err
	}}
	if t.wechatPay == nil {
		return []worker{say}
	}
	return []worker{
		say,
		{"read complaints", 2 * time.Second, func(ctx context.Context) (bool, error) {
			n, err := s.complaints.Sync(ctx)
			return n > 0, err
		}},
		{"list complaints", 5 * time.Second, s.complaints.Sweep},
		{"be told of complaints", 2 * time.Second, (&complaintListener{channel: t.wechatPay, clock: clock}).listen},
	}
}

// complaintListener has WeChat Pay tell this installation, for the connections
// that say so: at the start, and whenever it has forgotten.
type complaintListener struct {
	channel *wechatpay.Channel
	clock   mianmi.Clock
	next    time.Time
}

func (l *complaintListener) listen(ctx context.Context) (bool, error) {
	if l.clock.Now().Before(l.next) {
		return false, nil
	}
	l.next = l.clock.Now().Add(time.Minute)
	var faults []error
	for _, name := range l.channel.Names() {
		if err := l.channel.ListenToComplaints(ctx, name); err != nil {
			faults = append(faults, fmt.Errorf("connection %s: %w", name, err))
		}
	}
	if len(faults) == 0 {
		l.next = l.clock.Now().Add(time.Hour)
	}
	return false, errors.Join(faults...)
}

// wechatComplaints is WeChat Pay as support asks it.
type wechatComplaints struct{ channel *wechatpay.Channel }

// Name is part of support.Channel, as all below are.
func (w wechatComplaints) Name() string { return w.channel.Name() }

func (w wechatComplaints) Accounts() []string { return w.channel.Names() }

func (w wechatComplaints) Merchants(account string) []mianmi.MerchantID {
	return w.channel.MerchantsOf(account)
}

func (w wechatComplaints) List(ctx context.Context, account string, v support.Window) ([]support.Seen, int64, error) {
	list, all, err := w.channel.Complaints(ctx, account, wechatpay.ComplaintList{From: v.From, To: v.To, Offset: v.Offset, Limit: v.Limit})
	out := make([]support.Seen, len(list))
	for i := range list {
		out[i] = seenAtWeChat(&list[i])
	}
	return out, all, err
}

// Read asks for the history after the complaint: so a message that comes between
// is in the history at least, and the next look finds what it changed.
func (w wechatComplaints) Read(ctx context.Context, account, number string) (support.Seen, error) {
	c, err := w.channel.Complaint(ctx, account, number)
	if err != nil {
		return support.Seen{}, err
	}
	seen := seenAtWeChat(&c)
	steps, err := w.channel.ComplaintHistory(ctx, account, number)
	for _, t := range steps {
		seen.Steps = append(seen.Steps, support.Step{Number: t.ID, At: t.At, By: partyAtWeChat(t.What), What: t.What, Text: t.Detail, Images: t.Images, Did: didAtWeChat[t.What]})
	}
	return seen, err
}

// Answer says it. After a signed success the client reads the complaint again;
// when that fails, so does this, and the history tells at the next try.
func (w wechatComplaints) Answer(ctx context.Context, account, number string, o support.Order) (err error) {
	switch o.Kind {
	case support.Reply:
		_, err = w.channel.RespondToComplaint(ctx, account, number, wechatpay.ComplaintAnswer{Text: o.Text})
	case support.Complete:
		_, err = w.channel.CompleteComplaint(ctx, account, number)
	case support.Approve, support.Promise:
		_, err = w.channel.DecideComplaintRefund(ctx, account, number, wechatpay.ComplaintRefund{Approve: true, Days: o.Days})
	case support.Refuse:
		_, err = w.channel.DecideComplaintRefund(ctx, account, number, wechatpay.ComplaintRefund{Reason: o.Text})
	case support.NoKind:
		err = mianmi.InvalidField("kind", "says nothing")
	}
	return err
}

// didAtWeChat are WeChat Pay's words for what merchants say.
var didAtWeChat = map[string]support.Kind{"MERCHANT_RESPONSE": support.Reply, "MERCHANT_CONFIRM_COMPLETE": support.Complete,
	"MERCHANT_APPROVE_REFUND": support.Approve, "MERCHANT_REFUSE_RERUND": support.Refuse} // sic

func (w wechatComplaints) Picture(ctx context.Context, account, id string) ([]byte, error) {
	return w.channel.ComplaintImage(ctx, account, id)
}

// seenAtWeChat leaves the payer's phone number where it is.
func seenAtWeChat(c *wechatpay.Complaint) support.Seen {
	s := support.Seen{Number: c.ID, At: c.At, Said: support.Said{Title: c.Problem, Text: c.Detail, Asked: c.Asked, Times: c.Times, Images: c.Images}}
	s.State = map[string]support.State{"PENDING": support.Pending, "PROCESSING": support.Processing, "PROCESSED": support.Processed}[c.State]
	s.Problem = map[string]support.Problem{"REFUND": support.WantsRefund, "SERVICE_NOT_WORK": support.NotWorking, "OTHERS": support.OtherProblem}[c.Type]
	for flag, set := range map[support.Flags]bool{support.Waiting: c.Waiting, support.Platform: c.WithPlatform, support.Immediate: c.Immediate,
		support.Refunded: c.Refunded, support.Trusted: slices.Contains(c.Tags, "TRUSTED"), support.HighRisk: slices.Contains(c.Tags, "HIGH_RISK")} {
		if set {
			s.Flags |= flag
		}
	}
	for _, o := range c.Orders {
		s.Payments = append(s.Payments, support.About{Payment: o.Payment, Transaction: o.Transaction, Amount: o.Amount})
	}
	return s
}

// partyAtWeChat tells from WeChat Pay's word who took a step.
func partyAtWeChat(what string) support.Party {
	switch {
	case strings.HasPrefix(what, "USER_"):
		return support.ByPayer
	case strings.HasPrefix(what, "MERCHANT_"):
		return support.ByMerchant
	}
	return support.ByPlatform
}
