package link

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// answerMax bounds an answer: the largest config, with room.
const answerMax = protocol.ConfigMax + 4096

// exchange makes one request. An answer that is an error is a *client.Problem.
func (l *Link) exchange(ctx context.Context, method, path string, body []byte) ([]byte, int, error) {
	r, err := http.NewRequestWithContext(ctx, method, l.host.String()+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := l.http.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	b, err := readAnswer(res)
	return b, res.StatusCode, err
}

func readAnswer(res *http.Response) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(res.Body, answerMax+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case len(b) > answerMax:
		return nil, errors.New("the answer is too long")
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return b, nil
	}
	p := parseProblem(res.StatusCode, b)
	if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		p.RetryAfter = time.Duration(n) * time.Second
	}
	return nil, p
}

func parseProblem(status int, b []byte) *client.Problem {
	p := &client.Problem{}
	if json.Unmarshal(b, p) != nil {
		p.Code = "not_a_problem_document"
	}
	p.Status = status
	return p
}

// Refused reports whether the host has read the message and will not have it,
// now or later: sending it again makes no sense.
func Refused(err error) bool {
	var p *client.Problem
	return errors.As(err, &p) && p.Status >= 400 && p.Status < 500 &&
		p.Status != http.StatusTooManyRequests && p.Status != http.StatusRequestTimeout
}

// Unsent reports whether the message has never left: sending it again is no
// repeat. After any other error the host may have it.
func Unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func post[T any](ctx context.Context, c *http.Client, url string, in any) (out T, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := c.Do(r)
	if err != nil {
		return out, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	b, err := readAnswer(res)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return out, fmt.Errorf("read the answer: %w", err)
	}
	return out, nil
}

func parseReceipt(b []byte) (r protocol.Receipt, err error) {
	if err := json.Unmarshal(b, &r); err != nil {
		return protocol.Receipt{}, fmt.Errorf("read a receipt: %w", err)
	}
	return r, nil
}

// answer is what came back over MQTT.
type answer protocol.Answer

func (a answer) problem() error {
	if a.Status >= 200 && a.Status < 300 {
		return nil
	}
	return parseProblem(a.Status, a.Body)
}

func (a answer) config() ([]byte, error) {
	if err := a.problem(); err != nil || a.Status == http.StatusNoContent {
		return nil, err
	}
	if len(a.Config) == 0 {
		return nil, errors.New("an answer without a config")
	}
	return a.Config, nil
}

func (a answer) receipt() (protocol.Receipt, error) {
	if err := a.problem(); err != nil {
		return protocol.Receipt{}, err
	}
	return parseReceipt(a.Body)
}
