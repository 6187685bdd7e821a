package store_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
	"github.com/mianmi/mianmi/store/storetest"
)

const bucketTables = `SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'bucket'
	WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1`

func texts(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var list []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// A table can be spread by bucket only when every key of it has the bucket:
// no node could tell that a key is unique otherwise. Nor can one refer to a
// table that is spread another way.
func TestBucketIsPartOfEveryKey(t *testing.T) {
	t.Parallel()
	e := engine(t, "postgres", nil)
	db := storetest.Inspect(t, e.DSN)
	if list := texts(t, db, bucketTables); len(list) < 10 {
		t.Fatalf("tables with a bucket: %v", list)
	}
	for _, key := range texts(t, db, `SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'bucket'
		WHERE i.indisunique AND i.indrelid::regclass::text = ANY(ARRAY(`+bucketTables+`)::text[]) AND NOT a.attnum = ANY(i.indkey)`) {
		t.Errorf("the key %s has no bucket", key)
	}
	for _, name := range texts(t, db, `SELECT c.relname FROM pg_class c WHERE c.relname = ANY(ARRAY(`+bucketTables+`)) AND NOT EXISTS
		(SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)`) {
		t.Errorf("the table %s has no primary key", name)
	}
	for _, fk := range texts(t, db, `SELECT conname FROM pg_constraint WHERE contype = 'f' AND (conrelid::regclass::text = ANY(ARRAY(`+bucketTables+`)::text[])
		OR confrelid::regclass::text = ANY(ARRAY(`+bucketTables+`)::text[]))`) {
		t.Errorf("the foreign key %s ties a table with a bucket", fk)
	}
}

// logged is one statement that the server ran for mianmi.
type logged struct {
	tx, text string
	args     map[string]string // by "$1"
}

var (
	logRecord = regexp.MustCompile(`(?m)^~~(.*?)\|(.*?)\|(\d+)~~ (LOG|DETAIL|[A-Z]+):  (?:execute [^:]*: |statement: )?`)
	logArg    = regexp.MustCompile(`(\$\d+) = ('(?:[^']|'')*'|NULL)`)
)

// statements reads a server's log, written with logSettings.
func statements(log string) []logged {
	var list []logged
	last := map[string]int{} // by process
	at := logRecord.FindAllStringSubmatchIndex(log, -1)
	for i, m := range at {
		end := len(log)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		field := func(n int) string { return log[m[2*n]:m[2*n+1]] }
		app, tx, pid, level, text := field(1), field(2), field(3), field(4), log[m[1]:end]
		if app != "mianmi" {
			continue
		}
		switch level {
		case "LOG":
			last[pid] = len(list)
			list = append(list, logged{tx: tx, text: strings.Join(strings.Fields(text), " "), args: map[string]string{}})
		case "DETAIL":
			if n, ok := last[pid]; ok {
				for _, a := range logArg.FindAllStringSubmatch(text, -1) {
					list[n].args[a[1]] = a[2]
				}
			}
		}
	}
	return list
}

var logSettings = []string{"log_statement=all", "log_line_prefix=~~%a|%v|%p~~ "}

var (
	namesBucket = regexp.MustCompile(`\bbucket = (\$\d+)`)
	insertsRow  = regexp.MustCompile(`^INSERT INTO \w+ \(bucket, .*?VALUES \((\$\d+)`)
	// What looks through all buckets, one after the other: the sweeps.
	sweeps = regexp.MustCompile(`expires_at (<|<=) \$1`)
)

// Every statement of the payment path that touches a table with a bucket names
// it, and no transaction of payments is of two. Claims alone are taken for many
// buckets at once, in transactions that touch nothing else. The server's own
// log says so.
func TestTransactionsKeepToOneBucket(t *testing.T) {
	t.Parallel()
	c, err := pgtest.Start(pgtest.Options{Set: logSettings})
	if err != nil {
		pgtest.Open(t) // skips, and says so, when PostgreSQL is missing
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	dsn, err := c.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e := engineAt(t, dsn, func(ctx context.Context, db *store.DB) (payment.Ledger, error) { return db.OneBucketLedger(ctx) })
	from := logSize(t, c)
	paymentsOfManyKinds(t, e)
	tables := regexp.MustCompile(`\b(?:FROM|JOIN|INTO|UPDATE|USING) (` + strings.Join(texts(t, storetest.Inspect(t, dsn), bucketTables), "|") + `)\b`)

	log, err := os.ReadFile(filepath.Join(c.Dir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	byTx := map[string][]logged{}
	for _, s := range statements(string(log[from:])) {
		byTx[s.tx] = append(byTx[s.tx], s)
	}
	seen := 0
	for _, tx := range byTx {
		seen += checkTx(t, tx, tables)
	}
	if seen < 100 {
		t.Errorf("%d statements were seen", seen)
	}
}

func logSize(t *testing.T, c *pgtest.Cluster) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(c.Dir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// checkTx reports how many statements of the transaction touch tables with a
// bucket.
func checkTx(t *testing.T, tx []logged, tables *regexp.Regexp) (seen int) {
	t.Helper()
	buckets, claims := map[string]bool{}, 0
	for _, s := range tx {
		touched := tables.FindAllStringSubmatch(s.text, -1)
		if len(touched) == 0 {
			continue
		}
		seen++
		switch touched[0][1] {
		case "merchant_order":
			claims++
		case "payer_login": // a new payer, whose phone number is of another bucket
			return 0
		}
		named := namesBucket.FindAllStringSubmatch(s.text, -1)
		if len(named) == 0 {
			named = insertsRow.FindAllStringSubmatch(s.text, -1)
		}
		if len(named) == 0 && !sweeps.MatchString(s.text) {
			t.Errorf("no bucket is named: %s", s.text)
		}
		for _, n := range named {
			buckets[s.args[n[1]]] = true
		}
	}
	if claims == seen {
		return seen
	}
	if len(buckets) > 1 || claims > 0 {
		t.Errorf("a transaction of %d buckets, with %d statements on claims:", len(buckets), claims)
		for _, s := range tx {
			t.Logf("  %s %v", s.text, s.args["$1"])
		}
	}
	return seen
}

// paymentsOfManyKinds does what payments can do, for payers of many buckets at once.
func paymentsOfManyKinds(t *testing.T, e storetest.Engine) {
	t.Helper()
	ctx := t.Context()
	keys, err := secret.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	db := e.Open(t)
	ledger, err := e.Ledger(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	n, err := storetest.NewNode(ctx, storetest.NodeConfig{DB: db, Keys: keys, Ledger: ledger})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Payments.Stop()
	shop, err := n.NewShop(ctx, merchant.Facts{})
	if err != nil {
		t.Fatal(err)
	}
	var reqs []payment.Request
	for i := range 8 {
		p, err := n.NewPerson(ctx, 5000_00)
		if err != nil {
			t.Fatal(err)
		}
		code, err := n.Payers.IssueCode(ctx, p.Actor(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		no := func(kind string) string { return fmt.Sprintf("%s%d", kind, i) }
		stepUp := p.Tap(shop.Terminal, no("big"), 2000_00)
		reqs = append(reqs, p.Tap(shop.Terminal, no("tap"), 1_00), storetest.Code(shop.Terminal, no("code"), 1_00, code.Digits), stepUp,
			p.Tap("tm-unknown", no("error"), 1_00), p.Tap(shop.Terminal, no("tap"), 1_00), p.Tap(shop.Terminal, no("tap"), 2_00),
			payment.Request{Terminal: shop.Terminal, OrderNo: no("cash"), Amount: stepUp.Amount, Method: pinfree.Cash})
	}
	for range 2 { // the second time they are repeats
		got, err := n.Payments.AuthorizeMany(ctx, shop.Manager, reqs)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range got {
			if bad := i%7 == 3 || i%7 == 5; (r.Err != nil) != bad {
				t.Fatalf("payment %d of its kind: %+v, %v", i%7, r.Payment, r.Err)
			}
		}
		changePayments(t, n, shop, got)
	}
}

// changePayments refunds, reads and sweeps.
func changePayments(t *testing.T, n *storetest.Node, shop storetest.Shop, got []payment.Result) {
	t.Helper()
	ctx := t.Context()
	for i, r := range got {
		if r.Err != nil || i%7 != 0 {
			continue
		}
		_, err := n.Payments.Refund(ctx, shop.Manager, r.Payment.ID, payment.RefundRequest{RefundNo: "r1", Amount: r.Payment.Amount, Reason: "test"})
		if err != nil {
			t.Fatal(err)
		}
		who := mianmi.Actor{Role: mianmi.RolePayer, ID: string(r.Payment.Payer)}
		if list, err := n.Payments.Payments(ctx, who, r.Payment.Payer, "", 10); err != nil || len(list) == 0 {
			t.Fatalf("%v, %v", list, err)
		}
	}
	if _, err := n.DB.Overdue(ctx, n.Clock.Now().Add(time.Hour), 10); err != nil {
		t.Fatal(err)
	}
	if _, err := n.DB.Prune(ctx, n.Clock.Now(), 10); err != nil {
		t.Fatal(err)
	}
}
