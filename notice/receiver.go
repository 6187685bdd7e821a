package notice

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/mianmi/mianmi"
)

// Received is a message as its receiver sees it.
type Received struct {
	ID       string          `json:"-"`
	Type     string          `json:"type"`
	Sequence int64           `json:"sequence"`
	Subject  string          `json:"subject"`
	Version  int64           `json:"version"`
	Entry    string          `json:"entry"`
	Actor    string          `json:"actor"`
	Data     json.RawMessage `json:"data"`
	Repeat   bool            `json:"-"` // it came before
	Body     []byte          `json:"-"`
}

// Receiver is the other side of one webhook: an http.Handler that verifies
// what comes, and holds it to what is promised. It is for tests and drills; it
// keeps a little of every message.
type Receiver struct {
	// Take answers a message with a status; nil: 204. It is called for repeats,
	// too, and several times at once. A message counts when the status is a success.
	Take func(Received) int
	// Tolerance is how far a message's time may be from the receiver's; 0: 5 min.
	Tolerance time.Duration

	clock mianmi.Clock
	keys  []*standardwebhooks.Webhook

	mu       sync.Mutex
	all      int64            // up to this sequence everything came
	got      map[int64]bool   // sequences above it
	last     map[string]int64 // sequence of the newest message of a subject
	versions map[string]bool  // "subject version", "entry"
	report   Report
}

// Report is what a Receiver has seen.
type Report struct {
	Messages   int      `json:"messages"`   // without repeats
	Repeats    int      `json:"repeats"`    // of messages that were taken before
	Forged     int      `json:"forged"`     // requests whose signature or time does not hold
	Disordered []string `json:"disordered"` // messages that came first after a later one of their subject; at most 20
	Last       int64    `json:"last"`       // greatest sequence
	Missing    int64    `json:"missing"`    // sequences below Last that did not come
}

// OK reports whether every message came, in order, and nothing else did.
func (r Report) OK() bool { return r.Forged == 0 && len(r.Disordered) == 0 && r.Missing == 0 }

// NewReceiver returns a Receiver of messages that one of the secrets signs.
func NewReceiver(clock mianmi.Clock, secrets ...string) (*Receiver, error) {
	if len(secrets) == 0 {
		return nil, errors.New("a receiver needs the secret of its webhook")
	}
	r := &Receiver{clock: clock, got: map[int64]bool{}, last: map[string]int64{}, versions: map[string]bool{}}
	for _, s := range secrets {
		w, err := standardwebhooks.NewWebhook(s)
		if err != nil {
			return nil, mianmi.InvalidField("secret", "want whsec_ and base64")
		}
		r.keys = append(r.keys, w)
	}
	return r, nil
}

const (
	// bodyMax bounds a message: those of mianmi are some kilobytes.
	bodyMax = 1 << 20
	// toleranceDefault is what Standard Webhooks' libraries have.
	toleranceDefault = 5 * time.Minute
	// disorderedMax bounds what a report names.
	disorderedMax = 20
)

// ServeHTTP takes one message.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, bodyMax))
	if err == nil {
		err = r.verify(req, body)
	}
	var m Received
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		r.mu.Lock()
		r.report.Forged++
		r.mu.Unlock()
		http.Error(w, "not a message of this webhook", http.StatusUnauthorized)
		return
	}
	m.ID, m.Body = req.Header.Get(standardwebhooks.HeaderWebhookID), body
	r.mu.Lock()
	m.Repeat = r.has(m.Sequence)
	r.mu.Unlock()
	status := http.StatusNoContent
	if r.Take != nil {
		status = r.Take(m)
	}
	if status >= 200 && status <= 299 {
		r.note(&m)
	}
	w.WriteHeader(status)
}

func (r *Receiver) verify(req *http.Request, body []byte) error {
	sent, err := strconv.ParseInt(req.Header.Get(standardwebhooks.HeaderWebhookTimestamp), 10, 64)
	if err != nil {
		return err
	}
	if off := r.clock.Now().Sub(time.Unix(sent, 0)).Abs(); off > cmp.Or(r.Tolerance, toleranceDefault) {
		return fmt.Errorf("the message's time is %v off", off)
	}
	for _, k := range r.keys {
		if err = k.VerifyIgnoringTimestamp(body, req.Header); err == nil {
			return nil
		}
	}
	return err
}

func (r *Receiver) note(m *Received) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.has(m.Sequence) {
		r.report.Repeats++
		return
	}
	r.got[m.Sequence] = true
	for ; r.got[r.all+1]; r.all++ {
		delete(r.got, r.all+1)
	}
	r.report.Messages++
	r.report.Last = max(r.report.Last, m.Sequence)
	if m.Subject != "" {
		if r.last[m.Subject] > m.Sequence && len(r.report.Disordered) < disorderedMax {
			r.report.Disordered = append(r.report.Disordered, fmt.Sprintf("%s: %d came after %d", m.Subject, m.Sequence, r.last[m.Subject]))
		}
		r.last[m.Subject] = max(r.last[m.Subject], m.Sequence)
		r.versions[versionKey(m.Subject, m.Version)] = true
	}
	if m.Entry != "" {
		r.versions[m.Entry] = true
	}
}

// has is called with mu held.
func (r *Receiver) has(sequence int64) bool { return sequence <= r.all || r.got[sequence] }

func versionKey(subject string, version int64) string {
	return subject + " " + strconv.FormatInt(version, 10)
}

// Report says what came so far.
func (r *Receiver) Report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.report
	out.Disordered = slices.Clone(out.Disordered)
	out.Missing = out.Last - r.all - int64(len(r.got))
	return out
}

// Has reports whether the message about a version of a subject has come.
func (r *Receiver) Has(subject string, version int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.versions[versionKey(subject, version)]
}

// HasEntry reports whether the message about an entry has come.
func (r *Receiver) HasEntry(id mianmi.EntryID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.versions[string(id)]
}
