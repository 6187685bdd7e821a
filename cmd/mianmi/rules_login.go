package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term" // typing a password unseen

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/store"
)

// asStaff says who does it.
type asStaff struct {
	Login string `placeholder:"LOGIN" help:"Do it as this member of staff; password and one-time code are asked for, or read as two lines from standard input." zh:"以该员工身份操作；将询问密码和动态口令，也可从标准输入读取（各占一行）。"`
}

// identify returns the member of staff who proved to be that, or the command
// line when nobody is named.
func (s *asStaff) identify(ctx context.Context, a *app, db *store.DB) (mianmi.Actor, error) {
	if s.Login == "" {
		return commandLine, nil
	}
	who, err := a.access(ctx, db)
	if err != nil {
		return mianmi.Actor{}, err
	}
	in := access.LoginInput{Login: s.Login}
	lines := bufio.NewReader(io.LimitReader(a.stdin, secretsBytesMax))
	if in.Password, err = a.ask(lines, mianmi.Text{ZH: "密码：", EN: "Password: "}); err != nil {
		return mianmi.Actor{}, err
	}
	if in.Code, err = a.ask(lines, mianmi.Text{ZH: "动态口令：", EN: "One-time code: "}); err != nil {
		return mianmi.Actor{}, err
	}
	return who.Identify(ctx, in)
}

// secretsBytesMax bounds what is typed.
const secretsBytesMax = 4096

// ask reads a line that is not shown when it is typed at a terminal.
func (a *app) ask(lines *bufio.Reader, prompt mianmi.Text) (string, error) {
	if f, ok := a.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) { //nolint:gosec // a file descriptor is small
		if _, err := fmt.Fprint(a.stderr, prompt.In(a.lang)); err != nil {
			return "", err
		}
		b, err := term.ReadPassword(int(f.Fd())) //nolint:gosec // as above
		_, _ = fmt.Fprintln(a.stderr)
		return string(b), err
	}
	line, err := lines.ReadString('\n')
	if err != nil && err != io.EOF { //nolint:errorlint // bufio returns it as it is
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", mianmi.InvalidField("login", "want password and one-time code, each on a line of standard input")
	}
	return line, nil
}
