package main

// rulesCmd is "mianmi rules": what works on files alone stands in rulesTools,
// what changes the packs in force in rulesPacks.
type rulesCmd struct {
	rulesTools
	rulesPacks
}

// rulesTools read and try rules; none of them needs a database. One field a
// subcommand, each in a file of its own.
type rulesTools struct {
	List         rulesListCmd         `cmd:"" help:"List the rule packs with their dates, what they do and which reading they take; or show one whole." zh:"列出规则包：适用期、作用与所取解读；或完整显示其中一个。"`
	Explain      rulesExplainCmd      `cmd:"" help:"Say what would be decided about a payment and why: every reason in words, every pack that applies or does not." zh:"说明一笔付款会如何判定及原因：逐条给出原因，并列出各规则包是否适用。"`
	Diff         rulesDiffCmd         `cmd:"" help:"Say what would change with packs B in the place of packs A: field by field, and for a payment log how many payments and which." zh:"比较两套规则包：逐字段差异，以及回放付款日志后有多少付款、哪些付款的判定会不同。"`
	Reader       rulesReaderCmd       `cmd:"" help:"Compute the values that a terminal's EMV configuration needs: reader limits, UnionPay FF8054 to FF805A." zh:"计算终端 EMV 配置所需的参数：读卡器限额、银联 FF8054 至 FF805A。"`
	Compensation rulesCompensationCmd `cmd:"" help:"Say what the holder of a lost or stolen card gets for a PIN-free payment, and why." zh:"说明失卡持卡人的一笔免密付款可获多少赔付及原因。"`
	Check        rulesCheckCmd        `cmd:"" help:"Replay a file of cases with the limits that stand in them; exit status 1 when one fails." zh:"按案例文件中写明的限额重放案例；有案例未通过时退出码为 1。"`
	Test         rulesTestCmd         `cmd:"" help:"Replay the cases that name a rule pack with the limits of the pack itself." zh:"按规则包自身的限额重放指明该规则包的案例。"`
}
