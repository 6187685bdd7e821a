// Package disk keeps a terminal's files so that losing power at any moment
// leaves the old file or the new one, whole, and a file that is neither is
// known to be damaged.
//
// What the files say, and what a damaged one means, is left to agent.
package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// FileMax bounds a file: a terminal's state has less than a tenth of it.
const FileMax = 4 << 20

// Errors of Load that a caller branches on.
var (
	// ErrNone says that the file was never written.
	ErrNone = errors.New("there is no such file")
	// ErrDamaged says that the file is not what was written: its content must
	// not be believed, not even in part.
	ErrDamaged = errors.New("the file is damaged")
)

// FS is the few calls that files are kept with; a test can stop at each.
type FS interface {
	ReadFile(name string) ([]byte, error)
	Create(name string) (File, error) // for writing, empty
	Rename(from, to string) error     // in the place of another, too
	Remove(name string) error
	SyncDir() error // makes names durable
}

// File is a file under writing.
type File interface {
	io.Writer
	Sync() error
	Close() error
}

// Folder is a folder of files that are replaced as a whole. It is safe for
// concurrent use.
type Folder struct {
	mu sync.Mutex
	fs FS
}

// New returns a Folder over calls of its own. Programs use Open.
func New(calls FS) *Folder { return &Folder{fs: calls} }

// tempSuffix ends the name of a file that is not yet in its place.
const tempSuffix = ".new"

// header is the first line of a file: form, SHA-256 and length of the rest.
func header(content []byte) []byte {
	sum := sha256.Sum256(content)
	return fmt.Appendf(nil, "mianmi-file 1 %s %d\n", hex.EncodeToString(sum[:]), len(content))
}

// Save replaces the file. When it returns nil, the new content is durable;
// when it returns an error, the file holds the old content or the new one.
func (f *Folder) Save(name string, content []byte) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(content) > FileMax {
		return fmt.Errorf("save %s: %d bytes, at most %d", name, len(content), FileMax)
	}
	temp := name + tempSuffix
	defer func() {
		if err != nil {
			err = fmt.Errorf("save %s: %w", name, err)
			_ = f.fs.Remove(temp) // the next Save writes over it anyway
		}
	}()
	out, err := f.fs.Create(temp)
	if err != nil {
		return err
	}
	if err := write(out, content); err != nil {
		return err
	}
	// The content is on the disk before the name points to it, and the name
	// before the caller goes on.
	if err := f.fs.Rename(temp, name); err != nil {
		return err
	}
	return f.fs.SyncDir()
}

func write(out File, content []byte) error {
	_, err := out.Write(append(header(content), content...))
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// Load returns the content as it was saved, ErrNone or ErrDamaged.
func (f *Folder) Load(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.fs.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("load %s: %w", name, ErrNone)
	case err != nil: // a sector that cannot be read is damage, too
		return nil, fmt.Errorf("load %s: %w: %w", name, ErrDamaged, err)
	}
	_, content, ok := bytes.Cut(b, []byte("\n"))
	if !ok || !bytes.Equal(b[:len(b)-len(content)], header(content)) {
		return nil, fmt.Errorf("load %s: %w", name, ErrDamaged)
	}
	return content, nil
}
