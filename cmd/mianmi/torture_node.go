package main

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/mianmi/mianmi"
)

// tortureNodeCmd is a server of mianmi torture with a clock that is wrong, or
// with a bound on its files. It is a subcommand of its own, and serve has
// neither setting, so that nothing in the flags, the environment or the file of
// a server in service can move its clock. Who can start this one has the
// database and the keys, and could move the clock of the machine as well.
type tortureNodeCmd struct {
	serveCmd
	ClockOffset  time.Duration `placeholder:"TIME" help:"How far the clock is ahead." zh:"时钟快多少。"`
	FileBytesMax int64         `placeholder:"N" help:"Most bytes of a file; 0: no bound." zh:"文件字节数上限；0 表示不限。"`
}

// Run serves on this machine alone.
func (c *tortureNodeCmd) Run(ctx context.Context, a *app) error {
	if at, err := netip.ParseAddrPort(c.Listen); err != nil || !at.Addr().IsLoopback() {
		return errors.New("--listen: a server with a wrong clock is for the loopback address")
	}
	if c.FileBytesMax > 0 {
		if err := boundFiles(c.FileBytesMax); err != nil {
			return err
		}
	}
	inner := *a
	machine := a.clock
	inner.clock = mianmi.ClockFunc(func() time.Time { return machine.Now().Add(c.ClockOffset) })
	return c.serveCmd.Run(ctx, &inner)
}
