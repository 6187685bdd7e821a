package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/mianmi/mianmi"
)

// KeyChangeType is the type of the entry that says that the log's key changed.
const KeyChangeType = "log.key.changed"

// KeyChangeBody is the body of such an entry.
type KeyChangeBody struct {
	Statement string `json:"statement"`
}

// KeyInForce is a verifier key of the log with the time from which it signs.
type KeyInForce struct {
	Public string
	Size   int64 // of the log when it came into force: checkpoints of more entries are signed by it
	At     time.Time
	// Statement is a signed note that the key before handed over to this one,
	// signed by both; empty for the first key of the log.
	Statement string
}

// KeyChange is what such a statement says.
type KeyChange struct {
	Origin   string
	Size     int64 // entries of the log until now
	Old, New string
}

// keyChangeHead is the first line of a statement. It has spaces, so that no
// statement can be taken for a checkpoint: names of logs have none.
const keyChangeHead = "mianmi log key change v1"

func (c KeyChange) text() string {
	return strings.Join([]string{keyChangeHead, c.Origin, strconv.FormatInt(c.Size, 10), c.Old, c.New, ""}, "\n")
}

// OpenKeyChange reads a statement and checks that both keys signed it, and
// nobody else. Whether the old one is to be believed is the caller's to know.
func OpenKeyChange(statement string) (KeyChange, error) {
	text, _, found := strings.Cut(statement, "\n\n")
	lines := strings.Split(text, "\n")
	if !found || len(lines) != 5 || lines[0] != keyChangeHead {
		return KeyChange{}, errors.New("is not the statement of a change of keys")
	}
	size, err := strconv.ParseInt(lines[2], 10, 64)
	if err != nil || size < 0 {
		return KeyChange{}, errors.New("the size in a change of keys is a whole number")
	}
	c := KeyChange{Origin: lines[1], Size: size, Old: lines[3], New: lines[4]}
	before, err1 := ParseKey(c.Old)
	after, err2 := ParseKey(c.New)
	if err := errors.Join(err1, err2); err != nil || before.Name() != c.Origin || after.Name() != c.Origin || c.Old == c.New {
		return KeyChange{}, errors.New("a change of keys names two keys of one log")
	}
	n, err := note.Open([]byte(statement), note.VerifierList(before, after))
	if err != nil || len(n.Sigs) != 2 || len(n.UnverifiedSigs) != 0 {
		return KeyChange{}, errors.New("a change of keys is signed by the old key and by the new one")
	}
	if n.Text != c.text() || !asSigned(n, statement) {
		return KeyChange{}, errors.New("a change of keys has one form alone")
	}
	return c, nil
}

// follow adds to the keys that are trusted those to which they handed over, and
// returns the key that the chain ends at. Statements are one unbroken chain:
// what is not checked has no place in a receipt.
func follow(origin string, statements []string, trusted *[]note.Verifier) (last string, err error) {
	for i, s := range statements {
		field := fmt.Sprintf("key_changes[%d]", i)
		c, err := OpenKeyChange(s)
		if err != nil {
			return "", mianmi.InvalidField(field, err.Error())
		}
		if c.Origin != origin || i > 0 && c.Old != last {
			return "", mianmi.InvalidField(field, "does not follow the one before it")
		}
		last = c.New
		after, err := ParseKey(c.New)
		if err != nil {
			return "", err
		}
		if slices.ContainsFunc(*trusted, func(k note.Verifier) bool { return signs(k, s) }) {
			*trusted = append(*trusted, after)
		}
	}
	return last, nil
}

// changeKey makes the statement by which the key in force hands over to the
// newest one, and the body of its entry.
func (k Key) changeKey(size int64, inForce string) (KeyInForce, []byte, error) {
	before, _ := k.own(inForce)
	after := k.list[0]
	switch {
	case !k.Has(inForce):
		return KeyInForce{}, nil, k.unknown(inForce)
	case before.public == after.public:
		return KeyInForce{}, nil, mianmi.Conflicts("key_in_force", "the newest key is in force already: make a new one first")
	}
	text := KeyChange{Origin: k.name, Size: size, Old: before.public, New: after.public}.text()
	signed, err := note.Sign(&note.Note{Text: text}, before.signer, after.signer)
	if err != nil {
		return KeyInForce{}, nil, fmt.Errorf("sign a change of keys: %w", err)
	}
	if _, err := OpenKeyChange(string(signed)); err != nil { // what we hand out must hold
		return KeyInForce{}, nil, fmt.Errorf("the change of keys %w", err)
	}
	body, err := json.Marshal(KeyChangeBody{string(signed)})
	return KeyInForce{Public: after.public, Size: size, Statement: string(signed)}, body, err
}

// unknown says that this node does not have the key which the log goes by.
func (k Key) unknown(inForce string) error {
	if name := NameOfKey(inForce); name != "" && name != k.name {
		return mianmi.Conflicts("log_name", "the log of this database is named "+name+", and this server was told to name it "+k.name)
	}
	return mianmi.Conflicts("log_key_unknown", "the log is signed by the key "+inForce+", whose secret is not in this server's keys file: give every node the same file")
}
