package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mianmi/mianmi/secret"
)

const (
	// filesWarn: every terminal and caller holds a connection, and a shop floor
	// has thousands.
	filesWarn = 4096
	filesFail = 256
	// diskFail: below it a database file may not be able to end a transaction;
	// diskWarn is a day of payments at one a second, with its evidence.
	diskFail = 100 << 20
	diskWarn = 1 << 30
	mib      = 1 << 20
)

// examineHost looks at the folder, the keys and the limits of this machine.
func (a *app) examineHost() []finding {
	findings := []finding{a.checkData(), a.checkKeys()}
	where := a.shared.Data
	if file, sqlite := strings.CutPrefix(a.shared.dsn(), "sqlite:"); sqlite {
		where = filepath.Dir(file)
	}
	if free, known := diskFree(where); known {
		findings = append(findings, checkDisk(where, free))
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		findings = append(findings, checkFiles(uint64(limit.Cur))) //nolint:unconvert // signed on some systems
	}
	return findings
}

func (a *app) checkData() finding {
	const check = "data.folder"
	dir := a.shared.Data
	info, err := os.Stat(dir)
	switch {
	case err != nil || !info.IsDir():
		return but(fail, check, "数据目录 %s 不存在或不可访问", "the data folder %s is not there or cannot be looked at", dir).
			then("运行 mianmi migrate 创建，或用 --data 指定正确的目录", "make it with mianmi migrate, or name the right one with --data")
	case info.Mode().Perm()&0o022 != 0:
		return but(warn, check, "其他用户可写数据目录 %s（权限 %#o）", "others may write in the data folder %s (mode %#o)", dir, info.Mode().Perm()).
			then("执行 chmod 700 %s", "run chmod 700 %s", dir)
	}
	return good(check, "数据目录 %s 存在", "the data folder %s is there", dir)
}

func (a *app) checkKeys() finding {
	const check = "keys.file"
	file := a.shared.keysFile()
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return but(fail, check, "密钥文件 %s 不存在", "the keys file %s is not there", file).
			then("新部署：mianmi serve 首次启动时会生成。已有部署：从备份恢复，否则已保存的口令与卡标识无法再验证",
				"new deployment: mianmi serve makes it at its first start. Existing one: restore it from the backup, for what was sealed with the old keys is lost without them")
	case err != nil:
		return but(fail, check, "无法查看密钥文件 %s", "the keys file %s cannot be looked at", file).
			then("检查所在目录的权限", "check the permissions of its folder")
	case info.Mode().Perm()&0o077 != 0:
		return but(fail, check, "其他用户可访问密钥文件 %s（权限 %#o）", "others may reach the keys file %s (mode %#o)", file, info.Mode().Perm()).
			then("执行 chmod 600 %s；若可能已被他人读取，请更换密钥", "run chmod 600 %s; if somebody may have read it, make new keys", file)
	}
	if _, err := secret.Load(file); err != nil {
		return but(fail, check, "密钥文件 %s 已损坏或无法读取", "the keys file %s is damaged or cannot be read", file).
			then("从备份恢复该文件", "restore it from the backup")
	}
	return good(check, "密钥文件完好，仅本用户可读（权限 %#o）", "the keys file is whole and readable by this user alone (mode %#o)", info.Mode().Perm())
}

func checkDisk(where string, free uint64) finding {
	const check = "disk.free"
	switch {
	case free < diskFail:
		return but(fail, check, "%s 仅剩 %d MiB 磁盘空间", "%s has only %d MiB of disk left", where, free/mib).
			then("立即腾出空间或扩容：写满后所有支付都会被拒绝", "free or add space now: on a full disk every payment is refused")
	case free < diskWarn:
		return but(warn, check, "%s 剩余 %d MiB 磁盘空间", "%s has %d MiB of disk left", where, free/mib).
			then("尽快腾出空间或扩容", "free or add space soon")
	}
	return good(check, "%s 剩余 %d MiB 磁盘空间", "%s has %d MiB of disk left", where, free/mib)
}

func checkFiles(limit uint64) finding {
	const check = "files.limit"
	switch {
	case limit < filesFail:
		return but(fail, check, "打开文件数上限仅 %d", "the limit of open files is only %d", limit).
			then("调高 ulimit -n 或 systemd 的 LimitNOFILE，建议 65536", "raise ulimit -n, or LimitNOFILE of systemd, to 65536")
	case limit < filesWarn:
		return but(warn, check, "打开文件数上限 %d，每个终端和调用方各占一个连接", "the limit of open files is %d, and each terminal and caller takes one", limit).
			then("调高 ulimit -n 或 systemd 的 LimitNOFILE，建议 65536", "raise ulimit -n, or LimitNOFILE of systemd, to 65536")
	}
	return good(check, "打开文件数上限 %d", "the limit of open files is %d", limit)
}
