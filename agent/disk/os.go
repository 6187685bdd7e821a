package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Open makes the folder, for its owner alone, and locks it: two programs on
// one folder would undo each other's writes. Close unlocks it, as does the end
// of the process.
func Open(dir string) (*Folder, io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("open the terminal's folder: %w", err)
	}
	held, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, nil, fmt.Errorf("open the terminal's folder %s: %w", dir, err)
	}
	return New(osFS{dir}), held, nil
}

// errInUse says that another program has the folder.
var errInUse = errors.New("another terminal program runs on it")

type osFS struct{ dir string }

func (o osFS) path(name string) string { return filepath.Join(o.dir, name) }

func (o osFS) ReadFile(name string) ([]byte, error) {
	file, err := os.Open(o.path(name))
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // read only
	return io.ReadAll(io.LimitReader(file, FileMax+1024))
}

func (o osFS) Create(name string) (File, error) {
	return os.OpenFile(o.path(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

func (o osFS) Rename(from, to string) error { return os.Rename(o.path(from), o.path(to)) }

func (o osFS) Remove(name string) error {
	if err := os.Remove(o.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (o osFS) SyncDir() error {
	dir, err := os.Open(o.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
