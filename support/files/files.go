// Package files keeps what people attach to cases: outside of the database, by
// what it is, sealed (docs/adr/0024).
//
// Nothing is kept as it came. Pictures are decoded and encoded anew, so that no
// place and device of a photograph, and nothing that hides behind a picture, is
// kept; what is none of a few harmless kinds is refused. What is handed out again is
// to be saved, never shown as a page.
package files

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/secret"
)

// Type is a kind of file, by its content: a media type.
type Type string

// The kinds that are kept.
const (
	JPEG Type = "image/jpeg"
	PNG  Type = "image/png"
	PDF  Type = "application/pdf"
	Text Type = "text/plain; charset=utf-8"
)

// SizeMax bounds a file as it comes, and as it is kept: a page that was
// photographed has some three megabytes.
const SizeMax = 10 << 20

// Ending returns how names of the kind end, the usual one first.
func (t Type) Ending() []string {
	switch t {
	case JPEG:
		return []string{".jpg", ".jpeg"}
	case PNG:
		return []string{".png"}
	case PDF:
		return []string{".pdf"}
	}
	return []string{".txt"}
}

// File is one that is kept.
type File struct {
	ID   string // keyed digest of what is kept, 32 hexadecimal digits
	Type Type
	Size int64
}

// purpose seals files and makes their names; it is in stored data.
const purpose secret.Purpose = "case_file"

// Scanner looks for malware.
type Scanner interface {
	// Scan returns the name of what it found; empty: nothing. With an error nobody
	// knows, and the file is refused for now.
	Scan(ctx context.Context, content []byte) (found string, err error)
}

// Clean is what is to be kept of something that was sent.
type Clean struct {
	File
	Content []byte
}

// Parts are what a Folder works with; Scanner may be nil.
type Parts struct {
	Dir     string // several nodes share one; without it nothing can be kept
	Keys    *secret.Keys
	Random  io.Reader // safe for concurrent use
	Scanner Scanner
}

// Folder keeps files.
type Folder struct {
	Parts
	busy chan struct{}
}

// atOnce bounds how many files are looked into at once: a picture of pointsMax takes
// some 300 MB while it is decoded and turned.
const atOnce = 2

// New returns a Folder, or an error when a part is missing.
func New(p Parts) (*Folder, error) {
	if p.Dir == "" || p.Keys == nil || p.Random == nil {
		return nil, errors.New("files: a required part is missing")
	}
	return &Folder{p, make(chan struct{}, atOnce)}, nil
}

var (
	errKind  = &mianmi.Error{Kind: mianmi.Invalid, Field: "file", Code: "file_kind", Msg: "want a JPEG or PNG picture, a PDF or plain text; nothing inside that runs"}
	errSize  = &mianmi.Error{Kind: mianmi.Invalid, Field: "file", Code: "file_size", Msg: "at most 10 MiB, and pictures of at most 40 million points"}
	errCard  = mianmi.InvalidField("file", "holds what looks like a card number, which must never be sent")
	errFound = &mianmi.Error{Kind: mianmi.Invalid, Field: "file", Code: "file_malware", Msg: "the scanner takes it for malware"}
)

func unavailable(code, msg string, err error) error {
	return &mianmi.Error{Kind: mianmi.Unavailable, Code: code, Msg: msg, Err: err}
}

// away is an error of the folder, or of the disk below it.
func away(err error) error {
	return unavailable("files_away", "files cannot be kept or read at the moment; try again", err)
}

// Clean looks content through and returns what is to be kept of it.
func (f *Folder) Clean(ctx context.Context, content []byte) (Clean, error) {
	if len(content) == 0 || len(content) > SizeMax {
		return Clean{}, errSize
	}
	select {
	case f.busy <- struct{}{}:
		defer func() { <-f.busy }()
	case <-ctx.Done():
		return Clean{}, away(ctx.Err())
	}
	kind, clean, err := cleaned(content)
	if err != nil {
		return Clean{}, err
	}
	if f.Scanner != nil {
		switch found, err := f.Scanner.Scan(ctx, content); {
		case err != nil:
			return Clean{}, unavailable("scanner_away", "files cannot be looked through at the moment; try again", err)
		case found != "":
			return Clean{}, errFound
		}
	}
	id := hex.EncodeToString(f.Keys.Digest(purpose, string(clean)))
	return Clean{File{ID: id, Type: kind, Size: int64(len(clean))}, clean}, nil
}

