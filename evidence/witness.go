package evidence

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
)

// WitnessStore keeps how far each witness has cosigned, by its verifier key.
type WitnessStore interface {
	// WitnessTurn gives the caller the turn to ask a witness about a log of size
	// newest, and the size of what it cosigned last, when that is another one and
	// nobody has had the turn for rest; else mine is false.
	WitnessTurn(ctx context.Context, key string, newest int64, rest time.Duration) (size int64, mine bool, err error)
	// KeepCosigned keeps what a witness cosigned, unless it has cosigned more since.
	KeepCosigned(ctx context.Context, c StoredCosigned) error
	// Cosigned returns what every witness cosigned last, the largest first.
	Cosigned(ctx context.Context) ([]StoredCosigned, error)
}

// StoredCosigned is what a witness cosigned last. Nothing is taken from it
// unless its signature is checked.
type StoredCosigned struct {
	Key  string // verifier key of the witness
	Size int64
	At   time.Time
	Note string // the checkpoint as the log signed it
	Line string // of the cosignature, with its end
}

// WitnessAt is a witness and where it is asked.
type WitnessAt struct {
	*Witness
	URL string // /add-checkpoint is appended
}

// ParseWitnessAt reads "KEY=URL". An error is Invalid and names "witness".
func ParseWitnessAt(text string) (WitnessAt, error) {
	bad := func(what string) (WitnessAt, error) { return WitnessAt{}, mianmi.InvalidField("witness", what) }
	at := max(strings.Index(text, "=http://"), strings.Index(text, "=https://"))
	if at < 0 {
		return bad("wants KEY=URL: the witness's verifier key and an address that begins with http:// or https://")
	}
	w, err := ParseWitness(text[:at])
	if err != nil {
		return bad("has no verifier key of a witness (name+8 hexadecimal digits+base64, of the kind cosignature/v1) before its =")
	}
	u, err := url.Parse(text[at+1:])
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return bad("has no address after its =, without a user, a query or a fragment")
	}
	return WitnessAt{Witness: w, URL: strings.TrimSuffix(u.String(), "/")}, nil
}

// SetWitnesses tells the log whom to ask, before it is used. An error is
// Invalid and names "witness".
func (l *Log) SetWitnesses(list []WitnessAt) error {
	if len(list) > witnessesMax {
		return mianmi.InvalidField("witness", fmt.Sprintf("is given %d times; at most %d", len(list), witnessesMax))
	}
	for i, w := range list {
		if slices.ContainsFunc(list[:i], func(o WitnessAt) bool { return o.public == w.public }) {
			return mianmi.InvalidField("witness", "names "+w.name+" twice")
		}
	}
	l.witnesses = list
	return nil
}

// Witnesses are those that the log asks.
func (l *Log) Witnesses() []WitnessAt { return l.witnesses }

// Cosigned is what every witness has cosigned last, as it is stored.
func (l *Log) Cosigned(ctx context.Context) ([]StoredCosigned, error) { return l.store.Cosigned(ctx) }

// ErrWitnessAhead says that a witness has cosigned a longer log than this one:
// the database was put back to an older state, or another one speaks for this log.
var ErrWitnessAhead = errors.New("the witness has cosigned a longer log than this database has: it was set back, or another server signs for the same log")

