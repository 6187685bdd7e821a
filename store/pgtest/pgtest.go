// Package pgtest gives tests and benchmarks a real PostgreSQL: a cluster of
// their own in a temporary folder, on a free port of the loopback address.
//
// The cluster ends with the process that started it, even when that is
// killed. It leaves installing PostgreSQL to `make test`.
package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// versionMin is the oldest PostgreSQL that mianmi supports.
const versionMin = 15

// Require is the environment variable that turns a missing PostgreSQL from a
// skip into a failure.
const Require = "MIANMI_TEST_REQUIRE_POSTGRES"

var shared = sync.OnceValues(func() (*Cluster, error) { return Start(Options{}) })

var databases atomic.Int64

// Open returns the address of a new, empty database. The cluster is shared by
// the tests of one process. Without PostgreSQL the test is skipped and says
// so, or fails when Require is set.
func Open(t testing.TB) string {
	t.Helper()
	c, err := shared()
	if err != nil {
		if os.Getenv(Require) == "" && errors.Is(err, exec.ErrNotFound) {
			t.Skipf("PostgreSQL %d or newer is not installed (make test installs it): %v", versionMin, err)
		}
		t.Fatalf("start PostgreSQL: %v", err)
	}
	url, err := c.NewDatabase(t.Context())
	if err != nil {
		t.Fatalf("create a database: %v", err)
	}
	return url
}

// Options of a cluster.
type Options struct {
	Durable bool     // fsync on; off by default, for tests that end no machine
	Set     []string // further settings, "name=value"
	Dir     string   // folder to make its own in; empty: that for temporary files
	Base    string   // folder of a base backup to begin with, in the place of a new cluster
}

// Cluster is a running PostgreSQL.
type Cluster struct {
	port  int
	dir   string
	stdin io.WriteCloser
	said  *bufio.Reader
	cmd   *exec.Cmd
}

// Start makes and starts a cluster. exec.ErrNotFound says that PostgreSQL is
// not installed.
func Start(o Options) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	cred, err := otherUser()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.Dir, "mianmi-pg-")
	if err != nil {
		return nil, err
	}
	if cred != nil {
		if err := os.Chown(dir, int(cred.Uid), int(cred.Gid)); err != nil {
			return nil, err
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if o.Base != "" {
		err = copyBase(o.Base, data, cred)
	} else {
		err = initialise(bin, data, cred)
	}
	if err != nil {
		return nil, err
	}
	c := &Cluster{port: port, dir: dir}
	if err := c.run(bin, data, cred, o); err != nil {
		return nil, err
	}
	return c, c.wait()
}

func initialise(bin, data string, cred *syscall.Credential) error {
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "mianmi", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	initdb.Dir = filepath.Dir(data)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// copyBase copies a base backup to where it will be a cluster, which takes the
// write-ahead log that it lacks from restore_command.
func copyBase(base, data string, cred *syscall.Credential) error {
	if err := os.CopyFS(data, os.DirFS(base)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, "recovery.signal"), nil, 0o600); err != nil {
		return err
	}
	return filepath.WalkDir(data, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		if err := os.Chmod(name, mode); err != nil || cred == nil {
			return err
		}
		return os.Chown(name, int(cred.Uid), int(cred.Gid))
	})
}

// shell runs the server until its input ends, by Stop or by this process
// dying, and then ends it and removes its folder. A line "halt" ends the server
// at once, as a crash does; "start" runs it again.
const shell = `dir=$1; shift
run() { "$@" >>"$dir/log" 2>&1 & pid=$!; }
halt() { kill -QUIT $pid 2>/dev/null; wait $pid; }
run "$@"
while read -r what; do
	case $what in
	halt) halt; echo halted ;;
	start) run "$@"; echo started ;;
	esac
done
halt
cd /; rm -rf "$dir" 2>/dev/null; exit 0`