// Write keeps a file. The same twice is one.
func (f *Folder) Write(c Clean) error {
	path, err := f.path(c.ID)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	sealed, err := f.Keys.Seal(purpose, c.Content, c.ID, f.Random)
	if err != nil {
		return err
	}
	if err := write(path, sealed); err != nil {
		return away(fmt.Errorf("keep a file: %w", err))
	}
	return nil
}

// path is where a file lies; its name is one that Clean gave.
func (f *Folder) path(id string) (string, error) {
	if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
		return "", mianmi.Missing("file")
	}
	return filepath.Join(f.Dir, id[:2], id), nil
}

// newMark stands in the name of what is not whole yet.
const newMark = ".new-"

// write puts the file in its place whole: after a loss of power it is there or not.
func write(path string, sealed []byte) (err error) {
	dir := filepath.Dir(path)
	switch err := os.Mkdir(dir, 0o700); { // not the folder itself: it may be a disk that is not mounted
	case err == nil:
		err = syncDir(filepath.Dir(dir))
		if err != nil {
			return err
		}
	case !errors.Is(err, os.ErrExist):
		return err
	}
	t, err := os.CreateTemp(dir, filepath.Base(path)+newMark+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(t.Name()) // the first fault is told
		}
	}()
	_, err = t.Write(sealed)
	if err = errors.Join(err, t.Sync(), t.Close()); err != nil {
		return err
	}
	if err = os.Rename(t.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Read returns a file's content.
func (f *Folder) Read(id string) ([]byte, error) {
	path, err := f.path(id)
	if err != nil {
		return nil, err
	}
	sealed, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, mianmi.Missing("file")
	}
	if err != nil {
		return nil, away(fmt.Errorf("read a file: %w", err))
	}
	return f.Keys.Open(purpose, sealed, id)
}

// Sweep removes what uploads that were cut off have left of a file, and the file
// when it is not needed. Nobody may be writing it.
func (f *Folder) Sweep(id string, needed bool) error {
	path, err := f.path(id)
	if err != nil {
		return err
	}
	left, err := filepath.Glob(path + newMark + "*")
	if err != nil {
		return err
	}
	if !needed {
		left = append(left, path)
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove a file: %w", err)
		}
	}
	return nil
}

// cleaned is what is kept of content.
func cleaned(content []byte) (Type, []byte, error) {
	switch {
	case bytes.HasPrefix(content, []byte("\xff\xd8\xff")), bytes.HasPrefix(content, []byte("\x89PNG\r\n\x1a\n")):
		return picture(content)
	case bytes.HasPrefix(content, []byte("%PDF-")):
		return PDF, content, document(content)
	case plain(content):
		if payer.LooksLikeCard(string(content)) {
			return "", nil, errCard
		}
		return Text, content, nil
	}
	return "", nil, errKind
}

// plain reports text without anything that a browser could take for a page.
func plain(content []byte) bool {
	if !utf8.Valid(content) || bytes.ContainsFunc(content, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }) {
		return false
	}
	return !bytes.HasPrefix(bytes.TrimLeft(content, " \t\r\n\ufeff"), []byte("<")) && !page(content)
}

// page reports what a browser could take for a page: it looks at the first 1445
// bytes at most (WHATWG MIME Sniffing, 5.2).
func page(content []byte) bool {
	head := strings.ToLower(string(content[:min(len(content), 1445)]))
	return strings.Contains(head, "<html") || strings.Contains(head, "<script") || strings.Contains(head, "<svg")
}
