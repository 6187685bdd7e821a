package secret_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
)

func newKeys(t testing.TB) *secret.Keys {
	t.Helper()
	k, err := secret.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func wantInvalid(t *testing.T, err error, field string) {
	t.Helper()
	var e *mianmi.Error
	if !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != field {
		t.Errorf("error = %v, want Invalid %s", err, field)
	}
}

// The first start makes the file for its owner alone, and every later start,
// or a second node, has the same keys.
func TestLoadOrCreate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	const nodes = 8
	digests := make([]string, nodes)
	var group sync.WaitGroup
	for i := range nodes {
		group.Go(func() {
			k, _, err := secret.LoadOrCreate(path, rand.Reader)
			if err != nil {
				t.Error(err)
				return
			}
			digests[i] = string(k.Digest(secret.ForPhone, "+8613800000000"))
		})
	}
	group.Wait()
	for _, d := range digests {
		if d != digests[0] {
			t.Fatal("two nodes have unlike keys")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("keys file has mode %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".keys-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, made, err := secret.LoadOrCreate(path, rand.Reader); err != nil || made {
		t.Errorf("second start made = %t, %v", made, err)
	}
}

// A new seed of the log's key comes first and leaves all else as it was; the
// first one of all is the same at every start.
func TestAddLogSeed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	if _, err := secret.AddLogSeed(path, rand.Reader); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	before, _, err := secret.LoadOrCreate(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want := before.LogSeeds()
	if len(want) != 1 || len(want[0]) != 32 {
		t.Fatalf("%d seeds at first", len(want))
	}
	for len(want) < 32 {
		k, err := secret.AddLogSeed(path, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		have := k.LogSeeds()
		if d := cmp.Diff(want, have[1:]); d != "" || bytes.Equal(have[0], have[1]) {
			t.Fatalf("earlier seeds changed (-want +got):\n%s", d)
		}
		want = have
	}
	_, err = secret.AddLogSeed(path, rand.Reader)
	wantInvalid(t, err, "keys.log")
	after, err := secret.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(after.Digest(secret.ForPhone, "x"), before.Digest(secret.ForPhone, "x")) || after.PINKey().ID != before.PINKey().ID {
		t.Error("other keys changed")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A file that others may read, or that is no file of keys, is refused.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	if _, _, err := secret.LoadOrCreate(path, rand.Reader); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o644, 0o620} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := secret.Load(path)
		wantInvalid(t, err, "keys_file")
	}
	_, err := secret.Load(dir)
	wantInvalid(t, err, "keys_file")
	if _, err := secret.Load(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := `"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="`
	if _, err := secret.Parse([]byte(`{"version":1,"master":` + good + `,"pin":[` + good + `]}`)); err != nil {
		t.Fatal(err)
	}
	for text, field := range map[string]string{
		``:        "keys",
		`hunter2`: "keys",
		`{"version":1,"master":` + good + `,"pin":[` + good + `]} x`: "keys",
		`{"version":1,"master":` + good + `,"extra":1}`:              "keys",
		`{"version":2}`: "keys.version",
		`{"version":1,"master":"AAAA","pin":[` + good + `]}`:                                     "keys.master",
		`{"version":1,"master":` + good + `,"pin":[]}`:                                           "keys.pin",
		`{"version":1,"master":` + good + `,"pin":["AAAA"]}`:                                     "keys.pin",
		`{"version":1,"master":` + good + `,"pin":[` + good + `],"log":["AAAA"]}`:                "keys.log",
		`{"version":1,"master":` + good + `,"pin":[` + strings.Repeat(good+",", 8) + good + `]}`: "keys.pin",
	} {
		_, err := secret.Parse([]byte(text))
		wantInvalid(t, err, field)
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Error("the error quotes the text")
		}
	}
}

// Digests differ by purpose, text and key, and are the same for the same.
func TestDigest(t *testing.T) {
	t.Parallel()
	a, b := newKeys(t), newKeys(t)
	seen := map[string]bool{}
	for _, d := range [][]byte{a.Digest(secret.ForPhone, "x"), a.Digest(secret.ForBearer, "x"), a.Digest(secret.ForPhone, "y"), b.Digest(secret.ForPhone, "x")} {
		if len(d) != secret.DigestBytes || seen[string(d)] {
			t.Errorf("digest %x is short or not the only one", d)
		}
		seen[string(d)] = true
	}
	if !bytes.Equal(a.Digest(secret.ForPhone, "x"), a.Digest(secret.ForPhone, "x")) {
		t.Error("the same text has two digests")
	}
}

// A sealed value opens whole for its purpose, row and key, and else not at all.
func TestSeal(t *testing.T) {
	t.Parallel()
	k := newKeys(t)
	sealed, err := k.Seal(secret.ForTOTP, []byte("JBSWY3DP"), "sf1", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := k.Open(secret.ForTOTP, sealed, "sf1")
	if err != nil || string(text) != "JBSWY3DP" {
		t.Fatalf("opened %q, %v", text, err)
	}
	again, err := k.Seal(secret.ForTOTP, []byte("JBSWY3DP"), "sf1", rand.Reader)
	if err != nil || bytes.Equal(again, sealed) {
		t.Fatalf("sealed twice the same, %v", err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another row":     func() ([]byte, error) { return k.Open(secret.ForTOTP, sealed, "sf2") },
		"another purpose": func() ([]byte, error) { return k.Open(secret.ForPhone, sealed, "sf1") },
		"another key":     func() ([]byte, error) { return newKeys(t).Open(secret.ForTOTP, sealed, "sf1") },
		"cut short":       func() ([]byte, error) { return k.Open(secret.ForTOTP, sealed[:20], "sf1") },
		"nothing":         func() ([]byte, error) { return k.Open(secret.ForTOTP, nil, "sf1") },
	} {
		if text, err := open(); err == nil {
			t.Errorf("%s: opened %q", name, text)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := k.Open(secret.ForTOTP, bad, "sf1"); err == nil {
			t.Errorf("opened with byte %d changed", i)
		}
	}
}

// A PIN arrives for its payment alone, and what did not arrive whole is
// Invalid, not a guess.
func TestPIN(t *testing.T) {
	t.Parallel()
	k := newKeys(t)
	sealed, err := secret.SealPIN(k.PINKey(), "pm1", "135790")
	if err != nil {
		t.Fatal(err)
	}
	pin, err := k.OpenPIN(sealed, "pm1")
	if err != nil || pin != "135790" {
		t.Fatalf("opened %q, %v", pin, err)
	}
	change := func(f func(*secret.SealedPIN)) secret.SealedPIN {
		c := secret.SealedPIN{KeyID: sealed.KeyID, Encapsulated: bytes.Clone(sealed.Encapsulated), Ciphertext: bytes.Clone(sealed.Ciphertext)}
		f(&c)
		return c
	}
	for _, tt := range []struct {
		name, about, field string
		pin                secret.SealedPIN
	}{
		{"another payment", "pm2", "pin.ciphertext", sealed},
		{"another key", "pm1", "pin.key_id", change(func(p *secret.SealedPIN) { p.KeyID = newKeys(t).PINKey().ID })},
		{"a changed ciphertext", "pm1", "pin.ciphertext", change(func(p *secret.SealedPIN) { p.Ciphertext[0] ^= 1 })},
		{"a changed encapsulation", "pm1", "pin.ciphertext", change(func(p *secret.SealedPIN) { p.Encapsulated[0] ^= 1 })},
		{"an encapsulation of low order", "pm1", "pin.encapsulated", change(func(p *secret.SealedPIN) { clear(p.Encapsulated) })},
		{"a short encapsulation", "pm1", "pin.encapsulated", change(func(p *secret.SealedPIN) { p.Encapsulated = nil })},
		{"no ciphertext", "pm1", "pin.ciphertext", change(func(p *secret.SealedPIN) { p.Ciphertext = p.Ciphertext[:16] })},
		{"a long ciphertext", "pm1", "pin.ciphertext", change(func(p *secret.SealedPIN) { p.Ciphertext = make([]byte, 81) })},
	} {
		_, err := k.OpenPIN(tt.pin, tt.about)
		wantInvalid(t, err, tt.field)
	}
	_, err = secret.SealPIN(secret.PINKey{Public: []byte("short")}, "pm1", "1")
	wantInvalid(t, err, "key")
	_, err = secret.SealPIN(k.PINKey(), "pm1", "")
	wantInvalid(t, err, "pin")
}

// weakCost keeps tests fast; the cost of production is checked by its value.
var weakCost = secret.Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}

func newHasher(t testing.TB, k *secret.Keys, c secret.HasherConfig) *secret.Hasher {
	t.Helper()
	h, err := k.Hasher(rand.Reader, c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// The right password passes, a wrong one and one under other keys (another
// pepper) do not; a hash of another cost is found stale.
func TestHasher(t *testing.T) {
	t.Parallel()
	k := newKeys(t)
	h := newHasher(t, k, secret.HasherConfig{Cost: weakCost})
	hash, err := h.Hash(t.Context(), "135790")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=64,t=1,p=1$"; !strings.HasPrefix(hash, want) {
		t.Errorf("hash %s, want %s…", hash, want)
	}
	type verdict struct{ OK, Stale bool }
	for _, tt := range []struct {
		name, password string
		hasher         *secret.Hasher
		want           verdict
	}{
		{"the password", "135790", h, verdict{OK: true}},
		{"another password", "135791", h, verdict{}},
		{"the password under other keys", "135790", newHasher(t, newKeys(t), secret.HasherConfig{Cost: weakCost}), verdict{}},
		{"the password at today's higher cost", "135790",
			newHasher(t, k, secret.HasherConfig{Cost: secret.Cost{MemoryKiB: 64, Passes: 2, Lanes: 1}}), verdict{OK: true, Stale: true}},
		{"a wrong password at a higher cost", "0",
			newHasher(t, k, secret.HasherConfig{Cost: secret.Cost{MemoryKiB: 64, Passes: 2, Lanes: 1}}), verdict{}},
	} {
		ok, stale, err := tt.hasher.Verify(t.Context(), hash, tt.password)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if d := cmp.Diff(tt.want, verdict{ok, stale}); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
	if err := h.Burn(t.Context(), "135790"); err != nil {
		t.Errorf("burn: %v", err)
	}
	if want := (secret.Cost{MemoryKiB: 19 * 1024, Passes: 2, Lanes: 1}); secret.DefaultCost != want {
		t.Errorf("default cost %+v, want OWASP's %+v", secret.DefaultCost, want)
	}
}

// slowCost makes a hash long enough for others to be seen waiting.
var slowCost = secret.Cost{MemoryKiB: 32 << 10, Passes: 8, Lanes: 1}

// At most AtOnce hashes run and WaitingMax wait; who comes above that, or
// whose time runs out, gets Unavailable and no answer about the password.
func TestHasherIsBounded(t *testing.T) {
	t.Parallel()
	h := newHasher(t, newKeys(t), secret.HasherConfig{Cost: slowCost, AtOnce: 1, WaitingMax: 2})
	const callers = 12
	errs := make([]error, callers)
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range callers {
		group.Go(func() {
			<-start
			_, errs[i] = h.Hash(t.Context(), "135790")
		})
	}
	close(start)
	group.Wait()
	refused := 0
	for _, err := range errs {
		if err != nil && !errors.Is(err, mianmi.Unavailable) {
			t.Errorf("error = %v, want Unavailable", err)
		}
		if err != nil {
			refused++
		}
	}
	if refused == 0 || refused == callers {
		t.Errorf("%d of %d callers were refused", refused, callers)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ended, "1"); !errors.Is(err, mianmi.Unavailable) {
		t.Errorf("a caller whose time is over: %v, want Unavailable", err)
	}
}

func TestCheckPIN(t *testing.T) {
	t.Parallel()
	for _, weak := range []string{"", "12345", "1234567", "12345a", "１２３４５６", "-12345", "111111", "123456", "654321", "456789", "789012", "098765",
		"121212", "123123", "112233", "665544", "990011"} {
		wantInvalid(t, secret.CheckPIN("password", weak), "password")
	}
	for _, good := range []string{"135790", "102938", "274951", "112234", "123457"} {
		if err := secret.CheckPIN("password", good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

func TestCheckPhrase(t *testing.T) {
	t.Parallel()
	for _, weak := range []string{"", "eleven char", strings.Repeat("a", 20), "i am operator one", strings.Repeat("ab", 65)} {
		wantInvalid(t, secret.CheckPhrase("new_password", weak, "operator"), "new_password")
	}
	if err := secret.CheckPhrase("new_password", "correct horse battery", "operator"); err != nil {
		t.Error(err)
	}
}

// Digits come evenly: of 60,000, each of ten has 6,000 ± 5 standard deviations.
func TestDigits(t *testing.T) {
	t.Parallel()
	text, err := secret.Digits(rand.Reader, 60_000)
	if err != nil || len(text) != 60_000 {
		t.Fatal(len(text), err)
	}
	for d := byte('0'); d <= '9'; d++ {
		if n := strings.Count(text, string(d)); n < 6000-370 || n > 6000+370 {
			t.Errorf("digit %c stands %d times of 60,000", d, n)
		}
	}
	if _, err := secret.Digits(strings.NewReader("x"), 3); err == nil {
		t.Error("digits without randomness")
	}
}
