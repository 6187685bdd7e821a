package pack

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/support/desk"
)

// SizeMax bounds a pack, in bytes: its attachments have fifty MiB at most.
const SizeMax = 128 << 20

// filesMax bounds the files of a pack that is verified.
const filesMax = 20_000

// CheckReceipt checks that a receipt is of the handing out of this very file.
func (v *Verified) CheckReceipt(text []byte, trust evidence.Trust) error {
	const name = "receipt"
	r, err := evidence.ParseReceipt(text)
	if err != nil {
		return badReceipt(name, err)
	}
	p, err := r.Verify(trust)
	if err != nil {
		return badReceipt(name, err)
	}
	if p.Entry.Type != desk.TypePacked {
		return bad(name, "不是导出证据包的凭证", "is not of a proof pack that was handed out")
	}
	got, err := desk.ReadRecord(p.Entry)
	if err != nil || got.Pack != v.Digest || p.Entry.Subject != v.Manifest.Case {
		return bad(name, "属于另一份证据包，不是这份文件", "is of another proof pack than this file")
	}
	return nil
}

// Verified is what a pack proves.
type Verified struct {
	Manifest Manifest
	Digest   string // SHA-256 of the file, in hexadecimal
	Receipts int
	Believed bool // the log's key is one that was given, or follows from one
	Cosigned []evidence.Cosigned
	Payments []PaymentFacts
	Events   []Event
}

// Fault is what does not fit in a pack.
type Fault struct {
	File  string // of the pack, or "pack" for all of it
	Words mianmi.Text
}

// Error is the fault in English.
func (f *Fault) Error() string { return f.File + " " + f.Words.EN }

func bad(name, zh, en string, args ...any) error {
	return &Fault{name, mianmi.Text{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, args...)}}
}

// badReceipt is what receipt says of its own fault.
func badReceipt(name string, err error) error { return &Fault{name, receipt.Fault(err)} }

// Verify checks a pack without a server: that it holds the files that its manifest
// lists and no other, every receipt, that all stand under the manifest's checkpoint,
// and that what it tells of payments and of changes is what the receipts prove. What does
// not fit is a *Fault.
func Verify(content []byte, trust evidence.Trust) (*Verified, error) {
	files, err := unpack(content)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	out := &Verified{Digest: hex.EncodeToString(sum[:])}
	if err := out.manifest(files); err != nil {
		return nil, err
	}
	proved := map[string]evidence.Proved{}
	for name, text := range files {
		if !strings.HasPrefix(name, receiptsDir) {
			continue
		}
		p, err := out.receipt(name, text, trust)
		if err != nil {
			return nil, err
		}
		proved[name] = p
		out.Receipts++
		out.Believed, out.Cosigned = p.Believed, p.Cosigned
	}
	if out.Receipts == 0 {
		return nil, bad(manifestName, "没有列出任何凭证：证据包什么也没有证明", "lists no receipt: nothing in this pack is proved")
	}
	if err := out.facts(files, proved); err != nil {
		return nil, err
	}
	return out, nil
}

// unpack reads the files of a ZIP as this package writes it: none is compressed, so
// that none can be larger than it looks.
func unpack(content []byte) (map[string][]byte, error) {
	if len(content) > SizeMax {
		return nil, bad("pack", "有 %d 字节，最多 %d", "has %d bytes; at most %d", len(content), SizeMax)
	}
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, bad("pack", "不是 ZIP 文件，或不完整", "is no ZIP file, or was cut short")
	}
	if len(z.File) > filesMax {
		return nil, bad("pack", "文件多于 %d 个", "has more than %d files", filesMax)
	}
	files := map[string][]byte{}
	total := 0
	for _, f := range z.File {
		switch _, again := files[f.Name]; {
		case again:
			return nil, bad("pack", "%q 出现两次", "holds %q twice", f.Name)
		case f.Method != zip.Store || f.Name == "" || strings.HasSuffix(f.Name, "/") || strings.Contains(f.Name, "..") || strings.ContainsAny(f.Name, "\\:") || f.Name[0] == '/':
			return nil, bad("pack", "含有证据包不该有的 %q", "holds %q, which no proof pack has", f.Name)
		}
		r, err := f.Open()
		if err != nil {
			return nil, bad(f.Name, "无法读取", "cannot be read")
		}
		text, err := io.ReadAll(io.LimitReader(r, SizeMax))
		if total += len(text); err != nil || r.Close() != nil || total > SizeMax {
			return nil, bad(f.Name, "无法读取，或校验和不符", "cannot be read, or does not fit its checksum")
		}
		files[f.Name] = text
	}
	return files, nil
}

