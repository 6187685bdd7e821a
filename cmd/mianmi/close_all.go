package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/store"
)

type closeAllCmd struct {
	Sessions bool `help:"Also end every session and void every payment code: in a copy of the database those are live that were ended since." zh:"同时结束全部会话并作废全部付款码：在数据库副本中，此后结束的会话仍然有效。"`

	Yes bool `help:"Do it. Everybody has to open PIN-free payment again: two persons for everything and for each merchant, each payer for the own account." zh:"确认执行。之后须重新开启：全局和各商户由两人复核，付款人各自重新开通。"`
}

// Run closes PIN-free payment everywhere: for everything at once, and then every
// policy, payer's switch and agreement by itself, so that opening everything
// again brings none of them back. It may be run while servers run, and again
// when it was cut off.
func (c *closeAllCmd) Run(ctx context.Context, a *app) (err error) {
	if !c.Yes {
		return mianmi.InvalidField("yes", "this closes PIN-free payment for everybody; say --yes")
	}
	db, err := a.database(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	all, err := a.closer(ctx, db, commandLine)
	if err != nil {
		return err
	}
	if err := all.everything(ctx); err != nil {
		return err
	}
	if err := all.switches(ctx); err != nil {
		return err
	}
	if c.Sessions {
		if err := db.EndEverySession(ctx); err != nil {
			return err
		}
	}
	text := say("免密已全部关闭：策略 %d 项，付款人 %d 位，签约 %d 项（此前已关闭的不计）\n",
		"PIN-free payment is closed everywhere: %d policies, %d payers, %d agreements, besides those that were closed before\n", all.scopes, all.closed.payers, all.agreements)
	_, err = fmt.Fprint(a.stdout, text.In(a.lang))
	return err
}

// closer closes what is open, in bounded transactions.
type closer struct {
	db        *store.DB
	actor     mianmi.Actor
	payers    *payer.Service
	merchants *merchant.Service
	closed
}

// closed is how much a closer has closed.
type closed struct{ scopes, payers, agreements int64 }

func (a *app) closer(ctx context.Context, db *store.DB, actor mianmi.Actor) (*closer, error) {
	who, err := a.access(ctx, db)
	if err != nil {
		return nil, err
	}
	payers, err := payer.New(payer.Parts{Store: db, Access: who, Keys: who.Keys, Hasher: who.Hasher, Clock: a.clock, Random: a.random,
		FailuresMax: func(context.Context) (int64, error) { return 0, nil }}, payer.Config{})
	return &closer{db: db, actor: actor, payers: payers, merchants: merchant.New(db, a.clock, a.random)}, err
}

// everything closes PIN-free payment for all payments at once. Opening it again
// takes two persons.
func (c *closer) everything(ctx context.Context) error { return c.scope(ctx, merchant.Everything()) }

func (c *closer) scope(ctx context.Context, s merchant.Scope) error {
	res, err := c.merchants.Close(ctx, c.actor, s)
	if err == nil && res.Change != merchant.Same {
		c.closed.scopes++
	}
	return err
}

func (c *closer) payerOff(ctx context.Context, id mianmi.PayerID) error {
	before, err := c.db.Payer(ctx, id)
	if err != nil {
		return err
	}
	after, err := c.payers.Close(ctx, c.actor, id, payer.Basis{})
	if err == nil && after.Version != before.Version {
		c.closed.payers++
	}
	return err
}

func (c *closer) agreement(ctx context.Context, p mianmi.PayerID, id mianmi.AgreementID) error {
	g, err := c.payers.CloseAgreement(ctx, c.actor, p, id)
	if err == nil && !g.Open {
		c.closed.agreements++
	}
	return err
}

// closePage is how much is listed at once.
const closePage = 200

// switches closes every policy, payer's switch and agreement that is open. It
// may be run again when it was cut off.
func (c *closer) switches(ctx context.Context) error {
	if err := pages(func(after merchant.Scope) ([]merchant.Scope, error) { return c.db.OpenScopes(ctx, after, closePage) },
		func(s merchant.Scope) error { return c.scope(ctx, s) }); err != nil {
		return err
	}
	if err := pages(func(after mianmi.PayerID) ([]mianmi.PayerID, error) { return c.db.OpenPayers(ctx, after, closePage) },
		func(id mianmi.PayerID) error { return c.payerOff(ctx, id) }); err != nil {
		return err
	}
	return pages(func(after payer.Agreement) ([]payer.Agreement, error) {
		return c.db.OpenAgreements(ctx, after, closePage)
	},
		func(g payer.Agreement) error { return c.agreement(ctx, g.Payer, g.ID) })
}

// pages does something to each element of a list that is read a page at a time.
func pages[T any](list func(after T) ([]T, error), do func(T) error) error {
	var after T
	for {
		page, err := list(after)
		if err != nil {
			return err
		}
		for _, v := range page {
			if err := do(v); err != nil && !errors.Is(err, mianmi.NotFound) {
				return err
			}
			after = v
		}
		if len(page) < closePage {
			return nil
		}
	}
}
