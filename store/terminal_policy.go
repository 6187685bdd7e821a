package store

import (
	"context"
	"database/sql"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/terminal/posture"
)

const terminalPolicyColumns = `version, epoch, tightened, since, actor, terms`

func scanTerminalPolicy(scan scanner) (p posture.Policy, err error) {
	var since int64
	var terms string
	if err := scan(&p.Version, &p.Epoch, &p.Tightened, &since, &p.Actor, &terms); err != nil {
		return p, err
	}
	p.Since = fromMicros(since)
	// Terms that this program cannot read stay empty: posture.Ready then fails
	// every terminal, which an error here would do to every payment.
	if t, err := posture.Decode([]byte(terms)); err == nil {
		p.Terms = t
	}
	return p, nil
}

const (
	newestTerminalPolicy  = `SELECT ` + terminalPolicyColumns + ` FROM terminal_policy ORDER BY version DESC LIMIT 1`
	newerTerminalPolicies = `SELECT ` + terminalPolicyColumns + ` FROM terminal_policy WHERE epoch > $1 ORDER BY version`
	insertTerminalPolicy  = `INSERT INTO terminal_policy (version, epoch, tightened, since, actor, terms) VALUES ($1, $2, $3, $4, $5, $6)`
)

// TerminalPolicy implements merchant.Records.
func (db *DB) TerminalPolicy(ctx context.Context) (posture.Policy, error) {
	return readTerminalPolicy(ctx, db.read)
}

func readTerminalPolicy(ctx context.Context, q querier) (posture.Policy, error) {
	p, err := readOne(ctx, q, "policy on terminals", scanTerminalPolicy, newestTerminalPolicy)
	if err != nil && mianmi.KindOf(err) == mianmi.NotFound {
		return posture.Policy{Terms: posture.Shipped()}, nil
	}
	return p, err
}

func writeTerminalPolicy(ctx context.Context, tx *sql.Tx, epoch int64, o *merchant.Outcome) error {
	p := o.Terminals
	terms, err := p.Terms.Encode()
	if err != nil {
		return err
	}
	tightened := p.Tightened
	if o.Tightening {
		tightened = epoch
	}
	_, err = tx.ExecContext(ctx, insertTerminalPolicy, p.Version, epoch, tightened, micros(p.Since), p.Actor, string(terms))
	return wrapDriver("write the policy on terminals", err)
}
