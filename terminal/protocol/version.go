package protocol

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Version is the version of a program: up to four numbers with dots between. v1.4
// and 1.4.0 are the same.
type Version [4]int

var versionNumbers = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,6}){0,3}$`)

// ParseVersion reads a version as programs report it ("v1.4.0-rc1"): what
// follows the numbers does not count. ok is false when there are none.
func ParseVersion(text string) (v Version, ok bool) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "v")
	if i := strings.IndexAny(text, "-+ "); i >= 0 {
		text = text[:i]
	}
	return ParseRelease(text)
}

// ParseRelease reads a version that is nothing but its numbers, as programs are
// published.
func ParseRelease(text string) (v Version, ok bool) {
	if !versionNumbers.MatchString(text) {
		return v, false
	}
	for i, f := range strings.Split(text, ".") {
		n, err := strconv.Atoi(f)
		if err != nil {
			return Version{}, false
		}
		v[i] = n
	}
	return v, true
}

// Compare orders versions: -1, 0, +1.
func (v Version) Compare(o Version) int { return slices.Compare(v[:], o[:]) }

// String writes all four numbers: one text for one version.
func (v Version) String() string {
	b := strconv.AppendInt(nil, int64(v[0]), 10)
	for _, n := range v[1:] {
		b = strconv.AppendInt(append(b, '.'), int64(n), 10)
	}
	return string(b)
}
