package torture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// SmallDisk is a file system of a few megabytes that can be filled.
type SmallDisk struct{ Dir string }

// ErrNoMount says that this process may not mount a file system.
var ErrNoMount = errors.New("mounting a small file system needs root")

// NewSmallDisk mounts a file system of that many bytes in memory on a folder.
func NewSmallDisk(dir string, bytes int64) (*SmallDisk, error) {
	err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NODEV|syscall.MS_NOSUID, fmt.Sprintf("size=%d,mode=0755", bytes))
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return nil, ErrNoMount
	case err != nil:
		return nil, fmt.Errorf("mount a small file system on %s: %w", dir, err)
	}
	return &SmallDisk{dir}, nil
}

// Close unmounts it, with all that lies on it.
func (d *SmallDisk) Close() error { return syscall.Unmount(d.Dir, syscall.MNT_DETACH) }

func (d *SmallDisk) ballast() string { return filepath.Join(d.Dir, "ballast") }

// Fill takes all room but about that many bytes.
func (d *SmallDisk) Fill(left int64) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(d.Dir, &st); err != nil {
		return err
	}
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	var zeros [4096]byte
	for n := int64(st.Bavail)*st.Bsize - left; n > 0; n -= int64(len(zeros)) { //nolint:gosec // a few megabytes
		if _, err := f.Write(zeros[:]); err != nil {
			break // it is full
		}
	}
	return f.Close()
}

// Free takes the ballast away.
func (d *SmallDisk) Free() error { return os.Remove(d.ballast()) }
