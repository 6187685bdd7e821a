package privacy

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/secret"
)

// KeepDefault is how long a person is kept after the last movement of money: ten
// years, as the Anti-Money Laundering Law of China (2024), article 34, has it for
// customers' identities and transactions.
const KeepDefault = 10 * 365 * 24 * time.Hour

// The types of entries that this package writes.
const (
	TypeExported = "payer.exported"
	TypeErased   = "payer.erased"
)

// Rows are what is kept of one kind; a row is a column's name and its value.
type Rows struct {
	Kind string
	Rows []map[string]any
}

// Erasure is a payer whose person is to be forgotten.
type Erasure struct {
	Payer       mianmi.PayerID
	PhoneDigest []byte         // by which the payer logs in
	Keep        time.Duration  // from the last movement of money; 0: it may be erased at once
	Entry       evidence.Entry // that it was done, by whom; its time is now
}

// Store keeps persons. What is not there is NotFound.
type Store interface {
	Person(ctx context.Context, id mianmi.PayerID) (payer.Person, error)
	// Kept reads all that is kept on a payer, whose person may be erased. own leaves
	// out what the person is not to have: notes and files of staff for staff, alarms.
	Kept(ctx context.Context, id mianmi.PayerID, own bool) ([]Rows, error)
	// RecordExport writes the entry.
	RecordExport(ctx context.Context, id mianmi.PayerID, e evidence.Entry) error
	// ErasePerson removes what names a payer: name, phone number, login, password,
	// digits of cards, what channels and merchants call the payer, and what was
	// written and attached in the payer's complaints and cases; and the key of the
	// digests in the log. What the payer did stays, under a pseudonym that leads
	// nowhere, and the log verifies as before. While something hangs on the person it
	// is a Conflict with one of the codes of docs/adr/0027, and nothing is changed; a
	// payer who is erased already is NotFound.
	ErasePerson(ctx context.Context, e Erasure) error
}

// Files reads what is attached to cases.
type Files interface {
	Read(id string) ([]byte, error)
}

// Parts are what a Service works with; all but Keep are required.
type Parts struct {
	Store  Store
	Files  Files
	Keys   *secret.Keys
	Clock  mianmi.Clock
	Random io.Reader // safe for concurrent use

	Keep time.Duration // of Erasure; 0: KeepDefault
}

// Service exports and erases persons.
type Service struct{ Parts }

// New returns a Service, or an error when a part is missing.
func New(p Parts) (*Service, error) {
	if p.Store == nil || p.Files == nil || p.Keys == nil || p.Clock == nil || p.Random == nil {
		return nil, errors.New("privacy: a required part is missing")
	}
	if p.Keep <= 0 {
		p.Keep = KeepDefault
	}
	return &Service{p}, nil
}

// Export is what was handed out.
type Export struct {
	Name   string         // of the file, as it should be saved
	Digest string         // SHA-256 of Zip, in hexadecimal
	Entry  mianmi.EntryID // that records the handing out
	Zip    []byte
}

// Export returns all that is kept on a person as one ZIP: a JSON file for each kind
// of row, and what is attached to the person's cases. The person gets less than
// staff: see Store.Kept. That it was handed out is recorded.
func (s *Service) Export(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID) (Export, error) {
	if err := access.Allow(actor, access.PersonExport, access.Target{Payer: id}); err != nil {
		return Export{}, err
	}
	kept, err := s.Store.Kept(ctx, id, actor.Is(mianmi.RolePayer))
	if err != nil {
		return Export{}, err
	}
	now := s.Clock.Now().UTC()
	out := Export{Name: "mianmi-" + string(id) + ".zip"}
	if out.Zip, err = s.zip(kept, now); err != nil {
		return Export{}, err
	}
	sum := sha256.Sum256(out.Zip)
	out.Digest = hex.EncodeToString(sum[:])
	e, err := s.entry(now, actor, TypeExported, id, map[string]any{"digest": out.Digest, "size": len(out.Zip)})
	if err != nil {
		return Export{}, err
	}
	out.Entry = e.ID
	return out, s.Store.RecordExport(ctx, id, e)
}