// manifest checks that the pack holds what its manifest lists.
func (v *Verified) manifest(files map[string][]byte) error {
	text, ok := files[manifestName]
	if !ok {
		return bad(manifestName, "缺失", "is missing")
	}
	if err := json.Unmarshal(text, &v.Manifest); err != nil {
		return bad(manifestName, "无法读取", "cannot be read")
	}
	if v.Manifest.Version != manifestVersion {
		return bad(manifestName, "版本未知，请升级程序", "is of a version that this program does not know")
	}
	if again, err := encode(v.Manifest); err != nil || !bytes.Equal(again, text) {
		return bad(manifestName, "不是出具时的样子", "is not in the form in which it was made")
	}
	if len(v.Manifest.Files) != len(files)-1 {
		return bad(manifestName, "列出 %d 个文件，实有 %d 个", "lists %d files; the pack holds %d others", len(v.Manifest.Files), len(files)-1)
	}
	for _, l := range v.Manifest.Files {
		content, ok := files[l.Name]
		if !ok || l.Name == manifestName {
			return bad(l.Name, "清单中有，实际缺失", "is listed, and missing")
		}
		if sum := sha256.Sum256(content); int64(len(content)) != l.Size || hex.EncodeToString(sum[:]) != l.SHA256 {
			return bad(l.Name, "摘要不符，不是当初打包的文件", "is not the file that was packed: its digest differs")
		}
	}
	return nil
}

func (v *Verified) receipt(name string, text []byte, trust evidence.Trust) (evidence.Proved, error) {
	r, err := evidence.ParseReceipt(text)
	if err != nil {
		return evidence.Proved{}, badReceipt(name, err)
	}
	p, err := r.Verify(trust)
	if err != nil {
		return p, badReceipt(name, err)
	}
	if r.Checkpoint != v.Manifest.Checkpoint || r.Key != v.Manifest.LogKey {
		return p, bad(name, "所依据的检查点与证据包不同", "stands under another checkpoint than the pack")
	}
	id := strings.TrimSuffix(strings.TrimPrefix(name, receiptsDir), ".json")
	if p.Record == nil && id != string(p.Entry.ID) {
		return p, bad(name, "是另一条存证 %s 的凭证", "is the receipt of another entry, %s", p.Entry.ID)
	}
	return p, nil
}

// facts checks what the pack tells against what its receipts prove.
func (v *Verified) facts(files map[string][]byte, proved map[string]evidence.Proved) error {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !strings.HasPrefix(name, "payments/") {
			continue
		}
		var p PaymentFacts
		if err := json.Unmarshal(files[name], &p); err != nil {
			return bad(name, "无法读取", "cannot be read")
		}
		if err := p.check(name, proved); err != nil {
			return err
		}
		v.Payments = append(v.Payments, p)
	}
	const timeline = "timeline.json"
	if err := json.Unmarshal(files[timeline], &v.Events); err != nil {
		return bad(timeline, "无法读取", "cannot be read")
	}
	for i, e := range v.Events {
		if !strings.HasPrefix(e.Ref, "en") {
			continue
		}
		p, ok := proved[e.Receipt]
		if !ok || string(p.Entry.ID) != e.Ref {
			return bad(timeline, "提到 %s，却没有其凭证（第 %d 项）", "tells of %s without its receipt (line %d)", e.Ref, i+1)
		}
		is := eventOf(p.Entry)
		if is.Type != e.Type || !is.At.Equal(e.At) || is.Case != e.Case || is.Verdict != e.Verdict || is.Act != e.Act || !is.Switch.same(e.Switch) {
			return bad(timeline, "关于 %s 的内容与凭证不符（第 %d 项）", "tells otherwise of %s than its receipt (line %d)", e.Ref, i+1)
		}
		v.Events[i].Words = is.Words // of this program, whatever the pack says
	}
	return nil
}

// check compares a payment's facts with the record of its decision.
func (p *PaymentFacts) check(name string, proved map[string]evidence.Proved) error {
	got, ok := proved[p.Receipt]
	if !ok || got.Record == nil {
		return bad(name, "没有这笔付款判定的凭证", "has no receipt of the payment's decision")
	}
	d, err := payment.ReadDecided(got.Record)
	if err != nil {
		return bad(name, "所附凭证与付款无关", "rests on a receipt of something else")
	}
	is := paymentFacts(&payment.Payment{ID: d.Payment, Amount: d.Amount, Merchant: d.Merchant, Store: d.Store, Terminal: d.Terminal, Method: d.Method, Channel: d.Channel,
		Outcome: d.Outcome, Reasons: d.Reasons, Rules: d.Rules, Epoch: d.Epoch, PayerVersion: d.PayerVersion, CreatedAt: d.At})
	same := p.ID == is.ID && p.Amount == is.Amount && p.Merchant == is.Merchant && p.Store == is.Store && p.Terminal == is.Terminal && p.Method == is.Method &&
		p.Channel == is.Channel && p.Outcome == is.Outcome && p.Rules == is.Rules && p.Epoch == is.Epoch && p.PayerVersion == is.PayerVersion &&
		p.At.Equal(is.At) &&
		slices.EqualFunc(p.Reasons, is.Reasons, func(a, b ReasonFact) bool { return a.Reason == b.Reason && a.Layer == b.Layer })
	if !same {
		return bad(name, "关于这笔付款的内容与凭证不符", "tells otherwise of the payment than its receipt")
	}
	for _, l := range p.InForce {
		if _, ok := proved[l.Receipt]; l.Receipt != "" && !ok {
			return bad(name, "所依据的 %s 缺失", "rests on %s, which is missing", l.Receipt)
		}
	}
	return nil
}
