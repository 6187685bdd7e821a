package files

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
)

func folder(t *testing.T, s Scanner) *Folder {
	t.Helper()
	keys, err := secret.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(Parts{Dir: t.TempDir(), Keys: keys, Random: rand.Reader, Scanner: s})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// corner is a picture whose left upper corner alone is red.
func corner(w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{0, 0, 255, 255}
			if x < w/2 && y < h/2 {
				c = color.RGBA{255, 0, 0, 255}
			}
			m.Set(x, y, c)
		}
	}
	return m
}

func jpegOf(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// exif puts an EXIF segment with an orientation and a place into a JPEG.
func exif(picture []byte, orientation uint16, place string) []byte {
	t := []byte("II*\x00\x08\x00\x00\x00\x01\x00")
	t = binary.LittleEndian.AppendUint16(t, 0x0112)
	t = binary.LittleEndian.AppendUint16(t, 3)
	t = binary.LittleEndian.AppendUint32(t, 1)
	t = binary.LittleEndian.AppendUint16(t, orientation)
	t = append(append(t, 0, 0, 0, 0, 0, 0), place...)
	body := append([]byte("Exif\x00\x00"), t...)
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2))
	return append(append(append([]byte{}, picture[:2]...), append(segment, body...)...), picture[2:]...)
}

// bomb is a PNG of a few bytes that says it has so many points.
func bomb(w, h uint32) []byte {
	head := binary.BigEndian.AppendUint32([]byte("IHDR"), w)
	head = append(binary.BigEndian.AppendUint32(head, h), 8, 6, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	return binary.BigEndian.AppendUint32(append(out, head...), crc32.ChecksumIEEE(head))
}

// What is kept, and what is refused, by what a file is and not by what it is called.
func TestKinds(t *testing.T) {
	t.Parallel()
	f := folder(t, nil)
	picture := jpegOf(t, corner(16, 16))
	pdf := func(inside string) []byte { return []byte("%PDF-1.7\n" + inside + "\ntrailer <<>>\n%%EOF\n") }
	for name, tt := range map[string]struct {
		content []byte
		want    Type // empty: refused
		code    string
	}{
		"a photograph":             {picture, JPEG, ""},
		"a screenshot":             {pngOf(t, corner(16, 16)), PNG, ""},
		"a PDF":                    {pdf("1 0 obj <</Type /Page /AAPL 1>> endobj"), PDF, ""},
		"a text":                   {[]byte("小票编号 8812\r\n12:04"), Text, ""},
		"nothing":                  {nil, "", "file_size"},
		"too much":                 {make([]byte, SizeMax+1), "", "file_size"},
		"a page":                   {[]byte("  <!DOCTYPE html><p>hi"), "", "file_kind"},
		"a script inside a text":   {[]byte("hello <SCRIPT>alert(1)</SCRIPT>"), "", "file_kind"},
		"SVG":                      {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), "", "file_kind"},
		"SVG after a mark":         {[]byte("\ufeff\n<svg/>"), "", "file_kind"},
		"an archive":               {[]byte("PK\x03\x04aaaa"), "", "file_kind"},
		"a program":                {[]byte("\x7fELF\x02\x01\x01\x00"), "", "file_kind"},
		"half a picture":           {picture[:40], "", "file_kind"},
		"a picture that is a lie":  {[]byte("\xff\xd8\xff<script>alert(1)</script>"), "", "file_kind"},
		"a bomb of points":         {bomb(16000, 16000), "", "file_size"},
		"a bomb of one side":       {bomb(1<<31-1, 1), "", "file_size"},
		"a PDF that runs":          {pdf("<</S /JavaScript /JS (app.alert(1))>>"), "", "file_kind"},
		"a PDF that sends":         {pdf("<</S /SubmitForm /F (https://example.com)>>"), "", "file_kind"},
		"a PDF that runs, behind":  {pdf("stream\nq\nendstream <</S /JavaScript>>"), "", "file_kind"},
		"a PDF with half a stream": {pdf("stream\nq <</S /JavaScript>>"), "", "file_kind"},
		"a bank statement":         {pdf("<</OpenAction [3 0 R /Fit]>> 4 0 obj <</Length 9>>\nstream\r\n\x00/JS /AA\xff\nendstream endobj"), PDF, ""},
		"a PDF that hides a name":  {pdf("<</S /Java#53cript>>"), "", "file_kind"},
		"a PDF that carries":       {pdf("<</Type /EmbeddedFile>>"), "", "file_kind"},
		"a PDF without an end":     {[]byte("%PDF-1.7\n"), "", "file_kind"},
		"a PDF that is an archive": {pdf("PK\x05\x06" + strings.Repeat("\x00", 18)), "", "file_kind"},
		"a PDF that is a page":     {pdf("<script>alert(1)</script>"), "", "file_kind"},
		"a card number":            {[]byte("卡号 4111 1111 1111 1111"), "", ""},
	} {
		got, err := f.Clean(t.Context(), tt.content)
		if tt.want != "" {
			if err != nil || got.Type != tt.want || len(got.ID) != 32 {
				t.Errorf("%s: %v, %v", name, got.File, err)
			}
			continue
		}
		var e *mianmi.Error
		if !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != "file" || e.Code != tt.code {
			t.Errorf("%s: %+v, %v", name, got.File, err)
		}
	}
}

