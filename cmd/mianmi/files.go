package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/support/files"
)

// filesFlags are about what is attached to cases.
type filesFlags struct {
	Files     string `placeholder:"DIR" help:"Folder of what is attached to cases, sealed; all servers of one database share it. It has to be there, but for the default: files in the data folder." zh:"工单附件所在目录，密封保存；同一数据库的各台服务器须共用。目录须已存在；默认是数据目录下的 files，会自动创建。"`
	ScanClamd string `placeholder:"ADDRESS" help:"A ClamAV daemon that looks through what is attached: HOST:PORT, or the path of its socket. While it cannot say, nothing is taken." zh:"用来扫描附件的 ClamAV 守护进程：HOST:PORT，或其套接字路径。扫描不可用时，一律不收附件。"`
}

func (f *filesFlags) check() error {
	if f.ScanClamd == "" || filepath.IsAbs(f.ScanClamd) {
		return nil
	}
	if host, port, err := net.SplitHostPort(f.ScanClamd); err != nil || host == "" || port == "" {
		return errors.New("--scan-clamd: want HOST:PORT, or the path of a socket from the root")
	}
	return nil
}

func (f *filesFlags) filesDir(a *app) string {
	if f.Files != "" {
		return f.Files
	}
	return filepath.Join(a.shared.Data, "files")
}

func (f *filesFlags) filesFolder(a *app, keys *secret.Keys) (*files.Folder, error) {
	return files.New(files.Parts{Dir: f.filesDir(a), Keys: keys, Random: a.random, Scanner: f.scanner()})
}

// makeFilesDir makes the default folder. Without it nothing can be attached, and all else
// goes on.
func (f *filesFlags) makeFilesDir(ctx context.Context, a *app) {
	dir := f.filesDir(a)
	_, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) && f.Files == "" {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil {
		a.log.WarnContext(ctx, "nothing can be attached to cases: the folder of files is not there", "folder", dir, "error", err)
	}
}

// scanMax bounds one look at a file: clamd takes a second or two for what is large.
const scanMax = 20 * time.Second

// scanner is nil without an address.
func (f *filesFlags) scanner() files.Scanner {
	switch {
	case f.ScanClamd == "":
		return nil
	case filepath.IsAbs(f.ScanClamd):
		return files.Clamd{Network: "unix", Address: f.ScanClamd, Time: scanMax}
	}
	return files.Clamd{Network: "tcp", Address: f.ScanClamd, Time: scanMax}
}

// examineFiles tries to write into the folder, and asks the scanner about a word.
func (f *filesFlags) examineFiles(ctx context.Context, a *app) []finding {
	findings := []finding{checkFolder(f.filesDir(a), f.Files == "")}
	s := f.scanner()
	if s == nil {
		return findings
	}
	const check = "cases.scanner"
	if _, err := s.Scan(ctx, []byte("mianmi doctor")); err != nil {
		return append(findings, but(fail, check, "ClamAV 守护进程 %s 没有给出扫描结果", "the ClamAV daemon %s does not say what it finds", f.ScanClamd).
			then("检查 clamd 是否运行、地址是否正确；在此之前一律不收附件", "check that clamd runs, and its address; until then nothing can be attached to cases"))
	}
	return append(findings, good(check, "ClamAV 守护进程 %s 已应答", "the ClamAV daemon %s answers", f.ScanClamd))
}

func checkFolder(dir string, byDefault bool) finding {
	const check = "cases.files"
	t, err := os.CreateTemp(dir, "doctor-*")
	switch {
	case errors.Is(err, fs.ErrNotExist) && byDefault:
		return good(check, "附件目录 %s 尚不存在，启动时创建", "the folder of files %s is not there yet: a start makes it", dir)
	case err == nil:
		err = errors.Join(t.Close(), os.Remove(t.Name()))
	}
	if err != nil {
		return but(fail, check, "无法写入附件目录 %s", "nothing can be written into the folder of files %s", dir).
			then("检查目录是否存在（是否已挂载）以及权限；在此之前工单不能添加附件", "check that it is there (mounted?) and who may write in it; until then nothing can be attached to cases")
	}
	return good(check, "附件目录 %s 可写", "the folder of files %s takes writes", dir)
}
