package desk

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/support/files"
)

// NewFile is something to be attached.
type NewFile struct {
	Name     string // as it was called
	Audience Audience
	Content  []byte
}

// Bounds of what is attached to one case.
const (
	filesMax     = 20
	filesSizeMax = 50 << 20
	nameMax      = 100 // characters
)

// looseFor is how long a file may be without a case: an upload lives for a minute.
const looseFor = time.Hour

var errFiles = mianmi.Conflicts("too_many_files", "a case has at most 20 files, of 50 MiB in all")

// Attach attaches a file, for those who may read a note of its audience. The same
// again changes nothing. The file is there before its row is, and noted before it is
// there: cut off anywhere, it is found by SweepFiles.
func (s *Service) Attach(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, n NewFile) (Whole, error) {
	w, err := s.Store.Case(ctx, id)
	if err != nil {
		return Whole{}, err
	}
	if err := s.mayAttach(actor, &w.Case, n.Audience); err != nil {
		return Whole{}, err
	}
	clean, err := s.Files.Clean(ctx, n.Content)
	if err != nil {
		return Whole{}, err
	}
	f := File{File: clean.File, Audience: n.Audience, Actor: actor.String(), At: s.now()}
	if f.Name, err = fileName(n.Name, f.Type); err != nil {
		return Whole{}, err
	}
	if _, err := w.room(&f); err != nil {
		return Whole{}, err
	}
	if err := s.Store.LooseFile(ctx, f.ID, f.At.Add(looseFor)); err != nil {
		return Whole{}, err
	}
	if err := s.Files.Write(clean); err != nil {
		return Whole{}, err
	}
	return s.change(ctx, actor, id, func(ch *Change) error {
		if err := s.mayAttach(actor, &ch.Case, n.Audience); err != nil {
			return err
		}
		if known, err := ch.Was.room(&f); known || err != nil {
			return err
		}
		ch.Files = []File{f}
		return s.add(ch, actor, TypeAttached, func(r *Record) { r.Audience, r.File = f.Audience.String(), f.ID })
	})
}

func (s *Service) mayAttach(actor mianmi.Actor, c *Case, a Audience) error {
	if err := s.see(actor, c); err != nil {
		return err
	}
	if a == NoAudience || a > ForMerchant {
		return mianmi.InvalidField("audience", "want inside, payer or merchant")
	}
	return mayWrite(&Whole{Case: *c}, sides(actor, c), a)
}

// room reports a file that is attached already, or that there is room for another.
func (w *Whole) room(f *File) (known bool, err error) {
	all := f.Size
	for _, o := range w.Files {
		if o.ID == f.ID && o.Audience == f.Audience {
			return true, nil
		}
		all += o.Size
	}
	if len(w.Files) >= filesMax || all > filesSizeMax {
		return false, errFiles
	}
	return false, nil
}

// fileName is a name without folders and without what cannot be shown or saved. One
// that looks like a card number is not kept: programs name pictures by long numbers.
// It ends as its kind does: who saves and opens it opens what was found, and nothing
// else.
func fileName(name string, kind files.Type) (string, error) {
	if !utf8.ValidString(name) {
		return "", mianmi.InvalidField("name", "want UTF-8")
	}
	name = path.Base(strings.ReplaceAll(name, "\\", "/"))
	name = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Zs, r) { // the narrow spaces of some systems' screenshots
			return ' '
		}
		return r
	}, name)
	name = strings.TrimLeft(strings.TrimSpace(name), ".")
	switch {
	case name == "" || name == "/" || utf8.RuneCountInString(name) > nameMax:
		return "", mianmi.InvalidField("name", "want 1 to 100 characters")
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`<>:"|?*`, r) }):
		return "", mianmi.InvalidField("name", "holds what a name of a file cannot")
	case payer.LooksLikeCard(name):
		name = "file"
	}
	endings := kind.Ending()
	if !slices.Contains(endings, strings.ToLower(path.Ext(name))) {
		name += endings[0]
	}
	return name, nil
}

// File is one that is attached, with its content.
func (s *Service) File(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, file string) (File, []byte, error) {
	w, err := s.Case(ctx, actor, id)
	if err != nil {
		return File{}, nil, err
	}
	i := slices.IndexFunc(w.Files, func(f File) bool { return f.ID == file })
	if i < 0 {
		return File{}, nil, mianmi.Missing("file")
	}
	content, err := s.Files.Read(file)
	return w.Files[i], content, err
}

const (
	sweepMax = 100              // files in one go
	sweepFor = 10 * time.Minute // for removing one; who died with it is followed then
)

// SweepFiles removes files that no case has. Several nodes may do so at once. It
// returns how many it has looked at.
func (s *Service) SweepFiles(ctx context.Context) (int, error) {
	ids, err := s.Store.LooseFiles(ctx, s.now(), sweepMax)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		now := s.now()
		claimed, needed, err := s.Store.ClaimLooseFile(ctx, id, now, now.Add(sweepFor))
		if err != nil {
			return 0, err
		}
		if !claimed {
			continue
		}
		if err := s.Files.Sweep(id, needed); err != nil {
			return 0, err
		}
		if err := s.Store.DropLooseFile(ctx, id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
