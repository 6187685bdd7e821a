package secret

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/mianmi/mianmi"
)

// Cost is the work of one argon2id hash (RFC 9106).
type Cost struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

// DefaultCost is OWASP's first choice with little memory (Password Storage
// Cheat Sheet, 2025): 19 MiB, two passes, one lane.
var DefaultCost = Cost{MemoryKiB: 19456, Passes: 2, Lanes: 1}

// Bounds on what a stored hash may ask of us.
const (
	memoryKiBMax = 256 << 10
	passesMax    = 16
	lanesMax     = 8
	saltBytes    = 16
	hashBytes    = 32
	partBytesMax = 64
	phcBytesMax  = 256
)

// HasherConfig tunes a Hasher. Zero values mean the defaults.
type HasherConfig struct {
	Cost       Cost // default DefaultCost
	AtOnce     int  // hashes at once, default the number of processors: each takes 19 MiB
	WaitingMax int  // callers that may wait for their turn, default 64 × AtOnce
}

// Hasher hashes passwords with argon2id over a keyed digest of them (a
// pepper), so that a stolen database alone cannot be searched, not even for
// six digits. It does a bounded number at once; whoever finds the queue full
// gets Unavailable.
type Hasher struct {
	cost    Cost
	pepper  []byte
	random  io.Reader
	slots   chan struct{}
	waiting chan struct{}
	dummy   string
}

// Hasher returns a hasher with these keys' pepper.
func (k *Keys) Hasher(random io.Reader, c HasherConfig) (*Hasher, error) {
	if c.Cost == (Cost{}) {
		c.Cost = DefaultCost
	}
	if c.AtOnce <= 0 {
		c.AtOnce = runtime.GOMAXPROCS(0)
	}
	if c.WaitingMax <= 0 {
		c.WaitingMax = 64 * c.AtOnce
	}
	h := &Hasher{cost: c.Cost, pepper: k.derive("pepper", forPassword), random: random,
		slots: make(chan struct{}, c.AtOnce), waiting: make(chan struct{}, c.WaitingMax)}
	if !h.cost.sane() {
		return nil, mianmi.InvalidField("cost", "argon2id cost out of bounds")
	}
	h.dummy = phc{cost: h.cost, salt: make([]byte, saltBytes), sum: make([]byte, hashBytes)}.String()
	return h, nil
}

func (c Cost) sane() bool {
	return c.Passes >= 1 && c.Passes <= passesMax && c.Lanes >= 1 && c.Lanes <= lanesMax &&
		c.MemoryKiB >= 8*uint32(c.Lanes) && c.MemoryKiB <= memoryKiBMax
}

// Hash returns the password's hash in PHC string form.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	p := phc{cost: h.cost, salt: make([]byte, saltBytes)}
	if _, err := io.ReadFull(h.random, p.salt); err != nil {
		return "", fmt.Errorf("read randomness for a salt: %w", err)
	}
	sum, err := h.sum(ctx, p, password, hashBytes)
	if err != nil {
		return "", err
	}
	p.sum = sum
	return p.String(), nil
}

// Verify reports whether the password is that of the hash, in constant time.
// stale says that it is, and that the hash should be made anew at today's cost.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (ok, stale bool, err error) {
	p, err := parsePHC(hash)
	if err != nil {
		return false, false, err
	}
	sum, err := h.sum(ctx, p, password, len(p.sum))
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(sum, p.sum) == 1
	return ok, ok && (p.cost != h.cost || len(p.salt) != saltBytes || len(p.sum) != hashBytes), nil
}

// Burn takes the time of a Verify that fails: for names that do not exist, so
// that the answer's delay does not tell.
func (h *Hasher) Burn(ctx context.Context, password string) error {
	_, _, err := h.Verify(ctx, h.dummy, password)
	return err
}

func (h *Hasher) sum(ctx context.Context, p phc, password string, n int) ([]byte, error) {
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		return nil, busy(errors.New("password queue full"))
	}
	if ctx.Err() != nil { // select would choose at random
		return nil, busy(ctx.Err())
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, busy(ctx.Err())
	}
	m := hmac.New(sha256.New, h.pepper)
	_, _ = io.WriteString(m, password)                                                                     // a hash never fails
	return argon2.IDKey(m.Sum(nil), p.salt, p.cost.Passes, p.cost.MemoryKiB, p.cost.Lanes, uint32(n)), nil //nolint:gosec // at most 64
}

func busy(err error) error {
	return &mianmi.Error{Kind: mianmi.Unavailable, Code: "busy", Msg: "too many passwords are being checked",
		RetryAfter: time.Second, Err: err}
}

// phc is a hash in PHC string form: $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
type phc struct {
	cost      Cost
	salt, sum []byte
}

// String writes the PHC form.
func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.cost.MemoryKiB, p.cost.Passes, p.cost.Lanes, b64.EncodeToString(p.salt), b64.EncodeToString(p.sum))
}

// parsePHC reads the form that String writes, and that alone: no signs, no
// leading zeros, no spaces. Its errors are Internal and quote nothing: a hash
// comes from our own store.
func parsePHC(s string) (phc, error) {
	bad := &mianmi.Error{Kind: mianmi.Internal, Err: errors.New("stored password hash is not argon2id in PHC form")}
	parts := strings.Split(s, "$")
	if len(s) > phcBytesMax || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v=19" {
		return phc{}, bad
	}
	settings := strings.Split(parts[3], ",")
	if len(settings) != 3 {
		return phc{}, bad
	}
	var n [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		text, ok := strings.CutPrefix(settings[i], name)
		v, err := strconv.ParseUint(text, 10, 32)
		if !ok || err != nil || strconv.FormatUint(v, 10) != text || (i == 2 && v > lanesMax) {
			return phc{}, bad
		}
		n[i] = v
	}
	p := phc{cost: Cost{MemoryKiB: uint32(n[0]), Passes: uint32(n[1]), Lanes: uint8(n[2])}} //nolint:gosec // bounded above
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	p.sum, err2 = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err1 != nil || err2 != nil || !p.cost.sane() || len(p.salt) < 8 || len(p.salt) > partBytesMax ||
		len(p.sum) < 16 || len(p.sum) > partBytesMax {
		return phc{}, bad
	}
	return p, nil
}
