package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/agent/link"
	"github.com/mianmi/mianmi/agent/model"
	"github.com/mianmi/mianmi/agent/screen"
	"github.com/mianmi/mianmi/agent/slot"
	"github.com/mianmi/mianmi/terminal/protocol"
)

type terminalCmd struct {
	Host       string `placeholder:"URL" help:"Address of the host for terminals (https://…); for the first start." zh:"主机的终端地址（https://…）；首次启动时需要。"`
	Code       string `placeholder:"CODE" help:"One-time enrolment code from the console (mm1-…); for the first start." zh:"后台给出的一次性登记码（mm1-…）；首次启动时需要。"`
	Model      string `placeholder:"FAMILY" default:"linux_countertop" help:"Family of the model: android_smart, linux_countertop, pinpad_ecr or qr_box." zh:"机型类别：android_smart、linux_countertop、pinpad_ecr 或 qr_box。"`
	Screen     string `name:"screen" aliases:"listen" placeholder:"HOST:PORT" default:"127.0.0.1:8090" help:"Address of the terminal's own screen, for a browser on the same machine; --listen means the same." zh:"终端自己的屏幕地址，供本机浏览器访问；也可写作 --listen。"`
	Firmware   string `placeholder:"VERSION" help:"Version of the machine's firmware, as reports tell it." zh:"设备固件版本，随报告上报。"`
	NoUpdates  bool   `help:"Take no programs from the host: somebody else looks after them." zh:"不从主机获取程序更新，由其他方式维护。"`
	UpdateRoot string `placeholder:"FILE" help:"Root of the update repository (root.json) that this terminal trusts first; default is the host's first root, taken once." zh:"本终端最初信任的更新库根文件（root.json）；默认为主机的第一个根文件，只取一次。"`
	NoMQTT     bool   `name:"no-mqtt" help:"Ask over HTTPS alone, for networks that block MQTT." zh:"只用 HTTPS 询问主机，适用于屏蔽 MQTT 的网络。"`
}

// Validate is called by kong once every flag is set.
func (c *terminalCmd) Validate() error {
	if _, err := model.Load(c.Model); err != nil {
		return fmt.Errorf("--model: want one of %s", strings.Join(model.Families(), ", "))
	}
	host, _, err := net.SplitHostPort(c.Screen)
	ip := net.ParseIP(host)
	if err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("--screen: want an address of this machine itself, such as 127.0.0.1:8090")
	}
	if c.Host != "" {
		if _, err := link.ParseHost(c.Host); err != nil {
			return fmt.Errorf("--host: %w", err)
		}
	}
	if c.Code != "" {
		if _, err := protocol.ParseEnrolCode(c.Code); err != nil {
			return errors.New("--code: is not an enrolment code: copy it whole, from mm1- to its end")
		}
	}
	return nil
}

// Limits of the screen's server: one browser on the same machine.
const (
	screenHeaderMax = 5 * time.Second
	screenStopMax   = 2 * time.Second
)

// Run runs a terminal until ctx ends.
func (c *terminalCmd) Run(ctx context.Context, a *app) (err error) {
	self, err := os.Executable() // now: an update puts another program under this name
	if err != nil {
		return err
	}
	folder, lock, err := disk.Open(filepath.Join(a.shared.Data, "terminal"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	v, _ := version()
	slots, err := c.slots(a, folder, slot.Self{Path: self, Version: v})
	if err != nil {
		return err
	}
	// Before the host is asked: a port that is taken must not cost a code.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Screen)
	if err != nil {
		return fmt.Errorf("the screen: %w", err)
	}
	parts, join, err := c.parts(a, folder, programs{self, slots})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	t, err := agent.Start(ctx, parts, join)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	s, err := screen.New(screen.Parts{Terminal: t, Clock: a.clock, Random: a.random, Zone: time.Local, Lang: a.lang, Log: a.log})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	a.log.InfoContext(ctx, "terminal", "id", string(t.ID()), "boot", t.Setting().Boot.Count, "host", t.Host(), "screen", "http://"+listener.Addr().String()+"/")
	return c.serve(ctx, t, &http.Server{Handler: s, ReadHeaderTimeout: screenHeaderMax, BaseContext: func(net.Listener) context.Context { return ctx }}, listener)
}

// serve answers the screen's browser while the terminal lives.
func (c *terminalCmd) serve(ctx context.Context, t *agent.Terminal, s *http.Server, l net.Listener) error {
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	lived := make(chan error, 1)
	inner, stop := context.WithCancel(ctx)
	defer stop()
	go func() { lived <- t.Run(inner) }()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), screenStopMax)
		defer cancel()
		if s.Shutdown(end) != nil {
			_ = s.Close() // a stream that goes on: the browser comes back to the next start
		}
		err = <-served
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	stop()
	return errors.Join(err, <-lived)
}

func (c *terminalCmd) parts(a *app, folder *disk.Folder, p programs) (agent.Parts, agent.Join, error) {
	kind, err := model.Load(c.Model)
	if err != nil {
		return agent.Parts{}, agent.Join{}, err
	}
	join := agent.Join{Host: c.Host}
	if c.Code != "" {
		if join.Code, err = protocol.ParseEnrolCode(c.Code); err != nil {
			return agent.Parts{}, agent.Join{}, err
		}
	}
	v, _ := version()
	from, err := c.programs(p)
	if err != nil {
		return agent.Parts{}, agent.Join{}, err
	}
	return agent.Parts{Folder: folder, Model: kind, Clock: a.clock, Up: uptime(), Random: a.random, Log: a.log,
		Device:  protocol.Device{OS: system(), Firmware: c.Firmware, App: v},
		Link:    link.Options{Clock: a.clock, Random: a.random, Log: a.log, NoMQTT: c.NoMQTT},
		Restart: p.restart, Programs: from}, join, nil
}

// system is the operating system's name and version.
func system() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return runtime.GOOS + " " + strings.TrimSpace(string(b))
}
