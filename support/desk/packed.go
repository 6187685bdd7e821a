package desk

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
)

// NewPack is a proof pack that is about to be handed out.
type NewPack struct {
	Content string // digest of what it tells
	Digest  string // SHA-256 of the file, in hexadecimal
	Size    int64  // bytes
	Stamp   evidence.Stamp
}

// Packed is the pack that told the same; nil: none did.
func (w *Whole) Packed(content string) *Pack {
	for i := range w.Packs {
		if w.Packs[i].Content == content {
			return &w.Packs[i]
		}
	}
	return nil
}

// packsMax bounds the different packs of one case.
const packsMax = 100

var (
	// ErrOtherPack says that the same was packed by somebody else meanwhile, under
	// another checkpoint: that one is to be used.
	ErrOtherPack = mianmi.Conflicts("case_changed", "somebody has packed the same case meanwhile: try again")
	errPacks     = mianmi.Conflicts("too_many_packs", "a case has at most 100 different proof packs")
)

// Packed records that a proof pack was handed out: the entry holds its digest, so
// that whoever has the file can show later that it is the one. What tells the same
// as an earlier one must be the same file. It returns the entry.
func (s *Service) Packed(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, n NewPack) (entry mianmi.EntryID, err error) {
	if err := access.Allow(actor, access.CaseWork, access.Target{}); err != nil {
		return "", err
	}
	_, err = s.change(ctx, actor, id, func(ch *Change) error {
		have := len(ch.Was.Packs)
		switch same := ch.Was.Packed(n.Content); {
		case same != nil && same.Digest != n.Digest:
			return ErrOtherPack
		case same == nil && have >= packsMax:
			return errPacks
		case same == nil:
			ch.Packs = []Pack{{N: int64(have) + 1, Content: n.Content, Digest: n.Digest, Size: n.Size, Stamp: n.Stamp, Actor: actor.String(), At: s.now()}}
		}
		if err := s.add(ch, actor, TypePacked, func(r *Record) { r.Pack = n.Digest }); err != nil {
			return err
		}
		entry = ch.Entries[0].ID
		return nil
	})
	return entry, err
}
