package protocol

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
)

// Paths of a host's listener for terminals. All but PathEnrol need the
// terminal's certificate. Beside them stand the API's routes for payments,
// with the terminal as the caller.
const (
	PathEnrol  = "/terminal/v1/enrol"   // POST Enrolment: Enrolled
	PathRenew  = "/terminal/v1/renew"   // POST Renewal: Enrolled
	PathConfig = "/terminal/v1/config"  // GET ?have=VERSION&wait=SECONDS: a Config's bytes, or 204: nothing newer
	PathReport = "/terminal/v1/reports" // POST a signed report: Receipt
	PathEcho   = "/terminal/v1/echo"    // GET ?nonce=N, &channels=1: Echo, for link checks
	PathUpdate = "/terminal/v1/updates" // GET below it: the TUF repository of the terminal's model
)

// WaitMax is the longest long poll of PathConfig.
const WaitMax = 55 * time.Second

// Topics of MQTT. A terminal may use its own alone. Messages are JSON at QoS 0.
//
//	mianmi/v1/t/ID/hint       host to terminal: Hint
//	mianmi/v1/t/ID/ask/config/N, ask/report/N
//	                          terminal to host: ConfigAsk, a signed report
//	mianmi/v1/t/ID/answer/N   host to terminal: Answer
const topicRoot = "mianmi/v1/t/"

// TopicHint is where a terminal hears that there is something newer.
func TopicHint(id mianmi.TerminalID) string { return topicRoot + string(id) + "/hint" }

// TopicAnswers is what a terminal subscribes to for its answers.
func TopicAnswers(id mianmi.TerminalID) string { return topicRoot + string(id) + "/answer/+" }

// TopicAsk is where a terminal asks; kind is "config" or "report", n a number
// of its own choice, 1 to 2^53, that the answer bears.
func TopicAsk(id mianmi.TerminalID, kind string, n int64) string {
	return topicRoot + string(id) + "/ask/" + kind + "/" + strconv.FormatInt(n, 10)
}

// TopicAnswer is where the host answers question n.
func TopicAnswer(id mianmi.TerminalID, n int64) string {
	return topicRoot + string(id) + "/answer/" + strconv.FormatInt(n, 10)
}

// Hint says that there is a config of at least this version, or, with Update,
// a program. It proves nothing: the terminal asks.
type Hint struct {
	Version int64 `json:"version"`
	Update  bool  `json:"update,omitempty"`
}

// ConfigAsk asks for a config newer than Have.
type ConfigAsk struct {
	Have int64 `json:"have"`
}

// Answer is the host's answer over MQTT, with the status that HTTP would have.
type Answer struct {
	Status int             `json:"status"`
	Config []byte          `json:"config,omitempty"` // a Config's bytes, in base64
	Body   json.RawMessage `json:"body,omitempty"`   // a Receipt, or a problem document (RFC 9457)
}

// Receipt is what the host makes of a report.
type Receipt struct {
	// Version is that of the newest config for this terminal: when it is greater
	// than what the terminal has, it asks for it.
	Version    int64     `json:"version"`
	InForce    bool      `json:"in_force"` // what runs is the newest tightening or newer, and is attested
	LeaseUntil time.Time `json:"lease_until,omitzero"`
	PinFree    bool      `json:"pin_free"` // whether the host lets PIN-free payments pass at this terminal now
	// Because says why not, in both languages, for the screen.
	Because   []mianmi.Text `json:"because,omitempty"`
	Proposals []Decided     `json:"proposals,omitempty"`
	At        time.Time     `json:"at"` // the host's clock
}

// Decided is what became of a change made in the menu.
type Decided struct {
	ID    string `json:"id"`
	State string `json:"state"` // "in_force", "waiting" for a second person, "rejected", "lapsed"
}

// Enrolment asks for a certificate with a one-time code.
type Enrolment struct {
	Code string `json:"code"` // EnrolCode.Secret: where the code leads to is nobody else's business
	CSR  []byte `json:"csr"`  // PKCS #10 (RFC 2986), DER in base64, of an ECDSA P-256 key
}

// Renewal asks for a new certificate for the same or another key, over a
// connection with the present one.
type Renewal struct {
	CSR []byte `json:"csr"`
}

// Enrolled is a certificate and where to find the host.
type Enrolled struct {
	Terminal     mianmi.TerminalID `json:"terminal"`
	Certificates [][]byte          `json:"certificates"`   // DER, the terminal's first, the CA's last
	MQTT         string            `json:"mqtt,omitempty"` // host:port; empty: long poll alone
	NotAfter     time.Time         `json:"not_after"`
}
