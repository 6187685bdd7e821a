package storetest

import (
	"database/sql"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
)

// paymentTables are all that payments write.
var paymentTables = []string{"payer", "payment", "payment_code", "merchant_order", "journal", "outbox", "refund", "top_up", "qr_order", "entry", "entry_waiting"}

// Inspect opens a database as a stranger does, to look at rows, or to spoil them.
func Inspect(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	driver, name := "pgx", dsn
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, name = "sqlite", "file:"+file+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// rowCounts counts the rows of what payments write.
func rowCounts(t testing.TB, db *sql.DB) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, table := range paymentTables {
		counts[table] = int(number(t, db, "SELECT count(*) FROM "+table))
	}
	return counts
}

// number reads one figure; NULL is 0.
func number(t testing.TB, db *sql.DB, query string, args ...any) int64 {
	t.Helper()
	var n sql.NullInt64
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n.Int64
}

// dumps are the rows that make up the books, as text, without what is drawn
// by chance alone: identifiers are replaced by the names that a test gave.
var dumps = map[string]string{
	"payer": `SELECT id, version, pin_free, since, balance, counters, coalesce(allowance, ''), coalesce(frozen_at, 0),
		coalesce(verifiable_from, 0), coalesce(pending, ''), coalesce(hold, '') FROM payer`,
	"payment": `SELECT id, payer, merchant, store, terminal, order_no, amount, currency, method, entry, cvm, instrument, channel, outcome,
		state, failure, step_up, tries, reasons, rules, epoch, payer_version, actor, created_at, state_at, coalesce(expires_at, 0),
		refunded, version FROM payment`,
	"merchant_order": `SELECT payment FROM merchant_order`,
	"payment_code":   `SELECT payer, expires_at FROM payment_code`,
	"journal":        `SELECT ref, line, kind, debit, credit, amount, currency, at FROM journal`,
	"outbox":         `SELECT subject, at, seq, topic, merchant FROM outbox WHERE topic < 16`, // of payments and top-ups
	"refund":         `SELECT payment, refund_no, amount, currency, reason, actor, at FROM refund`,
	"top_up":         `SELECT payer, key, amount, currency, at, actor FROM top_up`,
}

// Dump is the books as sorted lines. names maps identifiers to what a test
// calls them; payments and top-ups are called by order number and key.
func Dump(t testing.TB, db *sql.DB, names map[string]string) []string {
	t.Helper()
	namePayments(t, db, names)
	var lines []string
	for table, query := range dumps {
		for _, row := range rowsOf(t, db, query) {
			lines = append(lines, table+" "+Rename(strings.Join(row, "|"), names))
		}
	}
	sort.Strings(lines)
	return lines
}

func namePayments(t testing.TB, db *sql.DB, names map[string]string) {
	for _, row := range rowsOf(t, db, `SELECT id, order_no FROM payment`) {
		names[row[0]] = "order-" + row[1]
	}
	for _, row := range rowsOf(t, db, `SELECT id, key, payer FROM top_up`) {
		names[row[0]] = "top-up-" + row[1] + "-" + names[row[2]]
	}
}

// drawn is an identifier, which chance has drawn.
var drawn = regexp.MustCompile(`^[a-z]{2}[0-9a-hjkmnp-tv-z]{26}([0-9a-f]{2})?$`)

// Rename replaces every identifier: by its name, or by its kind.
func Rename(text string, names map[string]string) string {
	return words(text, func(word string) string {
		if name, ok := names[word]; ok {
			return name
		}
		if drawn.MatchString(word) {
			return word[:2] + "-nameless"
		}
		return word
	})
}

// words maps each run of letters and digits.
func words(text string, f func(string) string) string {
	var b strings.Builder
	from := -1
	for i := 0; i <= len(text); i++ {
		in := i < len(text) && (text[i] >= '0' && text[i] <= '9' || text[i] >= 'a' && text[i] <= 'z' || text[i] >= 'A' && text[i] <= 'Z')
		switch {
		case in && from < 0:
			from = i
		case !in && from >= 0:
			b.WriteString(f(text[from:i]))
			from = -1
		}
		if !in && i < len(text) {
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

func rowsOf(t testing.TB, db *sql.DB, query string) (list [][]string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		cells := make([]any, len(columns))
		dest := make([]any, len(columns))
		for i := range cells {
			dest[i] = &cells[i]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(columns))
		for i, c := range cells {
			if text, ok := c.([]byte); ok {
				c = string(text)
			}
			row[i] = fmt.Sprint(c)
		}
		list = append(list, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}
