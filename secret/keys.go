// Package secret keeps what must not leak: the server's keys, sealed values,
// keyed digests, password hashes and the key pair that PINs are encrypted to.
//
// It leaves to others what the values mean, where they are stored, and how
// many tries somebody has.
package secret

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/mianmi/mianmi"
)

// Purpose separates uses of the one master key: a digest or sealed value made
// for one purpose is worth nothing for another. Purposes are in stored data:
// never renamed.
type Purpose string

// The purposes of mianmi.
const (
	ForPhone       Purpose = "phone"        // digest: find a payer by phone number
	ForBearer      Purpose = "bearer"       // digest: session tokens and API keys
	ForPaymentCode Purpose = "payment_code" // digest: payment codes (ADR 3)
	ForResetCode   Purpose = "reset_code"   // digest: one-time codes that set a new password
	ForEnrolment   Purpose = "enrolment"    // digest: one-time codes that enrol a terminal
	ForForm        Purpose = "form"         // digest: tokens of forms on pages
	ForReceiptLink Purpose = "receipt_link" // digest: links that lead to a receipt's check
	ForTOTP        Purpose = "totp"         // sealed: the shared secret of a one-time-password app
	ForWebhook     Purpose = "webhook"      // sealed: a webhook's address and secrets; digest: its address
	forPassword    Purpose = "password"     // pepper: below every argon2id hash
	forLog         Purpose = "checkpoint"   // seed: the first key of the transparency log
	forCA          Purpose = "authority"    // seed: the key of the certificate authority of terminals
)

const (
	keysVersion  = 1
	keyBytes     = 32
	fileBytesMax = 64 << 10 // a keys file has a few hundred bytes
	pinKeysMax   = 8        // the current key and those that terminals may still use
	logKeysMax   = 31       // one more is made of the master key; as many as a receipt can follow
)

// DigestBytes is the length of a keyed digest: 128 bits, so that a collision
// among 2^40 values stays below 10^-14.
const DigestBytes = 16

// Keys are the server's secrets. Every node of one installation has the same.
type Keys struct {
	master []byte
	pin    []pinKey // the first is the current one
	log    [][]byte // seeds of the log's keys, the newest first

	derived sync.Map // Purpose → *sync.Pool of keyed HMACs
	sealers sync.Map // Purpose → cipher.AEAD
}

// keysFile is the form on disk.
type keysFile struct {
	Version int      `json:"version"`
	Master  []byte   `json:"master"`
	PIN     [][]byte `json:"pin"` // seeds of key pairs, the current one first
	// Log has the seeds of the transparency log's keys after the first one, which
	// comes from Master; the newest first.
	Log [][]byte `json:"log,omitempty"`
}

// New makes fresh keys from the randomness.
func New(random io.Reader) (*Keys, error) {
	f, err := newFile(random)
	if err != nil {
		return nil, err
	}
	return f.keys()
}

func newFile(random io.Reader) (keysFile, error) {
	f := keysFile{Version: keysVersion, Master: make([]byte, keyBytes), PIN: [][]byte{make([]byte, keyBytes)}}
	for _, b := range [][]byte{f.Master, f.PIN[0]} {
		if _, err := io.ReadFull(random, b); err != nil {
			return keysFile{}, fmt.Errorf("read randomness for keys: %w", err)
		}
	}
	return f, nil
}

// Parse reads keys from the text of a keys file, as an environment variable
// may hold it. Anything but that form is an Invalid error that names "keys"
// and quotes nothing of the text.
func Parse(text []byte) (*Keys, error) {
	if len(text) > fileBytesMax {
		return nil, mianmi.InvalidField("keys", "too long for a keys file")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var f keysFile
	if err := d.Decode(&f); err != nil {
		return nil, mianmi.InvalidField("keys", "not the JSON of a keys file")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, mianmi.InvalidField("keys", "text follows the keys")
	}
	return f.keys()
}

func (f keysFile) keys() (*Keys, error) {
	if f.Version != keysVersion {
		return nil, mianmi.InvalidField("keys.version", "this program reads version 1")
	}
	if len(f.Master) != keyBytes {
		return nil, mianmi.InvalidField("keys.master", "want 32 bytes in base64")
	}
	if len(f.PIN) == 0 || len(f.PIN) > pinKeysMax {
		return nil, mianmi.InvalidField("keys.pin", "want one to eight keys, the current one first")
	}
	if len(f.Log) > logKeysMax {
		return nil, mianmi.InvalidField("keys.log", "want at most 31 seeds, the newest first")
	}
	k := &Keys{master: f.Master}
	for _, seed := range f.Log {
		if len(seed) != keyBytes {
			return nil, mianmi.InvalidField("keys.log", "want 32 bytes in base64")
		}
		k.log = append(k.log, seed)
	}
	k.log = append(k.log, k.derive("log", forLog))
	for _, seed := range f.PIN {
		p, err := newPINKey(seed)
		if err != nil {
			return nil, err
		}
		k.pin = append(k.pin, p)
	}
	return k, nil
}

// LoadOrCreate reads the keys file, or makes it with mode 0600 when there is
// none; made says which. A file that others may read is refused, for a key
// that somebody else has seen proves nothing. Nodes that start at once on one
// folder end with the same keys.
func LoadOrCreate(path string, random io.Reader) (keys *Keys, made bool, err error) {
	keys, err = Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, false, err
	}
	f, err := newFile(random)
	if err != nil {
		return nil, false, err
	}
	made, err = create(path, f)
	if err != nil {
		return nil, false, fmt.Errorf("create keys file: %w", err)
	}
	keys, err = Load(path) // what the disk has, whoever wrote it
	return keys, made, err
}