// What stands behind or inside a picture is gone, its place too, and it stands upright.
func TestPicturesAreMadeAnew(t *testing.T) {
	t.Parallel()
	f := folder(t, nil)
	const place, behind = "GPS 31.23N 121.47E", "PK\x03\x04<script>alert(1)</script>"
	for o := uint16(1); o <= 8; o++ {
		w, h := 32, 16
		m := upright(corner(w, h), undo(int(o))) // as the sensor saw it
		content := append(exif(jpegOf(t, m), o, place), behind...)
		kept, err := f.Clean(t.Context(), content)
		b := kept.Content
		if err != nil || bytes.Contains(b, []byte("GPS")) || bytes.Contains(b, []byte("script")) || bytes.Contains(b, []byte("Exif")) {
			t.Errorf("orientation %d: %v, or something was kept", o, err)
		}
		back, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if size := back.Bounds(); size.Dx() != w || size.Dy() != h {
			t.Errorf("orientation %d: %v", o, size)
			continue
		}
		for _, p := range []struct {
			x, y int
			red  bool
		}{{4, 4, true}, {28, 4, false}, {4, 12, false}, {28, 12, false}} {
			if r, _, blue, _ := back.At(p.x, p.y).RGBA(); (r > blue) != p.red {
				t.Errorf("orientation %d: the point %d,%d is wrong", o, p.x, p.y)
			}
		}
	}
}

// undo is the orientation that leads back.
func undo(o int) int {
	switch o {
	case 6:
		return 8
	case 8:
		return 6
	}
	return o
}

// The same content is one file; what is kept is sealed; what is asked for by a
// strange name is not there.
func TestFolder(t *testing.T) {
	t.Parallel()
	f := folder(t, nil)
	content := []byte("只有这里有的一句话")
	kept, err := f.Clean(t.Context(), content)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := f.Write(kept); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var found []string
	err = filepath.WalkDir(f.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, err := os.ReadFile(path)
			if err != nil || bytes.Contains(b, content) {
				t.Errorf("%s is not sealed, or unreadable: %v", path, err)
			}
			found = append(found, path)
		}
		return err
	})
	if err != nil || len(found) != 1 || filepath.Base(found[0]) != kept.ID {
		t.Fatalf("%v: %q", err, found)
	}
	if b, err := f.Read(kept.ID); err != nil || !bytes.Equal(b, content) {
		t.Errorf("read back: %q, %v", b, err)
	}
	for _, id := range []string{"", "../../etc/passwd", strings.Repeat("a", 32), kept.ID + "x", strings.ToUpper(kept.ID)} {
		if _, err := f.Read(id); mianmi.KindOf(err) != mianmi.NotFound {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := os.WriteFile(found[0], []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(kept.ID); err == nil {
		t.Error("what somebody put in its place is handed out")
	}
	if err := os.WriteFile(found[0]+newMark+"1", content[:4], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, needed := range []bool{true, false, false} {
		if err := f.Sweep(kept.ID, needed); err != nil {
			t.Error(err)
		}
		files, err := filepath.Glob(filepath.Join(f.Dir, "*", "*"))
		if err != nil || needed != (len(files) == 1) {
			t.Errorf("needed: %v; there are %q, %v", needed, files, err)
		}
	}
	if _, err := f.Read(kept.ID); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("removed: %v", err)
	}
}

// A disk that is not mounted is not written below; one that is full keeps no half.
func TestFolderAway(t *testing.T) {
	t.Parallel()
	f := folder(t, nil)
	kept, err := f.Clean(t.Context(), []byte("小票"))
	if err != nil {
		t.Fatal(err)
	}
	path, err := f.path(kept.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(path+"/in the way", 0o700); err != nil { // the last step fails: a file cannot take a folder's place
		t.Fatal(err)
	}
	if err := write(path, []byte("sealed")); err == nil {
		t.Error("written over a folder")
	}
	if left, err := filepath.Glob(path + newMark + "*"); err != nil || len(left) > 0 {
		t.Errorf("half of it is left: %q, %v", left, err)
	}
	f.Dir = filepath.Join(f.Dir, "not mounted")
	if err := f.Write(kept); !isCode(err, "files_away") {
		t.Errorf("without the folder: %v", err)
	}
	if _, err := os.Stat(f.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a folder was made where a disk belongs")
	}
}
