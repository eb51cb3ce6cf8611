package mastodon

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strconv"
	"sync"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/iri"
)

// Clients want a picture of everybody, as a file. Who has none is shown by a
// ring on one of twelve colours; the colour follows from the number in the
// address, so that nothing is looked up and no address tells who exists.

// hues are the colours of web/static/src/tokens.css.
var hues = [12]color.NRGBA{
	{0x8a, 0x3b, 0x2c, 255}, {0x80, 0x52, 0x1a, 255}, {0x6a, 0x5c, 0x12, 255}, {0x46, 0x6a, 0x1f, 255},
	{0x1f, 0x6b, 0x4c, 255}, {0x16, 0x6a, 0x6a, 255}, {0x1f, 0x62, 0x85, 255}, {0x33, 0x57, 0x9b, 255},
	{0x56, 0x50, 0xa3, 255}, {0x75, 0x46, 0x99, 255}, {0x8c, 0x3f, 0x7d, 255}, {0x93, 0x39, 0x5a, 255},
}

// marks are the drawn pictures, each made when it is first asked for.
type marks struct {
	faces, headers [len(hues)]func() []byte
}

func newMarks() *marks {
	m := &marks{}
	for i, hue := range hues {
		m.faces[i] = sync.OnceValue(func() []byte { return drawRing(192, 192, hue) })
		m.headers[i] = sync.OnceValue(func() []byte { return drawRing(600, 200, hue) })
	}
	return m
}

// drawRing is a picture of a ring in the middle of a colour.
func drawRing(width, height int, hue color.NRGBA) []byte {
	img := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{hue, color.NRGBA{255, 255, 255, 255}, halfway(hue)})
	outer, inner := float64(height)*0.32, float64(height)*0.22
	for y := range height {
		for x := range width {
			dx, dy := float64(x)+0.5-float64(width)/2, float64(y)+0.5-float64(height)/2
			switch d := dx*dx + dy*dy; {
			case d > (inner+1)*(inner+1) && d < (outer-1)*(outer-1):
				img.SetColorIndex(x, y, 1)
			case d > inner*inner && d < outer*outer:
				img.SetColorIndex(x, y, 2) // softens the edge
			}
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // a Buffer takes every write
	return b.Bytes()
}

func halfway(c color.NRGBA) color.NRGBA {
	up := func(v uint8) uint8 { return uint8((int(v) + 255) / 2) }
	return color.NRGBA{up(c.R), up(c.G), up(c.B), 255}
}

// markRoutes mounts the drawn pictures.
func (a *API) markRoutes(r *mux.Router) {
	m := newMarks()
	serve := func(w http.ResponseWriter, body []byte) {
		h := w.Header()
		h.Set("Content-Type", "image/png")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		h.Set("Cache-Control", "public, max-age=86400")
		h.Set("Access-Control-Allow-Origin", "*")
		_, _ = w.Write(body) // a client that left is no failure of ours
	}
	r.HandleFunc("/mark/site.png", func(w http.ResponseWriter, _ *http.Request) { serve(w, m.faces[5]()) }).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/mark/{which:avatar|header}/{id:[0-9]{1,19}}.png", func(w http.ResponseWriter, r *http.Request) {
		id, ok := iri.ParseID(mux.Vars(r)["id"])
		if !ok {
			http.NotFound(w, r)
			return
		}
		of := m.faces
		if mux.Vars(r)["which"] == "header" {
			of = m.headers
		}
		// the counter at an ID's end is too regular to choose by
		serve(w, of[(id>>16^id>>6)%int64(len(of))]())
	}).Methods(http.MethodGet, http.MethodHead)
}