// Load reads a keys file; see LoadOrCreate.
func Load(path string) (*Keys, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("open keys file: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at keys file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, mianmi.InvalidField("keys_file", "not a regular file")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, mianmi.InvalidField("keys_file", "others may read it: chmod 600, and make new keys if somebody did")
	}
	text, err := io.ReadAll(io.LimitReader(f, fileBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("read keys file: %w", err)
	}
	return Parse(text)
}

// LogSeeds are the secret seeds of the transparency log's keys, the newest
// first. The last one is made of the master key.
func (k *Keys) LogSeeds() [][]byte { return slices.Clone(k.log) }

// CASeed is the secret seed of the key of the terminals' own certificate
// authority: made of the master key, so that every node has the same authority.
func (k *Keys) CASeed() []byte { return k.derive("terminal ca", forCA) }

// AddLogSeed puts a fresh seed for the transparency log's next key into a keys
// file, whole or not at all. It is in no use before the log changes to it.
func AddLogSeed(path string, random io.Reader) (*Keys, error) {
	if _, err := Load(path); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read keys file: %w", err)
	}
	var f keysFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, mianmi.InvalidField("keys", "not the JSON of a keys file")
	}
	seed := make([]byte, keyBytes)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("read randomness for a key: %w", err)
	}
	f.Log = append([][]byte{seed}, f.Log...)
	if _, err := f.keys(); err != nil {
		return nil, err
	}
	if err := replace(path, f); err != nil {
		return nil, fmt.Errorf("write keys file: %w", err)
	}
	return Load(path)
}

// create writes the file whole or not at all, and never over another: it is
// written under a name of its own and then linked.
func create(path string, f keysFile) (made bool, err error) {
	tmp, err := writeAside(path, f)
	if err != nil {
		return false, err
	}
	defer os.Remove(tmp) //nolint:errcheck // its link is what counts
	switch err := os.Link(tmp, path); {
	case errors.Is(err, fs.ErrExist):
		return false, nil // another node was faster
	case err != nil:
		return false, err
	}
	return true, syncFolder(path)
}

// replace writes the file anew, whole or not at all.
func replace(path string, f keysFile) error {
	tmp, err := writeAside(path, f)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncFolder(path)
}

// writeAside writes keys to a new file beside path and returns its name.
func writeAside(path string, f keysFile) (string, error) {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = tmp.Write(append(text, '\n'))
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return "", errors.Join(err, os.Remove(tmp.Name()))
	}
	return tmp.Name(), nil
}

func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// derive is the key of a purpose (HKDF-SHA-256, RFC 5869).
func (k *Keys) derive(use string, p Purpose) []byte {
	key, err := hkdf.Key(sha256.New, k.master, nil, "mianmi "+use+" "+string(p), keyBytes)
	if err != nil {
		panic("secret: HKDF refuses 32 bytes: " + err.Error()) // only lengths above 8,160 can fail
	}
	return key
}

// Digest is the keyed digest of the text for the purpose: HMAC-SHA-256,
// truncated to 16 bytes. Without the key a stored digest cannot be searched.
func (k *Keys) Digest(p Purpose, text string) []byte {
	pool, ok := k.derived.Load(p)
	if !ok {
		key := k.derive("digest", p)
		pool, _ = k.derived.LoadOrStore(p, &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }})
	}
	h := pool.(*sync.Pool).Get().(hash.Hash) //nolint:forcetypeassert // this method alone fills them
	defer pool.(*sync.Pool).Put(h)           //nolint:forcetypeassert // as above
	h.Reset()
	_, _ = io.WriteString(h, text) // a hash never fails
	return h.Sum(make([]byte, 0, sha256.Size))[:DigestBytes:DigestBytes]
}
