package main

// evidenceCmd looks after the transparency log.
type evidenceCmd struct {
	Check  evidenceCheckCmd  `cmd:"" help:"Check the whole transparency log from the stored entries: every hash, batch, checkpoint and signature; exit status 1 when something does not fit." zh:"用存储的存证核对整份透明日志：每个哈希、批次、检查点和签名；有任何不符时退出码为 1。"`
	Export evidenceExportCmd `cmd:"" help:"Write the log as tiles in the public layout (c2sp.org/tlog-tiles), with the records of batches beside them." zh:"按公开的分片格式（c2sp.org/tlog-tiles）导出日志，并附批次记录。"`
	AsOf   evidenceAsOfCmd   `cmd:"" help:"What was in force at a moment, rebuilt from the transparency log alone: of a payment, terminal, merchant or payer." zh:"某一时刻生效的设置，全部由透明日志重建：付款、终端、商户或付款人。"`

	Keys      evidenceKeysCmd      `cmd:"" help:"List the public keys that the log has had." zh:"列出日志用过的公钥。"`
	NewKey    evidenceNewKeyCmd    `cmd:"" help:"Put a new key for the log into the keys file, for a later change." zh:"在密钥文件中加入一个新的日志密钥，供以后更换。"`
	ChangeKey evidenceChangeKeyCmd `cmd:"" help:"Let the log's key hand over to the newest one of the keys file; every node must have that file already." zh:"把日志的签名密钥更换为密钥文件中最新的一个；此前每个节点都须已有该文件。"`
}
