package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/agent/slot"
)

// programs are the one that runs and those in slots; nil: there are none.
type programs struct {
	self  string
	slots *slot.Slots
}

// slots lets the program run that is to run: this one, or one in a slot, which
// then takes this one's place. Whatever goes wrong, this one goes on.
func (c *terminalCmd) slots(a *app, folder *disk.Folder, self slot.Self) (*slot.Slots, error) {
	if c.NoUpdates {
		return nil, nil //nolint:nilnil // there are none
	}
	blobs, err := disk.OpenBlobs(filepath.Join(a.shared.Data, "terminal", "programs"))
	if err != nil {
		return nil, err
	}
	s, err := slot.Open(folder, blobs, a.clock.Now)
	if err != nil {
		return nil, err
	}
	for range slotsMax {
		run, err := s.Boot(self)
		if err != nil {
			a.log.Error("which program runs could not be written down", "error", err)
		}
		if run == "" {
			break
		}
		a.log.Info("another program takes over", "program", run)
		a.log.Error("it did not start", "program", run, "error", replaceProcess(run, os.Args, os.Environ()))
		if err := s.NotStarted(); err != nil {
			a.log.Error("that could not be written down", "error", err)
			break
		}
	}
	return s, nil
}

// slotsMax is how many programs can be tried in turn: next, former, installed.
const slotsMax = 4

// programs is where the terminal's programs come from.
func (c *terminalCmd) programs(p programs) (*agent.Programs, error) {
	if p.slots == nil {
		return nil, nil //nolint:nilnil // from elsewhere
	}
	out := &agent.Programs{Slots: p.slots, Platform: runtime.GOOS + "-" + runtime.GOARCH}
	if c.UpdateRoot == "" {
		return out, nil
	}
	f, err := os.Open(c.UpdateRoot)
	if err != nil {
		return nil, fmt.Errorf("--update-root: %w", err)
	}
	out.Root, err = io.ReadAll(io.LimitReader(f, rootBytesMax))
	return out, errors.Join(err, f.Close())
}

// rootBytesMax bounds the root: many times what one has.
const rootBytesMax = 64 << 10

// restart starts the installed program in the place of this one: it decides
// what runs.
func (p programs) restart() error {
	if p.slots != nil {
		if installed := p.slots.Standing().Installed; installed != "" && installed != p.self {
			err := replaceProcess(installed, os.Args, os.Environ())
			return errors.Join(err, replaceProcess(p.self, os.Args, os.Environ()))
		}
	}
	return replaceProcess(p.self, os.Args, os.Environ())
}
