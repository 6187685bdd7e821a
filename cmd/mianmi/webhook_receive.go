package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mianmi/mianmi/notice"
)

type webhookReceiveCmd struct {
	Listen        string `name:"receive-at" placeholder:"HOST:PORT" default:"127.0.0.1:9000" help:"Where to listen." zh:"监听地址。"`
	WebhookSecret string `placeholder:"whsec_…" required:"" help:"The webhook's secret; better in the environment, where no list of processes shows it." zh:"webhook 的密钥；建议写在环境变量里，以免出现在进程列表中。"`
}

// receiveMax bounds a request to the receiver.
const receiveMax = 10 * time.Second

// Run prints each message that is signed as a line of JSON, until ctx ends;
// then what was seen, with an error when a message is missing, came out of
// order or was forged.
func (c *webhookReceiveCmd) Run(ctx context.Context, a *app) error {
	r, err := notice.NewReceiver(a.clock, c.WebhookSecret)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	r.Take = func(m notice.Received) int {
		mu.Lock()
		defer mu.Unlock()
		if _, err := fmt.Fprintf(a.stdout, "%s\n", m.Body); err != nil {
			return http.StatusInternalServerError
		}
		return http.StatusNoContent
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	a.log.InfoContext(ctx, "receiving", "address", l.Addr().String())
	s := &http.Server{Handler: r, ReadHeaderTimeout: receiveMax, ReadTimeout: receiveMax, WriteTimeout: receiveMax,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) }}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err = <-failed:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), receiveMax)
	defer cancel()
	err = s.Shutdown(stop)
	report := r.Report()
	text, encErr := json.Marshal(report)
	if err := errors.Join(err, encErr); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(a.stderr, "%s\n", text); err != nil {
		return err
	}
	if !report.OK() {
		return errors.New("messages are missing, out of order, or not signed")
	}
	return nil
}
