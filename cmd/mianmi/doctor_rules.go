package main

import (
	"context"
	"strings"

	"github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/store"
)

// checkRules looks at the rule packs in force: that this program can read them,
// that something permits, and what waits for a second person.
func (a *app) checkRules(ctx context.Context, db *store.DB) finding {
	const check = "rules"
	set, err := db.RuleSet(ctx)
	if err != nil {
		return but(fail, check, "无法读取启用中的规则包", "the rule packs in force cannot be read from the database").
			then("检查数据库", "check the database")
	}
	if fault := set.Fault(); fault != nil {
		return but(fail, check, "启用中的规则包有一部分本程序无法读取，一切免密已暂停：%s", "some rule packs in force cannot be read by this program, so nothing goes without a PIN: %s", strings.ReplaceAll(fault.Error(), "\n", "; ")).
			then("升级本节点的程序，或用 mianmi rules withdraw 撤下该规则包", "upgrade the program on this node, or take the pack out with mianmi rules withdraw")
	}
	if !set.Known() {
		return good(check, "尚无规则包，首次启动时启用", "no rule packs yet: the first start puts them in force")
	}
	waiting, err := a.rules(db).Changes(ctx, commandLine, rules.ChangeQuery{Waiting: true})
	if err == nil && len(waiting) > 0 {
		return but(warn, check, "启用规则包 %d 个，%d 项变更待复核", "%d rule packs are in force, and %d changes wait for a second person", len(set.Packs()), len(waiting)).
			then("用 mianmi rules changes 查看，用 mianmi rules approve 或 reject 处理", "look with mianmi rules changes, decide with mianmi rules approve or reject")
	}
	if len(set.Packs()) == 0 {
		return but(warn, check, "没有启用任何规则包，一切付款都须验证", "no rule pack is in force, so every payment asks for a PIN").
			then("用 mianmi rules propose 启用", "put one in force with mianmi rules propose")
	}
	return good(check, "启用规则包 %d 个：%s", "%d rule packs are in force: %s", len(set.Packs()), packNames(set.Packs()))
}
