package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mianmi/mianmi/bench"
)

type benchWebhooksCmd struct{ benchFlags }

// Run measures what webhooks cost payments and how fast they are sent.
func (c *benchWebhooksCmd) Run(ctx context.Context, a *app) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	dsn, stop, err := c.database(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var f bench.WebhookFigures
	if err := c.profiled(func() error {
		f, err = bench.Webhooks(ctx, c.options(a, dsn))
		return err
	}); err != nil {
		return err
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%v\n%v\n%v\n%v\n%v\n%v\n%s\n", f.Idle, f.Quiet, f.Written, f.Sent, f.Alone, f.Beside, text)
	return err
}
