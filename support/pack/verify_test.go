package pack_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"testing"

	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/support/pack"
)

// FuzzVerify reads what strangers hand over: anything but a pack is a fault that
// names a file, in both languages.
func FuzzVerify(f *testing.F) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{"manifest.json": `{"mianmi_pack": 1}`, "receipts/en1.json": "{}"} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			f.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("PK"))
	f.Fuzz(func(t *testing.T, content []byte) {
		_, err := pack.Verify(content, evidence.Trust{})
		if bad := (*pack.Fault)(nil); !errors.As(err, &bad) || bad.File == "" || bad.Words.ZH == "" || bad.Words.EN == "" {
			t.Errorf("%v", err)
		}
	})
}
