package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi/bench"
)

type benchSearchCmd struct {
	Payments int     `placeholder:"N" default:"1000000" help:"Payments to load into an empty database; one that has payments is searched as it is." zh:"向空数据库装入的支付笔数；已有支付的数据库按现状查询。"`
	Cases    int     `placeholder:"N" default:"100000" help:"Cases to load." zh:"装入的工单数。"`
	Rounds   int     `placeholder:"N" default:"200" help:"Searches of each kind." zh:"每种查询的次数。"`
	Seconds  float64 `placeholder:"S" default:"20" help:"The longest time for one kind." zh:"每种查询最多用多少秒。"`
	TempPG   bool    `name:"temporary-postgres" help:"Start a PostgreSQL for this run, with durable commits, and remove it afterwards (needs PostgreSQL's programs, not a server)." zh:"为本次运行启动一个临时 PostgreSQL（提交仍落盘），结束后删除；只需安装 PostgreSQL 程序。"`
}

// Run measures the searches.
func (c *benchSearchCmd) Run(ctx context.Context, a *app) (err error) {
	switch {
	case c.Payments < 1000 || c.Payments > 1_000_000_000 || c.Cases < 1000 || c.Cases > 100_000_000:
		return errors.New("--payments, --cases: want at least 1000")
	case c.Rounds < 1 || c.Rounds > 100_000 || c.Seconds <= 0 || c.Seconds > 3600:
		return errors.New("--rounds, --seconds: want 1 to 100000 searches, and at most an hour")
	}
	dsn, stop, err := (&benchFlags{TempPG: c.TempPG}).database(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	o := bench.SearchOptions{DSN: dsn, Payments: c.Payments, Cases: c.Cases, Rounds: c.Rounds, RoundsFor: time.Duration(c.Seconds * float64(time.Second)),
		Clock: a.clock, Random: a.random, Log: a.log}
	var all []bench.Searched
	if err := bench.Search(ctx, o, func(s bench.Searched) {
		all = append(all, s)
		_, _ = fmt.Fprintln(a.stdout, s)
	}); err != nil {
		return err
	}
	text, err := json.Marshal(all)
	if err == nil {
		_, err = fmt.Fprintf(a.stdout, "%s\n", text)
	}
	return err
}
