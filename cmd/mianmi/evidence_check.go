package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
)

type evidenceCheckCmd struct {
	From    int64    `placeholder:"SIZE" default:"0" help:"Begin at this size of the log; what lies before is taken from the stored hashes." zh:"从日志的这个大小开始；之前的部分采用存储的哈希。"`
	To      int64    `placeholder:"SIZE" default:"0" help:"End at this size of the log; 0 is all of it." zh:"到日志的这个大小为止；0 表示全部。"`
	Against []string `placeholder:"FILE,…" help:"Receipts or checkpoints that somebody kept: the log must still be the one that they were made from." zh:"他人保存的凭证或检查点文件：日志必须仍是当初出具它们的那一份。"`
	Key     []string `placeholder:"KEY,…" help:"Verifier key of the log, of today or a former one; then no keys file is needed." zh:"日志的验证公钥（现用或曾用均可）；给出后无需密钥文件。"`
	JSON    bool     `name:"json" help:"Write the result as JSON." zh:"以 JSON 输出结果。"`
}

// Run checks and tells; it changes nothing.
func (c *evidenceCheckCmd) Run(ctx context.Context, a *app) (err error) {
	db, log, err := a.readLog(ctx, c.Key...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	how := evidence.Check{From: c.From, To: c.To}
	for _, file := range c.Against {
		kept, err := readKept(ctx, log, file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		how.Against = append(how.Against, kept)
	}
	got, err := log.Check(ctx, how)
	if err != nil {
		return err
	}
	state, err := log.State(ctx)
	if err != nil {
		return err
	}
	if err := c.tell(a, got, state); err != nil {
		return err
	}
	if got.Fault != nil {
		return errFound
	}
	return nil
}

// keptBytesMax bounds a file with a checkpoint or a receipt.
const keptBytesMax = 1 << 20

func readKept(ctx context.Context, log *evidence.Log, file string) (evidence.Checkpoint, error) {
	info, err := os.Stat(file)
	if err != nil {
		return evidence.Checkpoint{}, err
	}
	if info.Size() > keptBytesMax {
		return evidence.Checkpoint{}, errors.New("is too long for a receipt or a checkpoint")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return evidence.Checkpoint{}, err
	}
	return log.ReadCheckpoint(ctx, text)
}

func (c *evidenceCheckCmd) tell(a *app, got evidence.Checked, s evidence.State) error {
	if c.JSON {
		return tellJSON(a, got, s)
	}
	text := mianmi.Text{
		ZH: "核对了第 %d 至 %d 条存证，共 %d 条；其中 %d 个批次，含 %d 条记录；检查点 %d 个；另行保存的检查点 %d 个；待入日志 %d 条\n",
		EN: "checked the log from size %d to %d: %d entries, %d of them batches with %d records; %d checkpoints; %d checkpoints kept elsewhere; %d entries wait for the log\n",
	}
	if _, err := fmt.Fprintf(a.stdout, text.In(a.lang), got.From, got.To, got.Entries, got.Batches, got.Records, got.Checkpoints, got.Against, s.Waiting); err != nil {
		return err
	}
	for _, s := range got.Cosigned {
		name := nameOfWitness(s.Key)
		text := mianmi.Text{ZH: "见证人 %s 已联署到第 %d 条，最近一次 %s\n", EN: "witness %s has cosigned the log up to size %d, last at %s\n"}
		if _, err := fmt.Fprintf(a.stdout, text.In(a.lang), name, s.Size, s.At.Format(time.RFC3339)); err != nil {
			return err
		}
	}
	end := mianmi.Text{ZH: "全部相符", EN: "everything fits"}.In(a.lang)
	if got.Fault != nil {
		end = mianmi.Text{ZH: "不符：", EN: "does not fit: "}.In(a.lang) + got.Fault.Words().In(a.lang)
	}
	_, err := fmt.Fprintln(a.stdout, end)
	return err
}

func tellJSON(a *app, got evidence.Checked, s evidence.State) error {
	type fault struct {
		Kind  evidence.FaultKind `json:"kind"`
		At    int64              `json:"at"`
		Entry mianmi.EntryID     `json:"entry,omitempty"`
		Words string             `json:"words"`
	}
	type cosigned struct {
		Witness string    `json:"witness"`
		Size    int64     `json:"size"`
		At      time.Time `json:"at"`
	}
	witnesses := []cosigned{}
	for _, s := range got.Cosigned {
		witnesses = append(witnesses, cosigned{s.Key, s.Size, s.At})
	}
	out := struct {
		From        int64      `json:"from"`
		To          int64      `json:"to"`
		Entries     int64      `json:"entries"`
		Batches     int64      `json:"batches"`
		Records     int64      `json:"records"`
		Checkpoints int64      `json:"checkpoints"`
		Against     int64      `json:"against"`
		Waiting     int64      `json:"waiting"`
		Cosigned    []cosigned `json:"cosigned"`
		Fault       *fault     `json:"fault"`
	}{got.From, got.To, got.Entries, got.Batches, got.Records, got.Checkpoints, got.Against, s.Waiting, witnesses, nil}
	if f := got.Fault; f != nil {
		out.Fault = &fault{f.Kind, f.At, f.ID, f.Words().In(a.lang)}
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

// readLog opens the database and its log for reading: by verifier keys, when
// there are any, or with those of the keys file, which it does not make.
func (a *app) readLog(ctx context.Context, public ...string) (_ *store.DB, _ *evidence.Log, err error) {
	var keys *secret.Keys
	var key evidence.Key
	if len(public) > 0 {
		key, err = evidence.PublicKey(public...)
	} else {
		keys, err = secret.Load(a.shared.keysFile())
	}
	if err != nil {
		return nil, nil, err
	}
	db, err := a.database(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	log := evidence.NewLog(db, key, a.clock)
	if keys != nil {
		log, err = a.openLog(ctx, db, keys)
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, log, nil
}
