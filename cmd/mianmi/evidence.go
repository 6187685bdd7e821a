package main

// evidenceCmd looks after the transparency log.
type evidenceCmd struct {
	Check evidenceCheckCmd `cmd:"" help:"Check the whole transparency log from the stored entries: every hash, batch, checkpoint and signature; exit status 1 when something does not fit." zh:"用存储的存证核对整份透明日志：每个哈希、批次、检查点和签名；有任何不符时退出码为 1。"`
	AsOf  evidenceAsOfCmd  `cmd:"" help:"What was in force at a moment, rebuilt from the transparency log alone: of a payment, terminal, merchant or payer." zh:"某一时刻生效的设置，全部由透明日志重建：付款、终端、商户或付款人。"`
}
