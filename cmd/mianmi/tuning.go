package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

// tuning are the settings of the domain packages that serve takes as flags.
type tuning struct {
	CoolingOff time.Duration `placeholder:"TIME" default:"24h" help:"Time before a payer's loosening (reopening, a higher limit) is in force." zh:"付款人放宽设置（重新开启、提高限额）生效前的冷静期。"`
	StepUpLife time.Duration `placeholder:"TIME" default:"90s" help:"How long a payment waits for the payer's password or PIN." zh:"付款等待验证密码的最长时间。"`
	Packs      []string      `placeholder:"ID,…" help:"Rule packs in force, by identifier; by default the present rules of regulators and schemes, see docs/rules-sources.md." zh:"启用的规则包标识；默认启用监管机构和卡组织的现行规则，见 docs/rules-sources.zh-CN.md。"`
	Lanes      int           `placeholder:"N" default:"0" help:"Payment transactions under way at once; 0 takes what suits the database." zh:"同时进行的支付事务数；0 表示按数据库自动选择。"`
	LoginsMax  int           `placeholder:"N" default:"20" help:"Logins that one remote address may try in a minute." zh:"同一来源地址每分钟可尝试登录的次数。"`

	TrustedProxies []netip.Prefix `placeholder:"CIDR,…" help:"Addresses of proxies whose X-Forwarded-For is believed; none by default." zh:"可信代理的地址段，采信其 X-Forwarded-For；默认没有。"`
}

func (t *tuning) check() error {
	switch {
	case t.CoolingOff < time.Second || t.CoolingOff > 30*24*time.Hour:
		return errors.New("--cooling-off: want 1s to 720h")
	case t.StepUpLife < 10*time.Second || t.StepUpLife > time.Hour:
		return errors.New("--step-up-life: want 10s to 1h")
	case t.Lanes < 0 || t.Lanes > 64:
		return errors.New("--lanes: want 0 to 64")
	case t.LoginsMax < 1 || t.LoginsMax > 100_000:
		return errors.New("--logins-max: want 1 to 100000")
	}
	return nil
}

// lanes is one on SQLite, which has one writer, and two on PostgreSQL: while
// one commits the other reads (docs/adr/0001).
func (t *tuning) lanes(engine string) int {
	switch {
	case t.Lanes > 0:
		return t.Lanes
	case engine == "sqlite":
		return 1
	}
	return 2
}

// rules compiles the packs in force. Which payments a pack speaks about is
// said by the pack itself, so packs of several countries stand side by side.
func (t *tuning) rules() (*pinfree.RuleSet, error) {
	shipped, err := packs.Embedded()
	if err != nil {
		return nil, err
	}
	if len(t.Packs) == 0 {
		taken, err := packs.Default()
		if err != nil {
			return nil, err
		}
		return pinfree.Compile(taken)
	}
	var ids []string
	taken := shipped[:0:0]
	for _, p := range shipped {
		ids = append(ids, p.ID)
		if slices.Contains(t.Packs, p.ID) {
			taken = append(taken, p)
		}
	}
	for _, id := range t.Packs {
		if !slices.Contains(ids, id) {
			return nil, fmt.Errorf("--packs: there is no pack %q; shipped are %s", id, strings.Join(ids, ", "))
		}
	}
	return pinfree.Compile(taken)
}
