package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"github.com/buckket/go-blurhash"
	scale "golang.org/x/image/draw"
	"golang.org/x/image/webp"

	"github.com/chalkring/chalkring/internal/fault"
)

// Limits says how much of a picture is taken and how large it is kept.
type Limits struct {
	Bytes   int64 // of the file as sent
	Pixels  int   // of the picture as sent: a small file can unpack to a huge one
	Memory  int64 // bytes that decoding may need, by estimate
	Side    int   // longest side that is kept
	Preview int   // longest side of the preview
	Square  bool  // crop to the middle square, as portraits are
}

// Pictures are the limits for pictures in posts.
func Pictures() Limits {
	return Limits{Bytes: 10 << 20, Pixels: 40_000_000, Memory: 256 << 20, Side: 1600, Preview: 400}
}

// Portraits are the limits for the pictures of people and groups.
func Portraits() Limits {
	l := Pictures()
	l.Side, l.Preview, l.Square = 400, 96, true
	return l
}

// Signs are the limits for pictures that stand between letters.
func Signs() Limits {
	return Limits{Bytes: 1 << 20, Pixels: 4_000_000, Memory: 64 << 20, Side: 128, Preview: 64}
}

// Picture is one encoded image without any metadata.
type Picture struct {
	Bytes         []byte
	Mime          string // "image/jpeg" or "image/png"
	Width, Height int
}

// Processed is what becomes of an uploaded picture.
type Processed struct {
	Full     Picture
	Preview  Picture
	Blurhash string
}

// format is one kind of image file that is taken, told by its first bytes and
// never by its name or by what the sender calls it.
type format struct {
	name   string
	is     func([]byte) bool
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var formats = [...]format{
	{"jpeg", func(b []byte) bool { return bytes.HasPrefix(b, []byte("\xff\xd8\xff")) }, jpeg.DecodeConfig, jpeg.Decode},
	{"png", func(b []byte) bool { return bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")) }, png.DecodeConfig, png.Decode},
	{"gif", func(b []byte) bool {
		return bytes.HasPrefix(b, []byte("GIF87a")) || bytes.HasPrefix(b, []byte("GIF89a"))
	}, gif.DecodeConfig, gif.Decode},
	{"webp", func(b []byte) bool {
		return len(b) >= 16 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP"
	}, webp.DecodeConfig, webp.Decode},
}

// Process reads a JPEG, PNG, GIF (its first frame) or WebP picture and makes
// new ones of its pixels: turned upright, no larger than the limits, with a
// preview and a blurhash. Nothing else of the file is kept, so neither the place
// where a photo was taken nor a program hidden behind it can travel on.
func Process(ctx context.Context, r io.Reader, limits Limits) (Processed, error) {
	data, err := read(r, limits)
	if err != nil {
		return Processed{}, err
	}
	return process(ctx, data, limits)
}

// read takes the whole file into memory, or refuses it.
func read(r io.Reader, limits Limits) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limits.Bytes+1))
	if err != nil {
		return nil, fmt.Errorf("read picture: %w", err)
	}
	if int64(len(data)) > limits.Bytes {
		return nil, fault.Keyed(fault.TooLarge, "media.too_large",
			fmt.Sprintf("This picture is larger than %d MB. Please make it smaller.", limits.Bytes>>20),
			map[string]any{"Megabytes": limits.Bytes >> 20})
	}
	return data, nil
}

func process(ctx context.Context, data []byte, limits Limits) (Processed, error) {
	f, head, err := inspect(data, limits)
	if err != nil {
		return Processed{}, err
	}
	img, err := f.decodeAll(data)
	if err != nil {
		return Processed{}, damaged(err)
	}
	if err := ctx.Err(); err != nil {
		return Processed{}, err
	}
	few := f.name != "jpeg" && fewColours(img)
	full := fit(img, limits.Side, limits.Square, head.orientation)
	img = nil // the largest thing in memory
	if err := ctx.Err(); err != nil {
		return Processed{}, err
	}
	small := shrink(full, limits.Preview)
	var p Processed
	if p.Full, err = encode(full, few); err != nil {
		return Processed{}, err
	}
	if p.Preview, err = encode(small, few); err != nil {
		return Processed{}, err
	}
	p.Blurhash, err = blur(small)
	return p, err
}

// inspect finds out what a file is and whether it may be decoded, from its
// headers alone.
func inspect(data []byte, limits Limits) (format, header, error) {
	for _, f := range formats {
		if !f.is(data) {
			continue
		}
		c, err := f.configOf(data)
		if err != nil {
			return f, header{}, damaged(err)
		}
		if c.Width <= 0 || c.Height <= 0 {
			return f, header{}, damaged(errors.New("no pixels"))
		}
		head := readHeader(f.name, data)
		if c.Width > limits.Pixels/c.Height || estimate(f.name, c, head) > limits.Memory {
			return f, header{}, fault.Invalidf("file", "This picture has too many pixels (%d × %d). Please make it smaller.",
				c.Width, c.Height).WithKey("media.too_many_pixels", map[string]any{"Width": c.Width, "Height": c.Height})
		}
		return f, head, nil
	}
	return format{}, header{}, fault.Invalidf("file",
		"This file is not a picture that we can show. Please use JPEG, PNG, GIF or WebP.").WithKey("media.unknown_type", nil)
}

// estimate is about how many bytes the decoder will need: what it unpacks to,
// and for a progressive JPEG all its coefficients as well.
func estimate(name string, c image.Config, head header) int64 {
	pixels := int64(c.Width) * int64(c.Height)
	switch c.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model:
		return 8 * pixels
	case color.RGBAModel, color.NRGBAModel, color.CMYKModel:
		return 4 * pixels
	case color.Gray16Model:
		return 2 * pixels
	case color.YCbCrModel:
		if name == "jpeg" && head.progressive {
			return 8 * pixels // most have a quarter of the colour: 4 × 1.5, and the picture itself
		}
		return 3 * pixels
	}
	return pixels
}

