package media

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
)

// quadrants is a picture whose corners differ, so that turning it shows: red,
// green / blue, white.
func quadrants(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{255, 0, 0, 255}
			switch {
			case x >= w/2 && y < h/2:
				c = color.RGBA{0, 255, 0, 255}
			case x < w/2 && y >= h/2:
				c = color.RGBA{0, 0, 255, 255}
			case x >= w/2:
				c = color.RGBA{255, 255, 255, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

// photo is a picture of many colours.
func photo(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, color.RGBA{uint8(x), uint8(y), uint8(x ^ y), 255})
		}
	}
	return img
}

func asJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tiff is an Exif block with an orientation and the place where the photo was taken.
func tiff(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("MM\x00*")
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		b = []byte("II*\x00")
	}
	b = order.AppendUint32(b, 8) // the first directory follows
	b = order.AppendUint16(b, 2)
	b = order.AppendUint16(b, 0x0112) // Orientation, SHORT, one
	b = order.AppendUint16(b, 3)
	b = order.AppendUint32(b, 1)
	b = order.AppendUint16(b, orientation)
	b = append(b, 0, 0)
	b = order.AppendUint16(b, 0x8825) // GPSInfo, LONG, one
	b = order.AppendUint16(b, 4)
	b = order.AppendUint32(b, 1)
	b = order.AppendUint32(b, 38)
	b = order.AppendUint32(b, 0) // no second directory
	b = order.AppendUint16(b, 1)
	b = order.AppendUint16(b, 0x001d) // GPSDateStamp, ASCII
	b = order.AppendUint16(b, 2)
	b = order.AppendUint32(b, 21)
	b = order.AppendUint32(b, 56)
	b = order.AppendUint32(b, 0)
	return append(b, "GPS-SECRET-41.29,174.78"...)
}

// withSegments puts marker segments behind a JPEG's first two bytes.
func withSegments(data []byte, segments ...[]byte) []byte {
	out := append([]byte(nil), data[:2]...)
	for _, s := range segments {
		out = append(out, 0xff, s[0])
		out = binary.BigEndian.AppendUint16(out, uint16(len(s)-1+2))
		out = append(out, s[1:]...)
	}
	return append(out, data[2:]...)
}

func app1(exif []byte) []byte { return append([]byte("\xe1Exif\x00\x00"), exif...) }