func (s *Service) zip(kept []Rows, now time.Time) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	add := func(name string, content []byte) error {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: now})
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	}
	if err := add("README.txt", []byte(readme)); err != nil {
		return nil, err
	}
	for _, k := range kept {
		if k.Rows == nil {
			k.Rows = []map[string]any{}
		}
		text, err := json.MarshalIndent(k.Rows, "", " ")
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", k.Kind, err)
		}
		if err := add(k.Kind+".json", text); err != nil {
			return nil, err
		}
		if k.Kind != "case_files" {
			continue
		}
		for _, f := range k.Rows {
			name := fmt.Sprintf("files/%v/%v-%v", f["case_id"], f["id"], f["name"])
			content, err := s.Files.Read(fmt.Sprint(f["id"]))
			if err == nil {
				err = add(name, content)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

// readme tells a person what the files are.
const readme = `本文件包含我们保存的与您有关的全部数据，每类一个 JSON 文件；您在工单中提交的附件在 files 目录。
时间为协调世界时（UTC），金额以最小货币单位（如人民币的分）计。log.json 是透明日志中的记录，可用凭证核对。
密码、密钥和摘要不在其中。

These files are all that we keep about you, one JSON file for each kind; what was attached to your cases is in the folder "files".
Times are UTC, amounts are minor units (for CNY: fen). log.json holds the entries of the transparency log, which receipts prove.
Passwords, keys and digests are not in here.
`

var basisForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$`)

// Erase forgets a person for good, for an operator who is logged in. basis is the
// number of the request that it is done on; it stays in the log as it is written.
func (s *Service) Erase(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, basis string) (mianmi.EntryID, error) {
	if err := access.Allow(actor, access.PersonErase, access.Target{Payer: id}); err != nil {
		return "", err
	}
	if !basisForm.MatchString(basis) || payer.LooksLikeCard(basis) {
		return "", mianmi.InvalidField("basis", `want the number of the request: 1 to 64 letters, digits, ".", "_", "/", "-"; no card number`)
	}
	p, err := s.Store.Person(ctx, id)
	if err != nil {
		return "", err
	}
	if names(basis, &p) {
		return "", mianmi.InvalidField("basis", "it would stay in the log for ever: neither the person's name nor phone number")
	}
	now := s.Clock.Now().UTC().Truncate(time.Microsecond)
	e, err := s.entry(now, actor, TypeErased, id, map[string]any{"basis": basis, "keep_hours": int64(s.Keep / time.Hour)})
	if err != nil {
		return "", err
	}
	return e.ID, s.Store.ErasePerson(ctx, Erasure{Payer: id, PhoneDigest: s.Keys.Digest(secret.ForPhone, p.Phone), Keep: s.Keep, Entry: e})
}

// names reports whether a basis holds what names the person.
func names(basis string, p *payer.Person) bool {
	var digits strings.Builder
	for _, r := range basis {
		if r >= '0' && r <= '9' {
			digits.WriteRune(r)
		}
	}
	tail := p.Phone[max(0, len(p.Phone)-8):]
	return tail != "" && strings.Contains(digits.String(), tail) || p.Name != "" && strings.Contains(strings.ToLower(basis), strings.ToLower(p.Name))
}

func (s *Service) entry(now time.Time, actor mianmi.Actor, kind string, id mianmi.PayerID, body any) (evidence.Entry, error) {
	eid, err := mianmi.NewID("en", now, s.Random)
	if err != nil {
		return evidence.Entry{}, err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return evidence.Entry{}, fmt.Errorf("encode %s: %w", kind, err)
	}
	return evidence.Entry{ID: mianmi.EntryID(eid), At: now, Type: kind, Subject: string(id), Actor: actor.String(), Body: text}, nil
}
