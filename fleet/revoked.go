package fleet

import (
	"context"
	"time"

	"github.com/mianmi/mianmi/terminal"
)

// revocations ends the connections of terminals whose keys were revoked, on
// whichever node that was done. The node that does it calls Kick at once; this
// finds the others' within a second, and what Kick could not do.
type revocations struct {
	s     *Service
	since time.Time            // of the newest one that was seen
	ended map[string]time.Time // keys whose connections were ended, by revocation
}

const (
	revokedEvery = time.Second
	// revokedOverlap is how far clocks of nodes and their transactions may be apart.
	revokedOverlap = time.Minute
	// revokedMax bounds one turn; the next goes on where it ended.
	revokedMax = 500
)

func (r *revocations) run(ctx context.Context) {
	// Connections of before are a cluster's, and end with their passes.
	r.since, r.ended = r.s.Clock.Now().Add(-passLife), map[string]time.Time{}
	t := time.NewTicker(revokedEvery)
	defer t.Stop()
	late := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := r.turn(ctx)
		if err != nil && !late && ctx.Err() == nil {
			r.s.Log.Warn("connections of revoked terminals are ended late", "error", err)
		}
		late = err != nil
	}
}

// turn ends the connections of what was revoked since the last one.
func (r *revocations) turn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	from := r.since.Add(-revokedOverlap)
	for {
		keys, err := r.s.Terminals.Revocations(ctx, from, revokedMax)
		if err != nil {
			return err
		}
		for i := range keys {
			if err := r.end(&keys[i]); err != nil {
				return err
			}
		}
		if len(keys) < revokedMax {
			break
		}
		// Far fewer keys are revoked in one instant than one turn takes.
		from = keys[len(keys)-1].RevokedAt
	}
	for id, at := range r.ended {
		if at.Before(r.since.Add(-2 * revokedOverlap)) {
			delete(r.ended, id)
		}
	}
	return nil
}

// end ends the connections of a key's terminal, once. One that has another key
// by now comes in again by it.
func (r *revocations) end(k *terminal.Key) error {
	if _, known := r.ended[k.ID]; known {
		return nil
	}
	if err := r.s.Kick(k.Terminal); err != nil {
		return err
	}
	r.ended[k.ID] = k.RevokedAt
	if k.RevokedAt.After(r.since) {
		r.since = k.RevokedAt
	}
	return nil
}
