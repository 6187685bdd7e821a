package evidence

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
)

// Checkpoint is a statement of the log about itself: how many entries it has,
// and the root over them (c2sp.org/tlog-checkpoint).
type Checkpoint struct {
	Origin string // name of the log, the first line
	Size   int64
	Root   tlog.Hash
}

// originMax bounds the name of a log.
const originMax = 200

// Text is the body of the checkpoint's note.
func (c Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// parseCheckpoint reads what Text wrote, and nothing else.
func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] == "" || len(lines[0]) > originMax {
		return Checkpoint{}, errors.New("a checkpoint has three lines: origin, size, root")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return Checkpoint{}, errors.New("the size of a checkpoint is a whole number")
	}
	c := Checkpoint{Origin: lines[0], Size: size}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != len(c.Root) {
		return Checkpoint{}, errors.New("the root of a checkpoint is 32 bytes in base64")
	}
	copy(c.Root[:], root)
	if c.Text() != text {
		return Checkpoint{}, errors.New("a checkpoint has one form alone")
	}
	return c, nil
}

// Sign returns the checkpoint as a signed note.
func (c Checkpoint) Sign(signers ...note.Signer) (string, error) {
	msg, err := note.Sign(&note.Note{Text: c.Text()}, signers...)
	if err != nil {
		return "", fmt.Errorf("sign checkpoint %d: %w", c.Size, err)
	}
	return string(msg), nil
}

// Signed is a checkpoint with its signatures, all of which were checked.
type Signed struct {
	Checkpoint
	By []note.Signature
}

// OpenCheckpoint checks a signed note and reads it. Every signature in it must
// be by one of the keys: a line that nobody checked is no proof of anything.
// One of them must be by the log itself, whose key bears the origin's name.
func OpenCheckpoint(signed string, keys ...note.Verifier) (Signed, error) {
	n, err := note.Open([]byte(signed), note.VerifierList(keys...))
	if err != nil {
		return Signed{}, mianmi.InvalidField("checkpoint", signatureFault(err))
	}
	if len(n.UnverifiedSigs) > 0 {
		return Signed{}, mianmi.InvalidField("checkpoint", "bears a signature by "+n.UnverifiedSigs[0].Name+", whose key was not given")
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return Signed{}, mianmi.InvalidField("checkpoint", err.Error())
	}
	own := slices.ContainsFunc(keys, func(k note.Verifier) bool {
		_, witness := k.(*Witness)
		return !witness && k.Name() == c.Origin && slices.ContainsFunc(n.Sigs, signatureOf(k))
	})
	if !own {
		return Signed{}, mianmi.InvalidField("checkpoint", "is not signed by the log "+c.Origin)
	}
	if !asSigned(n, signed) {
		return Signed{}, mianmi.InvalidField("checkpoint", "is not in the form in which it was signed")
	}
	return Signed{Checkpoint: c, By: n.Sigs}, nil
}

// asSigned reports whether a note has the form in which it was signed. Base64
// has several texts for the same bytes: all but one are refused.
func asSigned(n *note.Note, signed string) bool {
	for _, s := range n.Sigs {
		if b, err := base64.StdEncoding.DecodeString(s.Base64); err != nil || base64.StdEncoding.EncodeToString(b) != s.Base64 {
			return false
		}
	}
	again, err := note.Sign(&note.Note{Text: n.Text, Sigs: n.Sigs})
	return err == nil && string(again) == signed
}

// signatureOf finds the signature that a key has made.
func signatureOf(k note.Verifier) func(note.Signature) bool {
	return func(s note.Signature) bool { return s.Name == k.Name() && s.Hash == k.KeyHash() }
}

func signatureFault(err error) string {
	var unknown *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unknown):
		return "is signed by none of the keys that were given"
	case errors.As(err, &invalid):
		return "bears a signature by " + invalid.Name + " that does not fit: it was changed, or the key is not that of this log"
	}
	return "is not a signed note"
}
