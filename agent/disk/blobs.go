package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// BlobFS is the few calls that large files are kept with; a test can stop at
// each.
type BlobFS interface {
	Append(name string) (file File, size int64, err error) // at its end; made when missing
	Open(name string) (io.ReadCloser, error)
	Seal(name string) error // nobody writes it from now on, and it can be run
	Rename(from, to string) error
	Remove(name string) error
	SyncDir() error
	Names() ([]string, error)
}

// Blobs keeps large files under their SHA-256. They are filled piece by piece,
// over restarts, and get their name once they are whole: what has a name was
// whole when it got it. It is safe for concurrent use.
type Blobs struct {
	mu  sync.Mutex
	fs  BlobFS
	dir string
}

// NewBlobs returns Blobs over calls of its own. Programs use OpenBlobs.
func NewBlobs(calls BlobFS, dir string) *Blobs { return &Blobs{fs: calls, dir: dir} }

// OpenBlobs makes the folder, for its owner alone. Whoever holds the lock of
// the folder above may use it.
func OpenBlobs(dir string) (*Blobs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the folder of programs: %w", err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of programs: %w", err)
	}
	return NewBlobs(osBlobFS{osFS{dir}}, dir), nil
}

// partEnd ends the name of what is not whole yet.
const partEnd = ".part"

// Path is where the file is, or would be.
func (b *Blobs) Path(sum string) string { return filepath.Join(b.dir, sum) }

// Append opens what there is of a file for writing on. Each Close makes it durable.
func (b *Blobs) Append(sum string) (io.WriteCloser, int64, error) {
	if err := checkSum(sum); err != nil {
		return nil, 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f, size, err := b.fs.Append(sum + partEnd)
	if err != nil {
		return nil, 0, err
	}
	return syncing{f}, size, nil
}

type syncing struct{ File }

func (s syncing) Close() error { return errors.Join(s.Sync(), s.File.Close()) }

// Drop removes what there is of an unfinished file.
func (b *Blobs) Drop(sum string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fs.Remove(sum + partEnd)
}

// Finish gives a file its name when it has that length and SHA-256; otherwise
// it removes it, and whole is false.
func (b *Blobs) Finish(sum string, length int64) (whole bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	part := sum + partEnd
	got, n, err := b.read(part)
	switch {
	case err != nil:
		return false, err
	case got != sum || n != length:
		return false, b.fs.Remove(part)
	}
	// Content and mode before the name, the name before the caller goes on.
	if err := b.fs.Seal(part); err != nil {
		return false, err
	}
	if err := b.fs.Rename(part, sum); err != nil {
		return false, err
	}
	return true, b.fs.SyncDir()
}

// Whole reads a file from end to end and reports whether it is what its name
// says. A file that cannot be read is not.
func (b *Blobs) Whole(sum string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	got, _, err := b.read(sum)
	return err == nil && got == sum
}

func (b *Blobs) read(name string) (sum string, length int64, err error) {
	f, err := b.fs.Open(name)
	if err != nil {
		return "", 0, err
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), n, errors.Join(err, f.Close())
}

// Keep removes all files but those named, unfinished ones included, and nothing
// that is none of ours.
func (b *Blobs) Keep(sums ...string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	names, err := b.fs.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if sum := strings.TrimSuffix(name, partEnd); checkSum(sum) == nil && !slices.Contains(sums, sum) {
			err = errors.Join(err, b.fs.Remove(name))
		}
	}
	return err
}

func checkSum(sum string) error {
	if b, err := hex.DecodeString(sum); err != nil || len(b) != sha256.Size || strings.ToLower(sum) != sum {
		return fmt.Errorf("%q is no SHA-256", sum)
	}
	return nil
}

type osBlobFS struct{ osFS }

func (o osBlobFS) Append(name string) (File, int64, error) {
	f, err := os.OpenFile(o.path(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

func (o osBlobFS) Open(name string) (io.ReadCloser, error) { return os.Open(o.path(name)) }

func (o osBlobFS) Seal(name string) error {
	f, err := os.Open(o.path(name))
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o500), f.Sync(), f.Close()) //nolint:gosec // a program is there to be run
}

func (o osBlobFS) Names() ([]string, error) {
	entries, err := os.ReadDir(o.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}
