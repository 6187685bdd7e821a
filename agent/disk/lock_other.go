//go:build !unix

package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// lock makes a file that only its maker may remove.
func lock(path string) (io.Closer, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, errInUse
	}
	if err != nil {
		return nil, err
	}
	return held{file}, nil
}

type held struct{ *os.File }

func (h held) Close() error { return errors.Join(h.File.Close(), os.Remove(h.Name())) }
