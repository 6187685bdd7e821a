package asof

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/settings"
)

// packsMax bounds the packs that have ever been in force: the forty that are
// shipped, and an operator's own for some decades.
const packsMax = 1000

// rules rebuilds the packs in force and returns a snapshot that holds them, and
// nothing else. The log names each text by its digest; the text itself is taken
// from where the digest leads, and must have it.
func (s *Service) rules(ctx context.Context, m moment, site *Site) (*settings.Snapshot, error) {
	subjects, err := s.Log.SubjectsOf(ctx, rules.Subject(""), packsMax+1)
	if err != nil {
		return nil, err
	}
	if len(subjects) > packsMax {
		return nil, &mianmi.Error{Kind: mianmi.Unavailable, Code: "history_too_long", Msg: "too many rule packs have been in force"}
	}
	var gone []rules.Pack
	for _, subject := range subjects {
		p, err := newest(ctx, s, m, asked{subject: subject, question: question{ofPacks, thing}}, readPack)
		if err != nil {
			return nil, err
		}
		site.Rules = site.Rules || p.Source.Known()
		switch {
		case !p.Source.Known():
		case p.Value.Withdraws:
			gone = append(gone, p.Value)
		default:
			site.Packs = append(site.Packs, p)
		}
	}
	return s.compiled(ctx, site, gone)
}

func readPack(e evidence.Entry) (*rules.Pack, error) { return rules.ReadEntry(e) }

// compiled reads the texts and compiles them, or takes what it has compiled of
// the same packs before.
func (s *Service) compiled(ctx context.Context, site *Site, gone []rules.Pack) (*settings.Snapshot, error) {
	if !site.Rules {
		return new(settings.Snapshot), nil
	}
	live := make([]rules.Pack, len(site.Packs))
	for i := range live {
		live[i] = site.Packs[i].Value
	}
	digest := rules.SetDigest(live)
	if made := s.packs.get(digest); made != nil {
		return made, nil
	}
	for i := range live {
		p := &live[i]
		var err error
		if p.YAML, err = s.Log.PackText(ctx, p.ID, p.Digest); err != nil {
			return nil, fmt.Errorf("the text of rule pack %s@%d: %w", p.ID, p.Version, err)
		}
		if sum := sha256.Sum256([]byte(p.YAML)); hex.EncodeToString(sum[:]) != p.Digest {
			return nil, fmt.Errorf("the text of rule pack %s@%d is not the one that the log names", p.ID, p.Version)
		}
	}
	made := new(settings.Snapshot).With(settings.Changes{Packs: append(gone, live...)})
	s.packs.put(digest, made)
	return made, nil
}

// packCache keeps the newest sets that were compiled: questions mostly meet
// the packs of now or of just before, and compiling forty takes milliseconds.
type packCache struct {
	mu   sync.Mutex
	made [4]struct {
		digest string
		rules  *settings.Snapshot
	}
	next int
}

func (c *packCache) get(digest string) *settings.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.made {
		if c.made[i].rules != nil && c.made[i].digest == digest {
			return c.made[i].rules
		}
	}
	return nil
}

func (c *packCache) put(digest string, made *settings.Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := &c.made[c.next%len(c.made)]
	c.next++
	at.digest, at.rules = digest, made
}