// AskWitness asks a witness to cosign the newest checkpoint, when that is new
// to it and no node has asked for rest (c2sp.org/tlog-witness, add-checkpoint).
// The answer is the size that it has cosigned; 0: there was nothing to ask.
func (l *Log) AskWitness(ctx context.Context, via *http.Client, w WitnessAt, rest time.Duration) (int64, error) {
	newest, err := l.store.Checkpoint(ctx)
	if err != nil || newest.Size == 0 {
		return 0, err
	}
	old, mine, err := l.store.WitnessTurn(ctx, w.public, newest.Size, rest)
	if err != nil || !mine {
		return 0, err
	}
	// Read again: what another node has had cosigned since is no alarm.
	if newest, err = l.store.Checkpoint(ctx); err != nil || old == newest.Size {
		return 0, err
	}
	if old > newest.Size {
		return 0, fmt.Errorf("witness %s, size %d: %w", w.name, old, ErrWitnessAhead)
	}
	lines, known, err := l.addCheckpoint(ctx, via, w, old, newest)
	if err == nil && known >= 0 { // it knows another size than we remember
		if known > newest.Size {
			return 0, fmt.Errorf("witness %s, size %d: %w", w.name, known, ErrWitnessAhead)
		}
		lines, known, err = l.addCheckpoint(ctx, via, w, known, newest)
		if err == nil && known >= 0 {
			err = errors.New("it answers with one size after the other")
		}
	}
	if err != nil {
		return 0, fmt.Errorf("ask witness %s: %w", w.name, err)
	}
	c := StoredCosigned{Key: w.public, Size: newest.Size, At: l.clock.Now().UTC(), Note: newest.Note}
	if c.Line, err = l.cosignatureIn(ctx, w.Witness, newest.Note, lines); err != nil {
		return 0, fmt.Errorf("ask witness %s: %w", w.name, err)
	}
	return c.Size, l.store.KeepCosigned(ctx, c)
}

// answerMax bounds what is read of a witness's answer: a few lines.
const answerMax = 16 << 10

// addCheckpoint sends a checkpoint and the proof that it continues the one of
// size old. known is the size that the witness has instead; -1: it has cosigned.
func (l *Log) addCheckpoint(ctx context.Context, via *http.Client, w WitnessAt, old int64, c StoredCheckpoint) (lines string, known int64, err error) {
	var body bytes.Buffer
	fmt.Fprintf(&body, "old %d\n", old)
	if old > 0 && old < c.Size {
		proof, err := tlog.ProveTree(c.Size, old, l.hashes(ctx))
		if err != nil {
			return "", -1, fmt.Errorf("prove that %d continues %d: %w", c.Size, old, err)
		}
		for _, h := range proof {
			body.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
		}
	}
	body.WriteString("\n" + c.Note)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL+"/add-checkpoint", &body)
	if err != nil {
		return "", -1, err
	}
	res, err := via.Do(req)
	if err != nil {
		return "", -1, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	text, err := io.ReadAll(io.LimitReader(res.Body, answerMax))
	if err != nil {
		return "", -1, err
	}
	switch {
	case res.StatusCode == http.StatusOK:
		return string(text), -1, nil
	case res.StatusCode == http.StatusConflict && res.Header.Get("Content-Type") == "text/x.tlog.size":
		known, err := strconv.ParseInt(strings.TrimSuffix(string(text), "\n"), 10, 64)
		if err != nil || known < 0 || known == old {
			return "", -1, errors.New("its answer names no other size")
		}
		return "", known, nil
	case res.StatusCode == http.StatusUnprocessableEntity:
		return "", -1, errors.New("it says that this log does not continue the one that it has seen (status 422)")
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusForbidden:
		return "", -1, fmt.Errorf("it does not know this log or its key (status %d): its operator adds the verifier key of mianmi evidence keys", res.StatusCode)
	}
	return "", -1, fmt.Errorf("it answered with status %d", res.StatusCode)
}

// linesMax bounds the lines of an answer that are looked at, for each costs a
// check of signatures: a witness has a key, or a few while it changes.
const linesMax = 16

// cosignatureIn finds the witness's cosignature of a checkpoint among the lines
// of its answer, and checks it.
func (l *Log) cosignatureIn(ctx context.Context, w *Witness, signed, lines string) (string, error) {
	if !strings.HasSuffix(lines, "\n") {
		return "", errors.New("its answer does not end with a line")
	}
	n := 0
	for line := range strings.Lines(lines) {
		if n++; n > linesMax {
			break
		}
		c := StoredCosigned{Key: w.public, Note: signed, Line: line}
		if _, err := l.openCosigned(ctx, c); err == nil {
			return line, nil
		}
	}
	return "", errors.New("its answer holds no cosignature of this checkpoint by its key")
}

