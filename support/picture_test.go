package support

import "testing"

// Whatever is uploaded, looking at it ends, and what is short is no picture.
func FuzzPicture(f *testing.F) {
	for _, text := range []string{"BM", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "\xff\xd8\xff\xc0", "GIF89a", "<svg>", ""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if isPicture(b) && len(b) < 20 {
			t.Errorf("%q is a picture", b)
		}
	})
}