// withChunk puts a chunk behind a PNG's header chunk.
func withChunk(data []byte, name string, body []byte) []byte {
	const header = 8 + 25
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	chunk = append(append(chunk, name...), body...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	return append(append(append([]byte(nil), data[:header]...), chunk...), data[header:]...)
}

// corners names the colours of a picture's corners, from the top left.
func corners(t testing.TB, p Picture) string {
	t.Helper()
	img, _, err := image.Decode(bytes.NewReader(p.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	b := img.Bounds()
	if b.Dx() != p.Width || b.Dy() != p.Height {
		t.Errorf("the picture is %v and says %d × %d", b, p.Width, p.Height)
	}
	var s strings.Builder
	for _, at := range []image.Point{{b.Dx() / 4, b.Dy() / 4}, {b.Dx() * 3 / 4, b.Dy() / 4}, {b.Dx() / 4, b.Dy() * 3 / 4}, {b.Dx() * 3 / 4, b.Dy() * 3 / 4}} {
		r, g, bl, _ := img.At(at.X, at.Y).RGBA()
		switch r, g, bl := r > 0x8000, g > 0x8000, bl > 0x8000; {
		case r && g && bl:
			s.WriteByte('w')
		case r:
			s.WriteByte('r')
		case g:
			s.WriteByte('g')
		case bl:
			s.WriteByte('b')
		}
	}
	return s.String()
}

func TestProcessTurnsUprightAndForgets(t *testing.T) {
	plain := asJPEG(t, quadrants(80, 40))
	want := []string{1: "rgbw", 2: "grwb", 3: "wbgr", 4: "bwrg", 5: "rbgw", 6: "brwg", 7: "wgbr", 8: "gwrb"}
	for o := 1; o <= 8; o++ {
		for name, file := range map[string][]byte{
			"big-endian JPEG":        withSegments(plain, app1(tiff(binary.BigEndian, uint16(o)))),
			"little-endian JPEG":     withSegments(plain, []byte("\xe0JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"), app1(tiff(binary.LittleEndian, uint16(o)))),
			"JPEG with other blocks": withSegments(plain, []byte("\xe1http://ns.adobe.com/xap/1.0/\x00GPS-SECRET"), []byte("\xfeGPS-SECRET comment"), app1(tiff(binary.BigEndian, uint16(o)))),
			"PNG":                    withChunk(withChunk(asPNG(t, quadrants(80, 40)), "eXIf", tiff(binary.BigEndian, uint16(o))), "tEXt", []byte("Author\x00GPS-SECRET")),
		} {
			if !bytes.Contains(file, []byte("GPS-SECRET")) {
				t.Fatalf("%s: the test's file has nothing to lose", name)
			}
			p, err := Process(context.Background(), bytes.NewReader(file), Pictures())
			if err != nil {
				t.Fatalf("%s, orientation %d: %v", name, o, err)
			}
			if got := corners(t, p.Full); got != want[o] {
				t.Errorf("%s, orientation %d: corners %s, want %s", name, o, got, want[o])
			}
			if wide := p.Full.Width > p.Full.Height; wide != (o < 5) {
				t.Errorf("%s, orientation %d: %d × %d", name, o, p.Full.Width, p.Full.Height)
			}
			for _, out := range [][]byte{p.Full.Bytes, p.Preview.Bytes} {
				for _, secret := range []string{"GPS", "SECRET", "Exif", "eXIf", "tEXt", "adobe"} {
					if bytes.Contains(out, []byte(secret)) {
						t.Errorf("%s: %q is still there", name, secret)
					}
				}
			}
		}
	}
}

func TestProcessSizes(t *testing.T) {
	small := Limits{Bytes: 10 << 20, Pixels: 1_000_000, Memory: 1 << 26, Side: 100, Preview: 40}
	square := small
	square.Square = true
	transparent := photo(50, 50)
	transparent.SetRGBA(3, 3, color.RGBA{})
	var anim bytes.Buffer
	first := image.NewPaletted(image.Rect(0, 0, 20, 10), color.Palette{color.Black, color.White})
	if err := gif.EncodeAll(&anim, &gif.GIF{Image: []*image.Paletted{first, first}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	still, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==") // one pixel
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name          string
		file          []byte
		limits        Limits
		mime          string
		width, height int
		preview       int // width
	}{
		{"wide photo", asJPEG(t, photo(300, 150)), small, "image/jpeg", 100, 50, 40},
		{"tall photo", asJPEG(t, photo(150, 300)), small, "image/jpeg", 50, 100, 20},
		{"small photo stays", asJPEG(t, photo(30, 20)), small, "image/jpeg", 30, 20, 30},
		{"one pixel high", asJPEG(t, photo(900, 1)), small, "image/jpeg", 100, 1, 40},
		{"portrait", asJPEG(t, photo(300, 150)), square, "image/jpeg", 100, 100, 40},
		{"PNG photo", asPNG(t, photo(90, 60)), small, "image/jpeg", 90, 60, 40},
		{"PNG drawing", asPNG(t, quadrants(90, 60)), small, "image/png", 90, 60, 40},
		{"PNG with transparency", asPNG(t, transparent), small, "image/png", 50, 50, 40},
		{"animated GIF", anim.Bytes(), small, "image/png", 20, 10, 20},
		{"WebP", still, small, "image/png", 1, 1, 1},
		{"grey JPEG", asJPEG(t, image.NewGray(image.Rect(0, 0, 60, 60))), small, "image/jpeg", 60, 60, 40},
	}
	for _, tt := range tests {
		p, err := Process(context.Background(), bytes.NewReader(tt.file), tt.limits)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if p.Full.Mime != tt.mime || p.Full.Width != tt.width || p.Full.Height != tt.height || p.Preview.Width != tt.preview {
			t.Errorf("%s: %s, %d × %d, preview %d wide; want %s, %d × %d, %d", tt.name, p.Full.Mime, p.Full.Width, p.Full.Height,
				p.Preview.Width, tt.mime, tt.width, tt.height, tt.preview)
		}
		if blurhashOf(p.Blurhash) == "" {
			t.Errorf("%s: %q is no blurhash", tt.name, p.Blurhash)
		}
	}
}

func TestProcessRefuses(t *testing.T) {
	photograph := asJPEG(t, photo(200, 100))
	drawing := asPNG(t, quadrants(10, 10))
	huge := append([]byte(nil), drawing...) // the header says 60000 × 60000
	binary.BigEndian.PutUint32(huge[16:], 60000)
	binary.BigEndian.PutUint32(huge[20:], 60000)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	wide := append([]byte(nil), huge...) // its product overflows 32 bits
	binary.BigEndian.PutUint32(wide[16:], 0x7fffffff)
	binary.BigEndian.PutUint32(wide[20:], 0x7fffffff)
	binary.BigEndian.PutUint32(wide[29:], crc32.ChecksumIEEE(wide[12:29]))
	gifHuge := append([]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"), make([]byte, 20)...)
	tests := []struct {
		name string
		file []byte
		kind fault.Kind
		key  string
	}{
		{"nothing", nil, fault.Invalid, "media.unknown_type"},
		{"text", []byte("hello"), fault.Invalid, "media.unknown_type"},
		{"SVG", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), fault.Invalid, "media.unknown_type"},
		{"page that calls itself a picture later", append([]byte("<html>"), photograph...), fault.Invalid, "media.unknown_type"},
		{"half a JPEG", photograph[:len(photograph)/2], fault.Invalid, "media.damaged"},
		{"half a PNG", drawing[:len(drawing)-20], fault.Invalid, "media.damaged"},
		{"only a JPEG's beginning", []byte("\xff\xd8\xff"), fault.Invalid, "media.damaged"},
		{"only a PNG's beginning", []byte("\x89PNG\r\n\x1a\n"), fault.Invalid, "media.damaged"},
		{"only a WebP's beginning", []byte("RIFF\x00\x00\x00\x00WEBPVP8 "), fault.Invalid, "media.damaged"},
		{"PNG bomb", huge, fault.Invalid, "media.too_many_pixels"},
		{"PNG bomb beyond 32 bits", wide, fault.Invalid, ""},
		{"GIF bomb", gifHuge, fault.Invalid, "media.too_many_pixels"},
		{"GIF whose frame is empty", []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x00\x00\x00\x02\x02D\x01\x00;"), fault.Invalid, "media.damaged"},
		{"too many bytes", make([]byte, 10<<20+1), fault.TooLarge, "media.too_large"},
	}
	for _, tt := range tests {
		_, err := Process(context.Background(), bytes.NewReader(tt.file), Pictures())
		if !fault.Is(err, tt.kind) || tt.key != "" && fault.Of(err).Key != tt.key {
			t.Errorf("%s: %v (%s), want %v (%s)", tt.name, err, fault.Of(err).Key, tt.kind, tt.key)
		}
	}
	limits := Pictures()
	limits.Memory = 3*200*100 - 1
	if _, err := Process(context.Background(), bytes.NewReader(photograph), limits); fault.Of(err).Key != "media.too_many_pixels" {
		t.Errorf("a picture that needs more memory than allowed: %v", err)
	}
}

func TestProcessDropsWhatHidesBehindAPicture(t *testing.T) {
	hidden := []byte("PK\x03\x04<script>alert('hidden')</script>")
	for name, file := range map[string][]byte{
		"JPEG and archive": append(asJPEG(t, photo(50, 50)), hidden...),
		"PNG and script":   append(asPNG(t, quadrants(50, 50)), hidden...),
		"JPEG and comment": withSegments(asJPEG(t, photo(50, 50)), append([]byte{0xfe}, hidden...)),
	} {
		p, err := Process(context.Background(), bytes.NewReader(file), Pictures())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if bytes.Contains(p.Full.Bytes, hidden[:8]) || bytes.Contains(p.Full.Bytes, []byte("script")) {
			t.Errorf("%s: what was hidden is still there", name)
		}
	}
}

func TestProcessEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Process(ctx, bytes.NewReader(asJPEG(t, photo(50, 50))), Pictures()); err != context.Canceled {
		t.Errorf("Process = %v, want %v", err, context.Canceled)
	}
}

func TestOrientationOfNonsense(t *testing.T) {
	good := tiff(binary.LittleEndian, 6)
	if got := orientation(good); got != 6 {
		t.Fatalf("orientation = %d, want 6", got)
	}
	for n := range 20 { // cut before its value
		if got := orientation(good[:n]); got != 1 {
			t.Errorf("cut at %d: orientation = %d, want 1", n, got)
		}
	}
	for name, bad := range map[string][]byte{
		"no such turn":         tiff(binary.BigEndian, 9),
		"none":                 tiff(binary.BigEndian, 0),
		"directory far away":   []byte("II*\x00\xff\xff\xff\xff\x00\x00\x00\x00"),
		"directory of no size": []byte("II*\x00\x08\x00\x00\x00\xff\xff"),
		"other byte order":     []byte("IM*\x00\x08\x00\x00\x00\x01\x00"),
	} {
		if got := orientation(bad); got != 1 {
			t.Errorf("%s: orientation = %d, want 1", name, got)
		}
	}
}

func FuzzProcess(f *testing.F) {
	jpg := asJPEG(f, quadrants(8, 8))
	f.Add(withSegments(jpg, app1(tiff(binary.BigEndian, 6))))
	f.Add(withChunk(asPNG(f, quadrants(8, 8)), "eXIf", tiff(binary.LittleEndian, 3)))
	f.Add([]byte("RIFF\x1a\x00\x00\x00WEBPVP8L\r\x00\x00\x00/\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"))
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"))
	limits := Limits{Bytes: 1 << 16, Pixels: 1 << 14, Memory: 1 << 20, Side: 16, Preview: 4}
	f.Fuzz(func(t *testing.T, file []byte) {
		late := time.AfterFunc(10*time.Second, func() { panic(fmt.Sprintf("Process(%q) does not end", file)) })
		defer late.Stop()
		p, err := Process(context.Background(), bytes.NewReader(file), limits)
		if err != nil {
			if fault.Of(err).Kind == fault.Internal {
				t.Errorf("hostile bytes are the sender's failure: %v", err)
			}
			return
		}
		for _, out := range []Picture{p.Full, p.Preview} {
			c, _, err := image.DecodeConfig(bytes.NewReader(out.Bytes))
			if err != nil || c.Width != out.Width || c.Height != out.Height || max(c.Width, c.Height) > limits.Side {
				t.Errorf("a picture of %d × %d came out: %v", c.Width, c.Height, err)
			}
		}
		if readHeader("jpeg", p.Full.Bytes).orientation != 1 && p.Full.Mime == "image/jpeg" {
			t.Error("an orientation is left")
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff"))
	f.Add(tiff(binary.BigEndian, 8))
	f.Fuzz(func(t *testing.T, data []byte) {
		if o := orientation(data); o < 1 || o > 8 {
			t.Errorf("orientation = %d", o)
		}
		for _, format := range []string{"jpeg", "png", "webp"} {
			if len(data) < 16 { // told apart by their first sixteen bytes
				continue
			}
			if o := readHeader(format, data).orientation; o < 1 || o > 8 {
				t.Errorf("%s: orientation = %d", format, o)
			}
		}
	})
}
