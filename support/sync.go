package support

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
)

// Due is a complaint that is to be read, as it was claimed.
type Due struct {
	Key
	Tries int
	Until time.Time // of the claim
}

const (
	// syncMax is how many complaints a turn reads, all at once: two questions each.
	syncMax = 8
	// syncLease is longer than a turn takes; after it another process goes on.
	syncLease = time.Minute
	// syncTries is when what cannot be read is given up, after some three hours. The
	// next sweep wants it again if the channel still lists it.
	syncTries = 20
	// sweepTries is from when a list that cannot be read is worth a word: a network
	// that fails for half a minute is none.
	sweepTries = 3
	// syncWaitMax is the longest pause between two tries.
	syncWaitMax = 10 * time.Minute
)

// Hint has a complaint read soon. It may come any number of times, and be wrong.
func (s *Service) Hint(ctx context.Context, k Key) error {
	if !token(k.Number) {
		return nil // there is no such complaint
	}
	return s.Store.WantSync(ctx, s.now(), k)
}

// Sync reads what is due at channels and returns how much it was.
func (s *Service) Sync(ctx context.Context) (int, error) {
	count := 0
	var faults []error
	for _, ch := range s.Channels {
		now := s.now()
		due, err := s.Store.ClaimSyncs(ctx, ch.Name(), ch.Accounts(), now, now.Add(syncLease), syncMax)
		count += len(due)
		faults = append(faults, err, beside(due, func(d *Due) error {
			if err := s.read(ctx, ch, *d); err != nil {
				return fmt.Errorf("complaint %s of %s: %w", d.Number, d.Account, err)
			}
			return nil
		}))
	}
	return count, errors.Join(faults...)
}

// beside does all at once; one must not keep the others waiting.
func beside[T any](list []T, do func(*T) error) error {
	faults := make([]error, len(list))
	var all sync.WaitGroup
	for i := range list {
		all.Go(func() { faults[i] = do(&list[i]) })
	}
	all.Wait()
	return errors.Join(faults...)
}

// read reads one complaint and stores it.
func (s *Service) read(ctx context.Context, ch Channel, d Due) error {
	asked := s.now()
	seen, err := ch.Read(ctx, d.Account, d.Number)
	switch {
	case ctx.Err() != nil: // we stop: whoever is next reads it
		return ctx.Err()
	case err != nil && d.Tries >= syncTries:
		s.Log.WarnContext(ctx, "a complaint cannot be read, and is left until the channel lists it again", "channel", d.Channel, "account", d.Account, "complaint", d.Number, "error", err)
		return s.Store.EndSync(ctx, d)
	case err != nil:
		return errors.Join(err, s.Store.PutOffSync(ctx, d, s.now().Add(pause(d.Tries))))
	}
	if err := s.record(ctx, ch, d.Key, seen, asked); err != nil {
		return err
	}
	return s.Store.EndSync(ctx, d)
}

// pause is how long to wait after so many tries: 5 s, doubled each time.
func pause(tries int) time.Duration {
	return min(5*time.Second<<min(tries, 10), syncWaitMax)
}

// record stores what a channel said, in answer to a question of that time.
func (s *Service) record(ctx context.Context, ch Channel, k Key, said Seen, asked time.Time) error {
	seen, ok := said.bounded()
	if !ok || seen.Number != k.Number {
		return fmt.Errorf("the channel speaks of another complaint than %s", k.Number)
	}
	merchant, payments := s.whose(ctx, ch, k.Account, seen.Payments)
	seen.Payments = payments
	return s.Store.RecordComplaint(ctx, k, func(c *Change) error {
		return s.merge(c, k, merchant, seen, asked)
	})
}

// merge makes of a complaint what was seen of it.
func (s *Service) merge(c *Change, k Key, merchant mianmi.MerchantID, seen Seen, asked time.Time) error {
	for _, t := range seen.Steps {
		if _, known := c.Known[t.Number]; !known {
			c.Steps = append(c.Steps, t)
		}
	}
	kind, old := TypeChanged, c.Complaint
	switch {
	case old == nil:
		id, err := mianmi.NewID("cp", asked, s.Random)
		if err != nil {
			return err
		}
		kind, c.Complaint = TypeOpened, &Complaint{ID: mianmi.ComplaintID(id), Key: k, At: seen.At}
		if c.Complaint.At.IsZero() {
			c.Complaint.At = asked
		}
	case asked.Before(old.SeenAt) && len(c.Steps) == 0:
		return nil
	case !asked.Before(old.SeenAt):
		old.SeenAt = asked
		if len(c.Steps) == 0 && old.same(seen.Said) && old.Merchant == merchant && slices.Equal(old.Payments, seen.Payments) {
			return nil
		}
	}
	now := c.Complaint
	if !asked.Before(now.SeenAt) {
		now.Said, now.Payments, now.Merchant, now.SeenAt = seen.Said, seen.Payments, merchant, asked
	}
	now.Version, now.ChangedAt = now.Version+1, s.now()
	e, err := s.entry(mianmi.System("complaints"), kind, now, len(c.Known)+len(c.Steps))
	c.Entries = append(c.Entries, e)
	return err
}

