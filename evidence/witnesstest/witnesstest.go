// Package witnesstest is a witness of logs for tests, written from
// c2sp.org/tlog-witness and tlog-cosignature alone.
package witnesstest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Witness cosigns checkpoints of the logs that it knows, as long as they only
// grow.
type Witness struct {
	Key string // verifier key
	URL string

	name    string
	private ed25519.PrivateKey
	hash    uint32

	mu    sync.Mutex
	logs  []note.Verifier
	size  int64
	root  tlog.Hash
	fault http.HandlerFunc
	asked int
}

// cosignedAt is when a witness says that it cosigned: in March 2026.
const cosignedAt uint64 = 1772366671

// Start starts a witness that ends with the test.
func Start(t testing.TB, name string, seed byte) *Witness {
	t.Helper()
	w := &Witness{name: name, private: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
	key := append([]byte{4}, w.private[ed25519.SeedSize:]...)
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	w.hash = binary.BigEndian.Uint32(sum[:4])
	w.Key = fmt.Sprintf("%s+%08x+%s", name, w.hash, base64.StdEncoding.EncodeToString(key))
	s := httptest.NewServer(w)
	t.Cleanup(s.Close)
	w.URL = s.URL
	return w
}

// Know adds a log by its verifier key.
func (w *Witness) Know(t testing.TB, key string) {
	t.Helper()
	v, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, known := range w.logs {
		if known.Name() == v.Name() && known.KeyHash() == v.KeyHash() {
			return // two of a kind would be ambiguous
		}
	}
	w.logs = append(w.logs, v)
}

// Fault lets h answer instead; nil: the witness again.
func (w *Witness) Fault(h http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = h
}

// Forget makes the witness one that has seen nothing yet.
func (w *Witness) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.size, w.root = 0, tlog.Hash{}
}

// Size is what it has cosigned.
func (w *Witness) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size
}

// Asked is how often it was asked.
func (w *Witness) Asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// ServeHTTP implements http.Handler.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if w.fault != nil {
		w.fault(rw, r)
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != "/add-checkpoint" {
		http.NotFound(rw, r)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	w.answer(rw, string(body))
}

func (w *Witness) answer(rw http.ResponseWriter, body string) {
	head, signed, _ := strings.Cut(body, "\n\n")
	lines := strings.Split(head, "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if err != nil || !strings.HasPrefix(lines[0], "old ") {
		http.Error(rw, "old", http.StatusBadRequest)
		return
	}
	n, err := note.Open([]byte(signed), note.VerifierList(w.logs...))
	if err != nil {
		http.Error(rw, "log", http.StatusForbidden)
		return
	}
	point := strings.Split(n.Text, "\n")
	size, err := strconv.ParseInt(point[1], 10, 64)
	if err != nil || old > size {
		http.Error(rw, "size", http.StatusBadRequest)
		return
	}
	root, err := tlog.ParseHash(point[2])
	if err != nil {
		http.Error(rw, "root", http.StatusBadRequest)
		return
	}
	if old != w.size {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		_, _ = fmt.Fprintf(rw, "%d\n", w.size)
		return
	}
	if !w.continues(lines[1:], old, size, root) {
		http.Error(rw, "proof", http.StatusUnprocessableEntity)
		return
	}
	w.size, w.root = size, root
	sig := binary.BigEndian.AppendUint32(nil, w.hash)
	sig = binary.BigEndian.AppendUint64(sig, cosignedAt)
	sig = append(sig, ed25519.Sign(w.private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", cosignedAt, n.Text))...)
	_, _ = fmt.Fprintf(rw, "— %s %s\n", w.name, base64.StdEncoding.EncodeToString(sig))
}

func (w *Witness) continues(lines []string, old, size int64, root tlog.Hash) bool {
	switch old {
	case 0:
		return len(lines) == 0
	case size:
		return len(lines) == 0 && root == w.root
	}
	var proof tlog.TreeProof
	for _, l := range lines {
		h, err := tlog.ParseHash(l)
		if err != nil {
			return false
		}
		proof = append(proof, h)
	}
	return tlog.CheckTree(proof, size, root, old, w.root) == nil
}
