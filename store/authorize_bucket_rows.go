package store

import (
	"fmt"
	"strings"
)

// rowSteps are how many rows one INSERT writes: it may have 65,535 parameters,
// a payment has 28, and few texts need to be prepared.
var rowSteps = [...]int{64, 8, 1}

// inSteps cuts n rows into the sizes of rowSteps.
func inSteps(n int, fn func(from, n int) error) error {
	from := 0
	for _, step := range rowSteps {
		for ; n-from >= step; from += step {
			if err := fn(from, step); err != nil {
				return err
			}
		}
	}
	return nil
}

// rowsOf names an INSERT of n rows.
type rowsOf struct {
	query string
	n     int
}

// bucketRows holds the texts of a batch's inserts. Claims are of many buckets;
// all other rows have that of the batch.
var bucketRows = func() map[rowsOf]string {
	texts := map[rowsOf]string{}
	for _, n := range rowSteps {
		texts[rowsOf{sqlBucketClaim, n}] = valuesOf(sqlBucketClaim, n, 0)
		for _, query := range [...]string{sqlPayment, sqlJournal, sqlOutbox} {
			texts[rowsOf{query, n}] = valuesOf(query, n, 1)
		}
	}
	return texts
}()

// valuesOf writes the one row of an INSERT … VALUES n times, with parameters
// numbered on. The first shared parameters are the same in every row.
func valuesOf(query string, n, shared int) string {
	head, rest, _ := strings.Cut(query, "VALUES (")
	row, tail, _ := strings.Cut(rest, ")")
	var s strings.Builder
	s.WriteString(head + "VALUES ")
	next := shared + 1
	for r := range n {
		if r > 0 {
			s.WriteString(", ")
		}
		sep := byte('(')
		for i := range strings.Count(row, "$") {
			n := i + 1
			if i >= shared {
				n = next
				next++
			}
			fmt.Fprintf(&s, "%c$%d", sep, n)
			sep = ','
		}
		s.WriteByte(')')
	}
	return s.String() + tail
}