// same reports whether a channel says the same again.
func (c *Complaint) same(s Said) bool {
	return c.listed(s) && c.Title == s.Title && c.Text == s.Text && slices.Equal(c.Images, s.Images)
}

// listed is same for what lists say too.
func (c *Complaint) listed(s Said) bool {
	return c.State == s.State && c.Problem == s.Problem && c.Flags == s.Flags && c.Asked == s.Asked && c.Times == s.Times
}

// whose finds the payments that a complaint is about among those of the
// account's merchants, and whose it is: the merchant's that took them, or of an
// account that has one merchant, that one's.
func (s *Service) whose(ctx context.Context, ch Channel, account string, about []About) (m mianmi.MerchantID, out []About) {
	merchants := ch.Merchants(account)
	if len(merchants) == 1 {
		m = merchants[0]
	}
	for _, a := range about {
		p, err := s.Payments.Payment(ctx, mianmi.System("complaints"), a.Payment)
		if err != nil || p.Channel != ch.Name() || !slices.Contains(merchants, p.Merchant) {
			a.Payment = "" // another installation's, or somebody else's order of that number
		} else if m == "" {
			m = p.Merchant
		}
		out = append(out, a)
	}
	return m, out
}

// Sweep is how far the lists of an account were read.
type Sweep struct {
	Place
	From   time.Time // of the window that is read; zero: a sweep is to begin
	Offset int       // in it
	Began  time.Time // of the sweep
	Clean  time.Time // when the last one began that came to its end
	Tries  int
	Until  time.Time // of the claim
}

const (
	// sweepEvery is how late a complaint is known whose notification was lost.
	sweepEvery = 15 * time.Minute
	// sweepDays is what each sweep lists, and the most that WeChat Pay lists at once.
	sweepDays = 30
	sweepPage = 50
	// sweepOverlap covers clocks and days that begin elsewhere.
	sweepOverlap = 24 * time.Hour
	// openAge is how old what is known of an open complaint may become.
	openAge = time.Hour
	// openMax bounds what one sweep wants read anew; the next has the rest.
	openMax = 500
)

// Sweep reads a page of a list of each channel, of an account that is due, and
// reports whether there may be more.
func (s *Service) Sweep(ctx context.Context) (more bool, err error) {
	var faults []error
	for _, ch := range s.Channels {
		on, err := s.sweep(ctx, ch)
		more, faults = more || on, append(faults, err)
	}
	return more, errors.Join(faults...)
}

func (s *Service) sweep(ctx context.Context, ch Channel) (bool, error) {
	now, accounts := s.now(), ch.Accounts()
	if _, made := s.made.Load(ch.Name()); !made {
		if err := s.Store.MakeSweeps(ctx, ch.Name(), accounts, now); err != nil {
			return false, err
		}
		s.made.Store(ch.Name(), true)
	}
	w, due, err := s.Store.ClaimSweep(ctx, ch.Name(), accounts, now, now.Add(syncLease))
	if err != nil || !due {
		return false, err
	}
	return true, s.page(ctx, ch, w, now)
}

// page reads one page and notes when the next is due.
func (s *Service) page(ctx context.Context, ch Channel, w Sweep, now time.Time) error {
	if w.From.IsZero() {
		w.Began, w.Offset, w.From = now, 0, now.AddDate(0, 0, 1-sweepDays)
		if back := w.Clean.Add(-sweepOverlap); !w.Clean.IsZero() && back.Before(w.From) {
			w.From = back
		}
	}
	to := w.From.AddDate(0, 0, sweepDays-1)
	if to.After(now) {
		to = now
	}
	list, all, err := ch.List(ctx, w.Account, Window{From: w.From, To: to, Offset: w.Offset, Limit: sweepPage})
	if err != nil {
		w.Tries++
		if w.Tries < sweepTries {
			err = nil
		} else {
			err = fmt.Errorf("list the complaints of %s: %w", w.Account, err)
		}
		return errors.Join(err, s.Store.SaveSweep(ctx, w, s.now().Add(pause(w.Tries))))
	}
	if err := s.want(ctx, w.Place, list); err != nil {
		return err
	}
	w.Tries = 0
	switch w.Offset += len(list); {
	case len(list) > 0 && int64(w.Offset) < all:
		return s.Store.SaveSweep(ctx, w, now)
	case to.Before(now):
		w.From, w.Offset = to, 0 // the day between is read twice
		return s.Store.SaveSweep(ctx, w, now)
	}
	if err := s.Store.WantOpen(ctx, w.Place, now.Add(-openAge), now, openMax); err != nil {
		return err
	}
	w.Clean, w.From, w.Offset = w.Began, time.Time{}, 0
	return s.Store.SaveSweep(ctx, w, now.Add(sweepEvery))
}

// want queues those of a list that are new or differ from what is stored.
func (s *Service) want(ctx context.Context, p Place, list []Seen) error {
	var keys []Key
	for _, seen := range list {
		if !token(seen.Number) {
			continue
		}
		k := Key{p, seen.Number}
		have, err := s.Store.ComplaintByKey(ctx, k)
		if err != nil && mianmi.KindOf(err) != mianmi.NotFound {
			return err
		}
		if err != nil || !have.listed(seen.Said.bounded()) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return s.Store.WantSync(ctx, s.now(), keys...)
}