// configOf and decodeAll call the decoder; that one of them trips over hostile
// bytes must end this upload, and not the server.
func (f format) configOf(data []byte) (c image.Config, err error) {
	defer tripped(&err)
	return f.config(bytes.NewReader(data))
}

func (f format) decodeAll(data []byte) (img image.Image, err error) {
	defer tripped(&err)
	img, err = f.decode(bytes.NewReader(data))
	if err == nil && img.Bounds().Empty() { // a GIF's first frame has a size of its own
		err = errors.New("no pixels")
	}
	return img, err
}

func tripped(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("decoder panicked: %v", v)
	}
}

func damaged(cause error) error {
	f := fault.Wrap(fault.Invalid, cause,
		"This picture is damaged, incomplete or of a kind that we cannot read (such as an animated WebP). Please save it again as JPEG or PNG.")
	f.Fields = []fault.Field{{Name: "file", Message: f.Message}}
	return f.WithKey("media.damaged", nil)
}

// fewColours reports whether a picture is more of a drawing than a photo, so
// that JPEG would smear it. It stops at the 257th colour.
func fewColours(img image.Image) bool {
	var pix []byte
	var stride, row, rows int
	switch m := img.(type) {
	case *image.Paletted, *image.Gray:
		return true
	case *image.RGBA:
		pix, stride, row, rows = m.Pix, m.Stride, 4*m.Rect.Dx(), m.Rect.Dy()
	case *image.NRGBA:
		pix, stride, row, rows = m.Pix, m.Stride, 4*m.Rect.Dx(), m.Rect.Dy()
	default:
		return false
	}
	seen := make(map[[4]byte]struct{}, 257)
	var last [4]byte
	for y := range rows {
		line := pix[y*stride : y*stride+row]
		for x := 0; x+3 < len(line); x += 4 {
			c := [4]byte(line[x : x+4])
			if c == last && len(seen) > 0 {
				continue
			}
			last = c
			if seen[c] = struct{}{}; len(seen) > 256 {
				return false
			}
		}
	}
	return true
}

// fit scales img to the longest side, cropped to its middle square if asked,
// and turns it upright. It never enlarges.
func fit(img image.Image, side int, square bool, orientation int) *image.RGBA {
	from := img.Bounds()
	if square {
		n := min(from.Dx(), from.Dy())
		from = image.Rect(0, 0, n, n).Add(from.Min).Add(image.Pt((from.Dx()-n)/2, (from.Dy()-n)/2))
	}
	w, h := within(from.Dx(), from.Dy(), side)
	to := image.NewRGBA(image.Rect(0, 0, w, h))
	if w == from.Dx() && h == from.Dy() {
		draw.Draw(to, to.Rect, img, from.Min, draw.Src)
	} else {
		scale.ApproxBiLinear.Scale(to, to.Rect, img, from, draw.Src, nil)
	}
	return upright(to, orientation)
}

// shrink is the second, careful step down to a preview.
func shrink(img *image.RGBA, side int) *image.RGBA {
	w, h := within(img.Rect.Dx(), img.Rect.Dy(), side)
	if w == img.Rect.Dx() && h == img.Rect.Dy() {
		return img
	}
	to := image.NewRGBA(image.Rect(0, 0, w, h))
	scale.CatmullRom.Scale(to, to.Rect, img, img.Rect, draw.Src, nil)
	return to
}

// within is the size of a w × h picture whose longest side is at most side.
func within(w, h, side int) (int, int) {
	switch {
	case w <= side && h <= side:
		return w, h
	case w >= h:
		return side, max(1, (h*side+w/2)/w)
	}
	return max(1, (w*side+h/2)/h), side
}

// encode writes a JPEG; a PNG if JPEG cannot hold the picture or, for a drawing,
// if that does not take twice the space.
func encode(img *image.RGBA, drawing bool) (Picture, error) {
	p := Picture{Mime: "image/jpeg", Width: img.Rect.Dx(), Height: img.Rect.Dy()}
	var asJPEG, asPNG bytes.Buffer
	opaque := img.Opaque()
	if opaque {
		if err := jpeg.Encode(&asJPEG, img, &jpeg.Options{Quality: 82}); err != nil {
			return Picture{}, fmt.Errorf("encode JPEG: %w", err)
		}
		p.Bytes = asJPEG.Bytes()
	}
	if !opaque || drawing {
		if err := png.Encode(&asPNG, img); err != nil {
			return Picture{}, fmt.Errorf("encode PNG: %w", err)
		}
		if !opaque || asPNG.Len() <= 2*asJPEG.Len() {
			p.Mime, p.Bytes = "image/png", asPNG.Bytes()
		}
	}
	return p, nil
}

// blur is the blurhash of a picture, on white where it is transparent.
func blur(img *image.RGBA) (string, error) {
	w, h, x, y := 32, 24, 4, 3
	if img.Rect.Dy() > img.Rect.Dx() {
		w, h, x, y = 24, 32, 3, 4
	}
	small := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(small, small.Rect, image.White, image.Point{}, draw.Src)
	scale.ApproxBiLinear.Scale(small, small.Rect, img, img.Rect, draw.Over, nil)
	hash, err := blurhash.Encode(x, y, small)
	if err != nil {
		return "", fmt.Errorf("blurhash: %w", err)
	}
	return hash, nil
}
