package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/wechat"
)

const (
	// contract.Contract.State at $1, of either table; storetest compares them.
	channelContractState = `CASE WHEN standing = 3 THEN 4
		WHEN standing = 2 THEN CASE WHEN revoked_at IS NULL THEN 2 ELSE 3 END
		WHEN until <= $1 AND (standing = 0 OR revoked_at IS NULL OR COALESCE(asked_at, 0) >= until) THEN 5
		WHEN revoked_at IS NULL THEN 1 ELSE 3 END`
	wechatContractState = `CASE WHEN ended_at IS NOT NULL THEN 4 WHEN signed_at IS NOT NULL THEN 2
		WHEN session_until <= $1 OR length(session) = 0 THEN 5 ELSE 1 END`
)

// families are kinds of contracts of the front.
var families = map[string]wechat.Family{"password_exempt": wechat.PasswordExempt, "papay": wechat.Papay}

// ListContracts implements contract.Store. Each table gives its own page, and of the
// two the newest are the page; a mark of one table has its place in the other, too: at
// the same microsecond those at channels come first.
func (db *DB) ListContracts(ctx context.Context, q contract.Query) ([]contract.Contract, error) {
	list, err := db.listChannelContracts(ctx, q)
	if err != nil {
		return nil, err
	}
	front, err := db.listFrontContracts(ctx, q)
	if err != nil {
		return nil, err
	}
	list = append(list, front...)
	slices.SortFunc(list, func(a, b contract.Contract) int {
		return cmp.Or(b.OpenedAt.Compare(a.OpenedAt), strings.Compare(string(b.ID), string(a.ID)))
	})
	return list[:min(len(list), q.Limit)], nil
}

// contractFilter is what of a query both tables share, as SQL: the state of a row,
// the columns of its time and its key.
func contractFilter(q *contract.Query, state, at, key string, before any) (where string, args []any) {
	args = []any{micros(q.Now), int64(q.State)}
	where = ` WHERE ($2 = 0 OR ` + state + ` = $2)`
	if q.Merchant != "" {
		args = append(args, string(q.Merchant))
		where += fmt.Sprintf(" AND merchant = $%d", len(args))
	}
	if q.Before.ID != "" {
		args = append(args, micros(q.Before.At), before)
		where += fmt.Sprintf(" AND (%s, %s) < ($%d, $%d)", at, key, len(args)-1, len(args))
	}
	return where, args
}

func (db *DB) listChannelContracts(ctx context.Context, q contract.Query) ([]contract.Contract, error) {
	before := string(q.Before.ID)
	if contract.OfFront(q.Before.ID) {
		before = ""
	}
	where, args := contractFilter(&q, channelContractState, "opened_at", "id", before)
	args = append(args, q.Kind, q.Limit)
	return readAll(ctx, db.read, scanChannelContract, `SELECT `+channelContractColumns+` FROM channel_contract`+where+
		fmt.Sprintf(` AND ($%d = '' OR kind = $%[1]d) ORDER BY opened_at DESC, id DESC LIMIT $%d`, len(args)-1, len(args)), args...)
}

func (db *DB) listFrontContracts(ctx context.Context, q contract.Query) ([]contract.Contract, error) {
	family := families[q.Kind]
	if q.Kind != "" && family == 0 {
		return nil, nil
	}
	before := bytes.Repeat([]byte{0xff}, len(wechat.ContractKey{})+1) // above every key
	if key, ok := wechat.ParseContractID(string(q.Before.ID)); ok {
		before = key[:]
	}
	where, args := contractFilter(&q, wechatContractState, "created_at", "key", before)
	args = append(args, int64(family), q.Limit)
	list, err := readAll(ctx, db.read, scanContract, `SELECT `+contractColumns+` FROM wechat_contract`+where+
		fmt.Sprintf(` AND ($%d = 0 OR family = $%[1]d) ORDER BY created_at DESC, key DESC LIMIT $%d`, len(args)-1, len(args)), args...)
	out := make([]contract.Contract, len(list))
	for i := range list {
		out[i] = frontContract(&list[i])
	}
	return out, err
}

// frontContract is a contract of the front as one of all. Who closed the agreement is
// who closed it here.
func frontContract(k *wechat.Contract) contract.Contract {
	c := contract.Contract{ID: mianmi.ContractID(k.Key().ID()), Payer: k.Payer, Merchant: k.Merchant, Agreement: k.Agreement, Channel: contract.Front,
		Service: k.Service, Standing: channel.ContractUnsigned, Number: k.Code, OpenedAt: k.CreatedAt, Until: k.SessionUntil, SignedAt: k.SignedAt,
		RevokedAt: k.EndedAt, RevokedBy: k.EndedBy, EndedAt: k.EndedAt}
	for kind, f := range families {
		if f == k.Family {
			c.Kind = kind
		}
	}
	switch {
	case !k.EndedAt.IsZero():
		c.Standing = channel.ContractEnded
	case !k.SignedAt.IsZero():
		c.Standing = channel.ContractSigned
	case len(k.Session) == 0: // the payer refused: the page is over
		c.Until = k.CreatedAt
	}
	return c
}

// FrontContract implements contract.Store.
func (db *DB) FrontContract(ctx context.Context, id mianmi.ContractID) (contract.Contract, error) {
	key, ok := wechat.ParseContractID(string(id))
	if !ok {
		return contract.Contract{}, mianmi.Missing("contract")
	}
	k, err := db.WechatContract(ctx, key)
	if err != nil {
		return contract.Contract{}, err
	}
	return frontContract(&k), nil
}

// EndFrontContract implements contract.Store.
func (db *DB) EndFrontContract(ctx context.Context, id mianmi.ContractID, fn func(*payer.Change, *payer.Agreement) error) error {
	key, ok := wechat.ParseContractID(string(id))
	if !ok {
		return mianmi.Missing("contract")
	}
	k, err := db.WechatContract(ctx, key)
	if err != nil {
		return err
	}
	return db.ChangeContract(ctx, key, k.Payer, func(x *wechat.ContractChange) error {
		if !x.StandsOn(x.Agreement) { // it has ended, and the agreement is perhaps open again for something else
			return nil
		}
		return fn(x.Payer, x.Agreement)
	})
}
