package access

import (
	"strings"

	"github.com/mianmi/mianmi"
)

// Makers reads who made an account of staff or an API key and who reset it
// last, as mianmi.Actor.String(); nobody for one that is not known.
type Makers func(id string) ([]string, error)

// makersMax bounds how many makers of one account are looked at. An account
// with more of them is nobody's second person: what is not known to be
// independent is not.
const makersMax = 64

// TwoPersons returns nil when whoever approves is another person than who
// proposed it (a recorded mianmi.Actor.String()): neither made or reset the
// account or key of the other, through any number of steps. With ofOne, nobody
// may have made both either. Otherwise the error is Denied with the code
// "same_person" or "not_independent".
func TwoPersons(makers Makers, approves mianmi.Actor, proposedBy string, ofOne bool) error {
	if SamePerson(approves, proposedBy) {
		return mianmi.Forbidden("same_person", "a second person has to approve it")
	}
	_, proposer, _ := strings.Cut(proposedBy, ":")
	theirs, err := allMakers(makers, proposer)
	if err != nil {
		return err
	}
	mine, err := allMakers(makers, approves.ID)
	if err != nil {
		return err
	}
	switch {
	case theirs[approves.ID]:
		return mianmi.Forbidden("not_independent", "the account or key that proposed this was made or reset by you")
	case mine[proposer]:
		return mianmi.Forbidden("not_independent", "your account was made or reset by who proposed this")
	case ofOne && overlap(theirs, mine):
		return mianmi.Forbidden("not_independent", "one person made or reset both your account and the account or key that proposed this")
	}
	return nil
}

// SamePerson compares with a recorded Actor.String(). Roles are left out: one
// person with two roles is still one person.
func SamePerson(a mianmi.Actor, recorded string) bool {
	_, id, _ := strings.Cut(recorded, ":")
	return id == a.ID
}

// allMakers are all who made or reset an account or key, and who made or reset
// theirs, and so on. The command line is nobody: it takes the database itself,
// and is the way to make accounts that are independent.
func allMakers(makers Makers, id string) (map[string]bool, error) {
	found, open := map[string]bool{}, []string{id}
	for len(open) > 0 {
		list, err := makers(open[0])
		if err != nil {
			return nil, err
		}
		open = open[1:]
		for _, recorded := range list {
			role, maker, _ := strings.Cut(recorded, ":")
			if mianmi.ParseRole(role) == mianmi.RoleSystem || maker == id || found[maker] {
				continue
			}
			if len(found) == makersMax {
				return nil, mianmi.Forbidden("not_independent", "too many persons made this account: have it made on the command line")
			}
			found[maker], open = true, append(open, maker)
		}
	}
	return found, nil
}

func overlap(a, b map[string]bool) bool {
	for id := range a {
		if b[id] {
			return true
		}
	}
	return false
}