// run starts the server under its shell.
func (c *Cluster) run(bin, data string, cred *syscall.Credential, o Options) error {
	args := []string{
		"-D", data, "-p", strconv.Itoa(c.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=" + c.dir, "-c", "max_connections=200", "-c", "shared_buffers=256MB",
	}
	if !o.Durable {
		args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off")
	}
	for _, s := range o.Set {
		args = append(args, "-c", s)
	}
	c.cmd = exec.Command("/bin/sh", append([]string{"-c", shell, "sh", c.dir, filepath.Join(bin, "postgres")}, args...)...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setsid: true}
	c.cmd.Dir = c.dir
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.stdin, c.said = stdin, bufio.NewReader(stdout)
	return c.cmd.Start()
}

// Halt ends the server at once and without a checkpoint, as a crash does: what
// was committed is there after the next Restart, and nothing else.
func (c *Cluster) Halt() error { return c.tell("halt", "halted") }

// Restart runs a server that was halted, or has ended by itself, and returns
// when it answers.
func (c *Cluster) Restart() error {
	if err := c.Halt(); err != nil {
		return err
	}
	if err := c.tell("start", "started"); err != nil {
		return err
	}
	return c.wait()
}

func (c *Cluster) tell(what, want string) error {
	if _, err := io.WriteString(c.stdin, what+"\n"); err != nil {
		return err
	}
	if said, err := c.said.ReadString('\n'); err != nil || said != want+"\n" {
		return fmt.Errorf("%s PostgreSQL: its shell said %q: %w", what, said, err)
	}
	return nil
}

// startMax is how long a cluster may take to answer on a busy machine.
const startMax = 60 * time.Second

func (c *Cluster) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), startMax)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
			return fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, log)
		}
	}
}

// URL is the address of a database of the cluster.
func (c *Cluster) URL(database string) string {
	return fmt.Sprintf("postgres://mianmi@127.0.0.1:%d/%s?sslmode=disable", c.port, database)
}

// NewDatabase makes an empty database and returns its address.
func (c *Cluster) NewDatabase(ctx context.Context) (string, error) {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was left to send
	name := fmt.Sprintf("t%d_%d", os.Getpid(), databases.Add(1))
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	return c.URL(name), nil
}

// Dir is the cluster's folder: data and log.
func (c *Cluster) Dir() string { return c.dir }

// Stop ends the server at once and removes its data.
func (c *Cluster) Stop() error {
	return errors.Join(c.stdin.Close(), c.cmd.Wait(), os.RemoveAll(c.dir))
}

// binaries finds the folder of the newest installed PostgreSQL.
func binaries() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	if len(dirs) == 0 || version(dirs[0]) < versionMin {
		return "", fmt.Errorf("initdb: %w", exec.ErrNotFound)
	}
	return filepath.Dir(dirs[0]), nil
}

// Program is the path of one of PostgreSQL's programs, as pg_dump, of the
// version that clusters run.
func Program(t testing.TB, name string) string {
	t.Helper()
	bin, err := binaries()
	if err == nil { // initdb may be a link to where the others are
		bin, err = filepath.EvalSymlinks(filepath.Join(bin, "initdb"))
	}
	path := filepath.Join(filepath.Dir(bin), name)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("PostgreSQL's program %s: %v", name, err)
	}
	return path
}

// version is the number in /usr/lib/postgresql/NN/bin/initdb.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// otherUser is whom the server runs as when we are root, as which it refuses.
func otherUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody")
}

// freePort finds a port that nobody listens on, below those that systems give
// to connections (32768 and up): none of them takes it before the server runs,
// or while it is halted.
func freePort() (port int, err error) {
	for range 100 { // far more than are taken in a row
		port = 10_000 + rand.IntN(20_000) //nolint:gosec // any will do
		l, listenErr := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if listenErr == nil {
			return port, l.Close()
		}
		err = listenErr
	}
	return 0, err
}
