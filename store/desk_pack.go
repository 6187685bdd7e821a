package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support/desk"
)

const (
	insertPack  = `INSERT INTO support_pack (case_id, n, content, digest, size, stamp, actor, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	selectPacks = `SELECT n, content, digest, size, stamp, actor, at FROM support_pack WHERE case_id = $1 ORDER BY n LIMIT $2`
)

func writePacks(ctx context.Context, tx *sql.Tx, c mianmi.CaseID, packs []desk.Pack) error {
	for _, p := range packs {
		stamp, err := json.Marshal(p.Stamp)
		if err != nil {
			return fmt.Errorf("encode a checkpoint: %w", err)
		}
		if _, err := tx.ExecContext(ctx, insertPack, string(c), p.N, p.Content, p.Digest, p.Size, string(stamp), p.Actor, micros(p.At)); err != nil {
			return wrapDriver("write a pack's row", err)
		}
	}
	return nil
}

func scanCasePack(scan scanner) (p desk.Pack, err error) {
	var at int64
	var stamp string
	if err = scan(&p.N, &p.Content, &p.Digest, &p.Size, &stamp, &p.Actor, &at); err != nil {
		return p, err
	}
	p.At = fromMicros(at)
	return p, json.Unmarshal([]byte(stamp), &p.Stamp)
}
