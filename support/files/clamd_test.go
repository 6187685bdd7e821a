package files

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
)

// daemon is a clamd that finds the word "virus", until it is told to be ill.
func daemon(t *testing.T, answer string) Clamd {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close() //nolint:errcheck // a test's
				word := make([]byte, len("zINSTREAM\x00"))
				_, _ = io.ReadFull(c, word)
				var content []byte
				for {
					var n uint32
					if binary.Read(c, binary.BigEndian, &n) != nil || n == 0 {
						break
					}
					part := make([]byte, n)
					_, _ = io.ReadFull(c, part)
					content = append(content, part...)
				}
				switch {
				case answer != "":
					_, _ = io.WriteString(c, answer)
				case string(word) == "zINSTREAM\x00" && bytes.Contains(content, []byte("virus")):
					_, _ = io.WriteString(c, "stream: Test.Virus FOUND\x00")
				default:
					_, _ = io.WriteString(c, "stream: OK\x00")
				}
			}()
		}
	}()
	return Clamd{Network: "tcp", Address: l.Addr().String(), Time: time.Minute}
}

// What the scanner finds is refused; so is everything while it cannot say.
func TestScanner(t *testing.T) {
	t.Parallel()
	f := folder(t, daemon(t, ""))
	if _, err := f.Clean(t.Context(), []byte("harmless")); err != nil {
		t.Error(err)
	}
	if _, err := f.Clean(t.Context(), []byte("a virus")); !isCode(err, "file_malware") {
		t.Errorf("malware: %v", err)
	}
	gone := daemon(t, "")
	gone.Address = "127.0.0.1:1"
	for name, s := range map[string]Clamd{"away": gone, "ill": daemon(t, "stream: size limit exceeded ERROR\x00"), "silent": daemon(t, "\x00")} {
		if _, err := folder(t, s).Clean(t.Context(), []byte("harmless")); !isCode(err, "scanner_away") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func isCode(err error, code string) bool {
	var e *mianmi.Error
	return errors.As(err, &e) && e.Code == code
}
