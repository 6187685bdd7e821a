package files

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"image/png"
)

const (
	// pointsMax bounds a picture's points: a bomb of a few kilobytes can ask for
	// gigabytes when it is decoded.
	pointsMax = 40_000_000
	// sideMax bounds a side; viewers run out of memory beyond it.
	sideMax = 16384
	quality = 88
)

// picture decodes a picture and encodes it anew, upright, without what else was in
// the file: places, devices, comments, other files behind it.
func picture(content []byte) (Type, []byte, error) {
	c, kind, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil || kind != "jpeg" && kind != "png" {
		return "", nil, errKind
	}
	if c.Width < 1 || c.Height < 1 || c.Width > sideMax || c.Height > sideMax || c.Width*c.Height > pointsMax {
		return "", nil, errSize
	}
	m, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return "", nil, errKind
	}
	var out bytes.Buffer
	if kind == "png" {
		err = (&png.Encoder{CompressionLevel: png.DefaultCompression}).Encode(&out, m)
	} else {
		err = jpeg.Encode(&out, upright(m, orientation(content)), &jpeg.Options{Quality: quality})
	}
	switch {
	case err != nil:
		return "", nil, errKind
	case out.Len() > SizeMax:
		return "", nil, errSize
	case kind == "png":
		return PNG, out.Bytes(), nil
	}
	return JPEG, out.Bytes(), nil
}

// upright turns a picture as its camera was held (EXIF 2.32, tag 0x0112: 1 to 8).
func upright(m image.Image, o int) image.Image {
	if o < 2 || o > 8 {
		return m
	}
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	if o >= 5 {
		w, h = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			sx, sy := x, y
			if o >= 5 {
				sx, sy = y, x
			}
			if o == 2 || o == 3 || o == 7 || o == 8 {
				sx = b.Dx() - 1 - sx
			}
			if o == 3 || o == 4 || o == 6 || o == 7 {
				sy = b.Dy() - 1 - sy
			}
			out.Set(x, y, m.At(b.Min.X+sx, b.Min.Y+sy))
		}
	}
	return out
}

// orientation reads how the camera was held from a JPEG's EXIF; 1 when it does not
// say so in a form that is understood.
func orientation(content []byte) int {
	for at := 2; at+4 <= len(content) && content[at] == 0xff; {
		marker, size := content[at+1], int(binary.BigEndian.Uint16(content[at+2:]))
		if marker == 0xda || size < 2 || at+2+size > len(content) {
			return 1
		}
		if body := content[at+4 : at+2+size]; marker == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
			return tagged(body[6:])
		}
		at += 2 + size
	}
	return 1
}

// tagged reads tag 0x0112 of the first directory of a TIFF.
func tagged(t []byte) int {
	if len(t) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if string(t[:2]) == "II" {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(t[4:]))
	if at+2 > int64(len(t)) {
		return 1
	}
	n := int64(order.Uint16(t[at:]))
	for i := range n {
		e := at + 2 + 12*i
		if e+12 > int64(len(t)) {
			return 1
		}
		if order.Uint16(t[e:]) == 0x0112 {
			return int(order.Uint16(t[e+8:]))
		}
	}
	return 1
}