// openCosigned checks what is stored of a witness.
func (l *Log) openCosigned(ctx context.Context, c StoredCosigned) (Signed, error) {
	w, err := ParseWitness(c.Key)
	if err != nil {
		return Signed{}, err
	}
	keys, err := l.Keys(ctx)
	if err != nil {
		return Signed{}, err
	}
	if keys = upTo(keys, c.Note); keys == nil {
		return Signed{}, mianmi.InvalidField("checkpoint", "is signed by no key of this log")
	}
	own, err := ParseKey(keys[len(keys)-1].Public)
	if err != nil {
		return Signed{}, err
	}
	s, err := OpenCheckpoint(c.Note+c.Line, own, w)
	if err == nil && !slices.ContainsFunc(s.By, signatureOf(w)) {
		err = mianmi.InvalidField("checkpoint", "is not cosigned by "+w.name)
	}
	return s, err
}

// stampFor is the checkpoint that a receipt of the entry at index is made with:
// of those that witnesses have cosigned the one with the most cosignatures, the
// newest of several; the newest of all when there is none, or it is too old.
func (l *Log) stampFor(ctx context.Context, index int64) (Stamp, error) {
	c, err := l.store.Checkpoint(ctx)
	best := Stamp{Size: c.Size, Note: c.Note}
	if err != nil || c.Size <= index {
		return best, err
	}
	list, err := l.store.Cosigned(ctx)
	if err != nil {
		return best, err
	}
	for i, s := range list {
		if slices.ContainsFunc(list[:i], func(o StoredCosigned) bool { return o.Note == s.Note }) {
			continue
		}
		point, good, who := l.cosignedAs(ctx, list, s.Note)
		if len(who) <= len(best.Witnesses) || point.Size <= index || point.Size > c.Size {
			continue
		}
		// A node that had asked when the database went back may have kept what is
		// of the lost part: a receipt cannot be made with that.
		root, err := tlog.TreeHash(point.Size, l.hashes(ctx))
		if err != nil {
			return best, fmt.Errorf("root of %d entries: %w", point.Size, err)
		}
		if point.Origin == l.key.name && point.Root == root {
			best = Stamp{Size: point.Size, Note: s.Note, Cosignatures: good, Witnesses: who}
		}
	}
	return best, nil
}

// cosignedAs collects the good cosignatures of one checkpoint, those of former
// witnesses too: whom they convince is the reader's to say.
func (l *Log) cosignedAs(ctx context.Context, list []StoredCosigned, signed string) (c Checkpoint, lines string, keys []string) {
	for _, s := range list {
		if s.Note != signed || len(keys) == witnessesMax {
			continue
		}
		got, err := l.openCosigned(ctx, s)
		if err != nil || got.Size != s.Size {
			continue // the check of the log tells
		}
		c, lines, keys = got.Checkpoint, lines+s.Line, append(keys, s.Key)
	}
	return c, lines, keys
}

// CosignedCheckpoint is the checkpoint that most witnesses have cosigned, with
// their cosignatures and verifier keys. NotFound when there is none.
func (l *Log) CosignedCheckpoint(ctx context.Context) (signed string, keys []string, err error) {
	c, err := l.stampFor(ctx, 0)
	if err == nil && len(c.Witnesses) == 0 {
		err = mianmi.Missing("cosigned checkpoint")
	}
	return c.Note + c.Cosignatures, c.Witnesses, err
}

// witnesses reads what witnesses have cosigned: each must bear the signatures of
// the log and of its witness, and be over these entries.
func (k *checker) witnesses(ctx context.Context, list []StoredCosigned, newest StoredCheckpoint) error {
	for _, c := range list {
		s, err := k.log.openCosigned(ctx, c)
		if mianmi.KindOf(err) == mianmi.Invalid || err == nil && s.Size != c.Size {
			k.fault(FaultCosigned, c.Size, "")
			return nil
		}
		if err != nil {
			return err
		}
		if s.Size > newest.Size {
			k.fault(FaultAgainst, s.Size, "")
			return nil
		}
		k.cosigned, k.out.Cosigned = append(k.cosigned, s.Checkpoint), append(k.out.Cosigned, c)
	}
	return nil
}
